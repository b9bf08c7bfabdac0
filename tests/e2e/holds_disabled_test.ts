/**
 * An administrator turns the hooks off and on again: what ended meanwhile is given back then, what lives keeps its own.
 * @module
 */
import { assertEquals, assertStringIncludes } from "../support/assert.ts";
import { define, qemuDomain } from "./guests.ts";
import { assertHeld, assertNothingHeld, demandFiles, holdRule } from "./holds.ts";
import { COMMAND, scene } from "./scene.ts";

scene("hooks that are off while a guest ends", async ({ nodeWith, step }) => {
  const node = await nodeWith("disabled", { hooks: ["qemu"] });
  await node.writeRules([
    holdRule("all", ["ttl"]),
    holdRule("the first", ["msgmax"], { when: 'domain = "vm1"' }),
  ].join("\n"));
  for (const guest of ["vm1", "vm2", "vm3"]) await define(node, "qemu", qemuDomain(guest));
  for (const guest of ["vm1", "vm2"]) await node.mustVirsh(["start", guest]);
  await assertHeld(node, "ttl", "msgmax");

  await step("off, nothing is given back, and nothing acquired", async () => {
    await node.sh([COMMAND, "disable"]);
    const seen = (await node.history()).length;
    await node.mustVirsh(["destroy", "vm1"]);
    await node.mustVirsh(["start", "vm3"]);
    const outcomes = (await node.history()).slice(seen).map((line) => line.outcome);
    assertEquals([...new Set(outcomes)], ["disabled"]);
    await assertHeld(node, "ttl", "msgmax");
    assertEquals(Object.keys(await demandFiles(node)).length, 3);
  });
  await step("every command says so", async () => {
    const [status, json] = [await node.run([COMMAND, "status"]), await node.run([COMMAND, "status", "--json"])];
    const checkHost = await node.run([COMMAND, "check", "--host"]);
    assertEquals([status.code, json.code, checkHost.code], [1, 1, 1]);
    const { ok, disabled } = JSON.parse(json.stdout);
    assertEquals([ok, disabled], [false, true]);
    for (const { stdout } of [status, checkHost, await node.run([COMMAND, "check"])]) {
      assertStringIncludes(stdout, "hooks are disabled by /etc/virt-hooks/disabled");
    }
  });
  await step("on again, what ended is given back, and what lives keeps its own", async () => {
    const said = await node.sh([COMMAND, "enable"]);
    assertStringIncludes(said, "vm1");
    await assertHeld(node, "ttl");
    assertEquals(Object.keys(await demandFiles(node)).length, 1);
    assertStringIncludes(await node.sh([COMMAND, "history", "--object", "vm1"]), "virt-hooks enable by ");
  });
  await step("the guest that started meanwhile is known to lack what the rules ask for", async () => {
    const { code, stdout } = await node.run([COMMAND, "status"]);
    assertEquals(code, 1);
    assertStringIncludes(stdout, "1 running guest differs from the rules (vm3)");
  });
  await step("the hooks go on where they were", async () => {
    await node.mustVirsh(["destroy", "vm3"]);
    await assertHeld(node, "ttl");
    await node.mustVirsh(["destroy", "vm2"]);
    await assertNothingHeld(node);
  });
});
