/**
 * Documents rewritten on their way: by restore, by a managed save, and by the destination of a live migration.
 * @module
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { DEFAULT_NETWORK, define, qemuDomain, VNC_PASSWORD } from "./guests.ts";
import type { Node } from "./node.ts";
import { HOOKS, scene } from "./scene.ts";

/** A rule that edits at migrate and restore. */
function editRule(edits: string): string {
  return `[[rule]]\nname = "this host's ways"\nwhen = { driver = "qemu", on = ["migrate", "restore"] }\nedit = [${edits}]\n`;
}

async function makeDisk(node: Node, folder: string): Promise<string> {
  await Deno.mkdir(`${node.scratch}/${folder}`, { recursive: true });
  const path = `${node.scratch}/${folder}/vm1.raw`;
  using file = await Deno.open(path, { write: true, create: true });
  await file.truncate(1024 * 1024);
  return path;
}

async function move(from: string, to: string): Promise<void> {
  await Deno.mkdir(to.replace(/\/[^/]*$/, ""), { recursive: true });
  await Deno.rename(from, to);
}

async function assertNoSecret(node: Node): Promise<void> {
  for (const line of await node.history()) assert(!JSON.stringify(line).includes(VNC_PASSWORD), JSON.stringify(line));
}

scene("a saved guest comes back with its disk elsewhere", async ({ nodeWith, step }) => {
  const node = await nodeWith("rewrite", { hooks: ["qemu"] });
  const disk = await makeDisk(node, "a");
  await define(node, "qemu", qemuDomain("vm1", { disk, vnc: "127.0.0.1" }));

  await step("no rule matches: libvirt goes on with the document it sent", async () => {
    await node.writeRules(editRule('{ path = "/domain/nothing/@here", set = "x" }'));
    await node.mustVirsh(["start", "vm1"]);
    const image = `${node.scratch}/vm1.save`;
    const stored = ["save-image-dumpxml", image, "--security-info"];
    await node.mustVirsh(["save", "vm1", image]);
    const before = await node.mustVirsh(stored);
    await node.mustVirsh(["restore", image]);
    await node.mustVirsh(["save", "vm1", image]);
    assertEquals(await node.mustVirsh(stored), before);
    await node.mustVirsh(["restore", image]);
    const last = (await node.history()).findLast((line) => line.operation === "restore");
    assertEquals([last?.outcome, last?.exitCode], ["done", 0]);
  });
  await step("save and restore", async () => {
    await node.mustVirsh(["save", "vm1", `${node.scratch}/vm1.save`]);
    await move(disk, `${node.scratch}/b/vm1.raw`);
    await node.virshFails(["restore", `${node.scratch}/vm1.save`]);
    await node.writeRules(
      editRule(
        `{ path = "/domain/devices/disk/source/@file", replace = "${node.scratch}/a/", with = "${node.scratch}/b/" }`,
      ),
    );
    await node.mustVirsh(["restore", `${node.scratch}/vm1.save`]);
    assertStringIncludes(await node.mustVirsh(["dumpxml", "vm1"]), `<source file='${node.scratch}/b/vm1.raw'`);
    assertEquals((await node.mustVirsh(["domstate", "vm1"])).trim(), "running");
  });
  await step("managed save and start", async () => {
    await node.mustVirsh(["managedsave", "vm1"]);
    await move(`${node.scratch}/b/vm1.raw`, `${node.scratch}/c/vm1.raw`);
    await node.writeRules(
      editRule(`{ path = "/domain/devices/disk/source/@file", regex = "/[ab]/", with = "/c/" }`),
    );
    await node.mustVirsh(["start", "vm1"]);
    assertStringIncludes(await node.mustVirsh(["dumpxml", "vm1"]), `<source file='${node.scratch}/c/vm1.raw'`);
    await node.mustVirsh(["destroy", "vm1"]);
  });
  await step("the password in those documents is in no history", () => assertNoSecret(node));
});

scene("a live migration, rewritten by its destination", async ({ startNode, step }) => {
  const from = await startNode("from");
  const to = await startNode("to");
  for (const node of [from, to]) {
    await node.installHooks(HOOKS, ["qemu"]);
    await node.startLibvirtd();
  }
  await define(from, "network", DEFAULT_NETWORK);
  await define(to, "network", DEFAULT_NETWORK.replace("<name>default", "<name>lan"));
  await from.mustVirsh(["net-start", "default"]);
  await to.mustVirsh(["net-start", "lan"]);
  const disk = await makeDisk(from, "disks");
  // The same file under another name, as storage that hosts share can be mounted elsewhere.
  const there = `${from.scratch}/mounted-elsewhere.raw`;
  await Deno.link(disk, there);
  await define(from, "qemu", qemuDomain("vm1", { network: "default", disk, vnc: "127.0.0.1" }));
  await from.mustVirsh(["start", "vm1"]);
  const destination = `qemu+unix:///system?socket=${to.path("/run/libvirt/libvirt-sock")}`;
  const live = [
    "migrate",
    "--live",
    "--p2p",
    "--unsafe",
    "vm1",
    destination,
    "--migrateuri",
    `unix://${from.scratch}/m`,
  ];
  const edits = `
  { path = "/domain/devices/disk/source/@file", set = "${there}" },
  { path = "/domain/devices/interface/source[@network='default']/@network", set = "lan" },
  { path = "//graphics/@listen", set = "127.0.0.2" },
  { path = "//graphics/listen/@address", set = "127.0.0.2" },
`;

  await step("what libvirt does not let change fails clearly, and the guest runs on where it is", async () => {
    await to.writeRules(editRule(`{ path = "/domain/memory", set = "65536" },${edits}`));
    const refused = await from.virshFails(live);
    assertMatch(refused.stderr, /Target domain max memory .* does not match source/);
    assertEquals((await from.mustVirsh(["domstate", "vm1"])).trim(), "running");
  });
  await step("what we know that libvirt refuses, our own line says", async () => {
    await to.writeRules(editRule('{ path = "/domain/name", set = "vm2" }'));
    const refused = await from.virsh(live);
    assertStringIncludes(refused.stderr, "virt-hooks: the guest's name must stay");
    assertEquals((await from.mustVirsh(["domstate", "vm1"])).trim(), "running");
  });
  await step("disk, network and VNC address are the destination's, and the guest runs", async () => {
    await to.writeRules(editRule(edits));
    await from.mustVirsh(live);
    const xml = await to.mustVirsh(["dumpxml", "vm1"]);
    assertStringIncludes(xml, `<source file='${there}'`);
    assertStringIncludes(xml, "<source network='lan'");
    assertStringIncludes(xml, "listen='127.0.0.2'");
    assertEquals((await to.mustVirsh(["domstate", "vm1"])).trim(), "running");
    assertEquals((await from.virsh(["domstate", "vm1"])).stdout.trim(), "shut off");
    const change = (await to.history()).findLast((line) => line.operation === "migrate");
    assertStringIncludes(JSON.stringify(change), there);
  });
  await step("the password in those documents is in no history", async () => {
    await assertNoSecret(from);
    await assertNoSecret(to);
  });
});
