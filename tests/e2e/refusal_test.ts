/**
 * Rules that refuse, programs that hang, rules that are broken: what libvirt's user gets to see, and what lives on.
 * @module
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { define, lxcDomain, makeContainerRoot, qemuDomain } from "./guests.ts";
import { LXC, type Node } from "./node.ts";
import type { Ended } from "./node_handle.ts";
import { type Scene, scene } from "./scene.ts";
import { expected } from "./history.ts";
import { makeWatch, type Watch } from "./watch.ts";

const BROKEN = `[[rule]]
name = "half a rule"
when = { on = "prepare"
deny = "never read"
`;
/** libvirt follows a refused prepare with these two. */
const REFUSED = ["prepare", "stopped", "release"];

interface Stage {
  readonly node: Node;
  readonly watch: Watch;
}

async function setStage(nodeWith: Scene["nodeWith"]): Promise<Stage> {
  const node = await nodeWith("refusal", { hooks: ["qemu", "lxc"] });
  await define(node, "qemu", qemuDomain("vm1"));
  await define(node, "lxc", lxcDomain("ct1", await makeContainerRoot(node)));
  return { node, watch: makeWatch(node) };
}

/** The process that libvirt noted for the guest. */
async function guestProcess(node: Node, driver: "qemu" | "lxc", name: string): Promise<string> {
  const pid = (await node.sh(["cat", `/run/libvirt/${driver}/${name}.pid`])).trim();
  await node.sh(["kill", "-0", pid]);
  return pid;
}

function ourLine(ended: Ended): string {
  const line = ended.stderr.split("\n").find((text) => text.includes("virt-hooks: "));
  assert(line !== undefined, `no line of ours in: ${ended.stderr}`);
  return line.slice(line.indexOf("virt-hooks: "));
}

scene("refusals reach libvirt's user", async ({ nodeWith, step }) => {
  const { node, watch } = await setStage(nodeWith);
  await step("deny at prepare: virsh start prints the rule and its message", async () => {
    await node.writeRules(`[[rule]]
name = "maintenance"
when = { on = "prepare" }
deny = "This host is in maintenance"
`);
    assertEquals(
      ourLine(await node.virshFails(["start", "vm1"])),
      'virt-hooks: rule "maintenance": This host is in maintenance',
    );
    assertEquals(await watch.news(), expected("qemu", "vm1", REFUSED));
    assertEquals((await node.history()).map((line) => line.exitCode), [1, 0, 0]);
    assertEquals(
      ourLine(await node.virshFails(["start", "ct1"], LXC)),
      'virt-hooks: rule "maintenance": This host is in maintenance',
    );
    assertEquals(await watch.news(), expected("lxc", "ct1", REFUSED));
  });
  await step("a program that hangs is cut off with its children, and the start is refused in time", async () => {
    const program = await node.writeProgram(
      "hang",
      `#!/bin/sh
echo $$ >/run/hanging.pids
sleep 86400 &
echo $! >>/run/hanging.pids
wait
`,
    );
    await node.writeRules(`[[rule]]
name = "slow"
when = { on = "prepare", driver = "qemu" }
run = { argv = ["${program}"], timeout = "1s" }
`);
    const refused = await node.virshFails(["start", "vm1"]);
    assertMatch(ourLine(refused), /^virt-hooks: rule "slow": .*hang"? did not end within 1 s and was killed$/);
    assertEquals(await watch.news(), expected("qemu", "vm1", REFUSED));
    const prepare = (await node.history()).at(-3);
    assertEquals(prepare?.exitCode, 5);
    const took = prepare?.durationMs ?? 0;
    assert(took >= 1000 && took < 3000, `the call took ${took} ms of the 1 s that the program may take`);
    const pids = (await node.sh(["cat", "/run/hanging.pids"])).trim().split("\n");
    assertEquals(pids.length, 2);
    for (const pid of pids) assert((await node.run(["kill", "-0", pid])).code !== 0, `process ${pid} lives on`);
  });
  await step("a broken rules file: the start is refused and the place of the mistake is said", async () => {
    await node.writeRules(BROKEN);
    const line = ourLine(await node.virshFails(["start", "vm1"]));
    assertMatch(line, /^virt-hooks: the rules are broken: \/etc\/virt-hooks\/rules\.toml:[34]:\d+: /);
    assertEquals(await watch.news(), expected("qemu", "vm1", REFUSED));
    assertEquals((await node.history()).at(-3)?.exitCode, 3);
  });
  await step("the file disabled lets everything through, and the history says so", async () => {
    await Deno.writeTextFile(node.path("/etc/virt-hooks/disabled"), "");
    await node.mustVirsh(["start", "vm1"]);
    await node.mustVirsh(["destroy", "vm1"]);
    await Deno.remove(node.path("/etc/virt-hooks/disabled"));
    const life = ["prepare", "start", "started", "stopped", "release"];
    assertEquals(await watch.news(), expected("qemu", "vm1", life));
    for (const line of (await node.history()).slice(-life.length)) {
      assertEquals(line.exitCode, 0);
      assertEquals(line.outcome, "disabled");
    }
  });
});

scene("a broken rules file harms nothing that runs", async ({ nodeWith, step }) => {
  const { node, watch } = await setStage(nodeWith);
  await node.mustVirsh(["start", "vm1"]);
  await node.lxc(["start", "ct1"]);
  const before = { vm1: await guestProcess(node, "qemu", "vm1"), ct1: await guestProcess(node, "lxc", "ct1") };
  await watch.news();
  await node.writeRules(BROKEN);

  await step("libvirtd restarts, and both guests live on", async () => {
    await node.stopLibvirtd();
    await node.startLibvirtd();
    await watch.newsUntil("the QEMU guest's reconnect", "reconnect");
    const reconnects = async (): Promise<string[]> =>
      (await node.history()).filter((line) => line.operation === "reconnect").map((line) => line.driver).sort();
    if ((await reconnects()).length < 2) await watch.newsUntil("the second reconnect", "reconnect");
    assertEquals(await reconnects(), ["lxc", "qemu"]);
    assertEquals((await node.mustVirsh(["domstate", "vm1"])).trim(), "running");
    assertEquals((await node.lxc(["domstate", "ct1"])).trim(), "running");
    assertEquals(await guestProcess(node, "qemu", "vm1"), before.vm1);
    assertEquals(await guestProcess(node, "lxc", "ct1"), before.ct1);
  });
  await step("the reconnects say what is broken, and exit 0", async () => {
    const lines = (await node.history()).filter((line) => line.operation === "reconnect");
    assertEquals(lines.map((line) => line.exitCode), [0, 0]);
    assertEquals(lines.map((line) => line.outcome), ["bad-rules", "bad-rules"]);
    assertEquals(lines.map((line) => line.level), ["ERROR", "ERROR"]);
    for (const line of lines) assertStringIncludes(line.message, "/etc/virt-hooks/rules.toml:");
  });
  await step("both guests can be ended, and no new one starts", async () => {
    await node.mustVirsh(["destroy", "vm1"]);
    await node.lxc(["destroy", "ct1"]);
    assertStringIncludes(ourLine(await node.virshFails(["start", "ct1"], LXC)), "/etc/virt-hooks/rules.toml");
  });
});
