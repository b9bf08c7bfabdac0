/**
 * What the admin command says beside a real libvirtd, and edited rules that reach a guest which runs.
 * @module
 */
import { assertEquals, assertStringIncludes } from "../support/assert.ts";
import { define, qemuDomain } from "./guests.ts";
import { assertHeld, assertNothingHeld, holdRule } from "./holds.ts";
import { COMMAND, scene } from "./scene.ts";

scene("what is held, looked at and brought to edited rules", async ({ nodeWith, step }) => {
  const node = await nodeWith("reach", { hooks: ["qemu"], rules: holdRule("first", ["ttl", "msgmax"]) });
  await define(node, "qemu", qemuDomain("vm1"));
  await node.mustVirsh(["start", "vm1"]);

  await step("status knows by libvirt's own status file that the guest lives", async () => {
    const report = JSON.parse(await node.sh([COMMAND, "status", "--json"]));
    assertEquals([report.ok, report.resources.length], [true, 2]);
    assertEquals(report.resources[0].holders[0].life, "alive");
  });
  await step("edited rules do not reach a guest that runs, until they are told to", async () => {
    await node.writeRules(holdRule("second", ["ttl", "keepalive"]));
    await assertHeld(node, "ttl", "msgmax");
    const [status, check] = [await node.run([COMMAND, "status"]), await node.run([COMMAND, "check"])];
    assertEquals([status.code, check.code], [1, 0]);
    for (const { stdout } of [status, check, await node.run([COMMAND, "check", "--host"])]) {
      assertStringIncludes(stdout, "1 running guest differs from the rules (vm1)");
    }
    const foretold = await node.run([COMMAND, "reconcile", "--rules", "--dry-run", "--exit-code"]);
    assertEquals(foretold.code, 10);
    assertStringIncludes(foretold.stdout, "sysctl/net/ipv4/tcp_keepalive_time");
    assertStringIncludes(foretold.stdout, "1 running guest would change, 0 would not");
    await assertHeld(node, "ttl", "msgmax");
    await node.sh([COMMAND, "reconcile", "--rules"]);
    await assertHeld(node, "ttl", "keepalive");
    assertEquals((await node.run([COMMAND, "status"])).code, 0);
    assertEquals((await node.run([COMMAND, "reconcile", "--rules", "--dry-run", "--exit-code"])).code, 0);
    const told = await node.sh([COMMAND, "history", "--object", "vm1"]);
    assertStringIncludes(told, "virt-hooks reconcile --rules by ");
  });
  await step("check --host says for one guest what it does not check without", async () => {
    const told = await node.sh([COMMAND, "check", "--host", "--guest", "vm1"]);
    assertStringIncludes(told, 'guest "vm1" (qemu): its document is read from its status');
    assertStringIncludes(told, "is held already");
    const { code, stderr } = await node.run([COMMAND, "check", "--host", "--guest", "nosuch"]);
    assertEquals(code, 1);
    assertStringIncludes(stderr, "libvirt has no document of it");
  });
  await step("rules that cannot be had take nothing from a guest that runs", async () => {
    const missing = '[[rule]]\nname = "missing"\nwhen = { domain = "vm1" }\nsysctl = { "vm.no_such_key" = 1 }\n';
    await node.writeRules(`${holdRule("third", ["keepalive"])}\n${missing}`);
    const { code, stdout } = await node.run([COMMAND, "reconcile", "--rules"]);
    assertStringIncludes(stdout, "FAILED: cannot hold sysctl vm.no_such_key = 1");
    assertEquals(code, 4);
    await assertHeld(node, "ttl", "keepalive");
  });
  await step("a new daemon takes the guest over with all that it holds", async () => {
    await node.stopLibvirtd();
    await node.startLibvirtd();
    await assertHeld(node, "ttl", "keepalive");
  });
  await step("its end gives back what the edited rules gave it", async () => {
    await node.mustVirsh(["destroy", "vm1"]);
    await assertNothingHeld(node);
    assertEquals(await node.sh([COMMAND, "status"]), "Nothing is held\n");
  });
});
