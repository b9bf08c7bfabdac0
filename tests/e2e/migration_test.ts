/**
 * A QEMU guest that moves between two hosts.
 * @module
 */
import { assertEquals, assertStringIncludes } from "../support/assert.ts";
import { define, qemuDomain } from "./guests.ts";
import { expected } from "./history.ts";
import { HOOKS, scene } from "./scene.ts";
import { makeWatch } from "./watch.ts";

function qemu(...operations: string[]): readonly string[] {
  return expected("qemu", "vm1", operations);
}

scene("a migration: both hosts' hooks see their side of it", async ({ startNode, step }) => {
  const from = await startNode("from");
  const to = await startNode("to");
  for (const node of [from, to]) {
    await node.installHooks(HOOKS, ["qemu"]);
    await node.startLibvirtd();
  }
  await define(from, "qemu", qemuDomain("vm1"));
  const destination = `qemu+unix:///system?socket=${to.path("/run/libvirt/libvirt-sock")}`;
  const live = ["migrate", "--live", "--p2p", "vm1", destination, "--migrateuri", `unix://${from.scratch}/migration`];
  const seen = { from: makeWatch(from), to: makeWatch(to) };

  await step("offline: the destination is asked with migrate alone", async () => {
    await from.mustVirsh(["migrate", "--offline", "--persistent", "--p2p", "vm1", destination]);
    assertEquals(await seen.to.news(), qemu("migrate"));
    assertEquals(await seen.from.news(), []);
    await to.mustVirsh(["undefine", "vm1"]);
  });
  await step("live, refused by the destination: the guest runs on where it is", async () => {
    await to.writeRules(`[[rule]]
name = "full house"
when = { on = "migrate", domain = "vm*" }
deny = "This host takes no more guests"
`);
    await from.mustVirsh(["start", "vm1"]);
    await seen.from.news();
    const refused = await from.virshFails(live);
    assertStringIncludes(refused.stderr, 'virt-hooks: rule "full house": This host takes no more guests');
    assertEquals(await seen.to.news(), qemu("migrate"));
    assertEquals(await seen.from.news(), []);
    assertEquals((await from.mustVirsh(["domstate", "vm1"])).trim(), "running");
  });
  await step("live: the guest is on the other host", async () => {
    await to.writeRules("");
    await from.mustVirsh(live);
    assertEquals(await seen.to.news(), qemu("migrate", "prepare", "start", "started"));
    assertEquals(await seen.from.newsUntil("the end on the source", "release"), qemu("stopped", "release"));
    assertEquals((await to.mustVirsh(["domstate", "vm1"])).trim(), "running");
  });
});
