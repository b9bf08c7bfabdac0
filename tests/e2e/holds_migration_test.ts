/**
 * A guest that moves to another host takes its demands along: the one holds from then on, the other gives back.
 * @module
 */
import { assertEquals, assertStringIncludes } from "../support/assert.ts";
import { define, qemuDomain } from "./guests.ts";
import { assertHeld, assertNothingHeld, heldAfter, holdRule, recordHeldAt } from "./holds.ts";
import { HOOKS, scene } from "./scene.ts";

scene("a guest that migrates", async ({ startNode, step }) => {
  const from = await startNode("from");
  const to = await startNode("to");
  for (const node of [from, to]) {
    await node.installHooks(HOOKS, ["qemu"]);
    await recordHeldAt(node, "qemu");
    await node.startLibvirtd();
  }
  await from.writeRules(holdRule("tuned", ["ttl"]));
  await define(from, "qemu", qemuDomain("vm1"));
  const destination = `qemu+unix:///system?socket=${to.path("/run/libvirt/libvirt-sock")}`;
  const live = ["migrate", "--live", "--p2p", "vm1", destination, "--migrateuri", `unix://${from.scratch}/migration`];

  await step("a destination that cannot have what the guest needs refuses it, and holds nothing", async () => {
    await to.writeRules(holdRule("tuned", ["msgmax", "ttl"], { values: { ttl: "999" } }));
    await from.mustVirsh(["start", "vm1"]);
    const refused = await from.virshFails(live);
    assertStringIncludes(refused.stderr, "cannot hold sysctl net.ipv4.ip_default_ttl = 999");
    await assertNothingHeld(to);
    await assertHeld(from, "ttl");
    assertEquals((await from.mustVirsh(["domstate", "vm1"])).trim(), "running");
  });
  await step("the destination holds what its own rules say, the source nothing more", async () => {
    await to.writeRules(holdRule("tuned over here", ["msgmax"]));
    await from.mustVirsh(live);
    assertEquals(await heldAfter(to, "qemu vm1 prepare"), ["msgmax"]);
    await assertHeld(to, "msgmax");
    await from.operation("release");
    await assertNothingHeld(from);
    assertEquals((await to.mustVirsh(["domstate", "vm1"])).trim(), "running");
  });
  await step("until it ends there", async () => {
    await to.killLibvirtd();
    await to.startLibvirtd();
    await to.operation("reconnect");
    await assertHeld(to, "msgmax");
    await to.mustVirsh(["destroy", "vm1"]);
    await assertNothingHeld(to);
  });
});
