/**
 * libvirt's status files have in them what guests' owners wrote: that says nothing of other guests, and hides none.
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { define, lxcDomain, makeContainerRoot, qemuDomain } from "./guests.ts";
import { assertHeld, assertNothingHeld, holdRule } from "./holds.ts";
import type { Node } from "./node.ts";
import { COMMAND, scene } from "./scene.ts";

const GONE_UUID = "6f1c1b0a-53c5-4f0a-9d55-5cc0f2a6b222";
/** libvirt indents what it writes: 1.2 MB become more than a hook would ever read. */
const NESTED = `<a>${`${"<m>".repeat(200)}${"</m>".repeat(200)}`.repeat(830)}</a>`;
const LARGE_BYTES = 17 * 1024 * 1024;

/** Writes metadata as its owner can; it is too long for an argument. */
async function setMetadata(node: Node, guest: string, xml: string): Promise<void> {
  const file = `${node.scratch}/metadata`;
  await Deno.writeTextFile(file, `metadata ${guest} urn:a --key a --live --set '${xml}'\n`);
  await node.sh(["sh", "-c", `virsh -q -c qemu:///system <${file}`]);
}

/** The guest's process is gone, and libvirt's status of it, too: its end is never told. */
async function lose(node: Node, guest: string): Promise<void> {
  await node.killLibvirtd();
  await node.sh(["sh", "-c", `kill -9 $(cat /run/libvirt/qemu/${guest}.pid); rm /run/libvirt/qemu/${guest}.xml`]);
  await node.startLibvirtd();
}

scene("the status file of one guest says nothing of another one", async ({ nodeWith, step }) => {
  const node = await nodeWith("statusfile", { hooks: ["daemon", "qemu"] });
  await node.writeRules(
    holdRule("lives", ["ttl"], { when: 'domain = "lives-*"' }) +
      holdRule("gone", ["msgmax"], { when: 'domain = "gone"' }),
  );
  await define(node, "qemu", qemuDomain("lives-1"));
  await define(node, "qemu", qemuDomain("gone", { uuid: GONE_UUID }));
  for (const guest of ["lives-1", "gone"]) await node.mustVirsh(["start", guest]);
  await assertHeld(node, "ttl", "msgmax");

  await step("a guest of which libvirt has a huge status file lives", async () => {
    await setMetadata(node, "lives-1", NESTED);
    await node.mustVirsh(["desc", "lives-1", "--live", GONE_UUID]);
    const { size } = await Deno.stat(node.path("/run/libvirt/qemu/lives-1.xml"));
    assert(size > LARGE_BYTES, `the status file has only ${size} bytes`);
    const told = await node.run([COMMAND, "status"]);
    assertEquals([told.code, told.stdout.trimEnd().split("\n").at(-1)], [0, "2 resources, 2 holders: all ok"]);
  });
  await step("the daemon's start releases the guest that is gone, and no other", async () => {
    await lose(node, "gone");
    await node.operation("reconnect");
    await assertHeld(node, "ttl");
    assertStringIncludes(await node.sh([COMMAND, "reconcile"]), 'guest "lives-1" (qemu) exists');
  });
  await step("the guest ends", async () => {
    await setMetadata(node, "lives-1", "<m/>");
    await node.mustVirsh(["destroy", "lives-1"]);
    await node.operation("release");
    await assertNothingHeld(node);
  });
});

const TWIN = { uuid: "6f1c1b0a-53c5-4f0a-9d55-5cc0f2a6b333", network: "lab" } as const;
const NETWORK = "<network><name>lab</name><bridge name='lab0'/></network>";

scene("a container ends no port of the QEMU guest that has its UUID", async ({ nodeWith, step }) => {
  const node = await nodeWith("twinports", {
    hooks: ["qemu", "lxc", "network"],
    rules: holdRule("port", ["ttl"], { when: 'network = "lab"', while: "port" }),
  });
  await Deno.writeTextFile(`${node.scratch}/lab.xml`, NETWORK);
  await node.mustVirsh(["net-create", `${node.scratch}/lab.xml`]);
  await define(node, "qemu", qemuDomain("twin", TWIN));
  await node.mustVirsh(["start", "twin"]);
  const root = await makeContainerRoot(node);
  for (const name of ["twin", "other"]) {
    await step(`a container called ${name}`, async () => {
      await define(node, "lxc", lxcDomain(name, root, { uuid: TWIN.uuid }));
      for (const verb of ["start", "destroy", "undefine"]) {
        await node.lxc([verb, name]);
        await assertHeld(node, "ttl");
      }
    });
  }
  await step("the guest's own end", async () => {
    await node.mustVirsh(["destroy", "twin"]);
    await node.operation("release");
    await assertNothingHeld(node);
  });
});
