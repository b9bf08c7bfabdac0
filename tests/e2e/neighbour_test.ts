/**
 * Our hook as the drop-in neighbour of a hook that is somebody else's.
 * @module
 */
import { assertEquals, assertStringIncludes } from "../support/assert.ts";
import { define, qemuDomain } from "./guests.ts";
import { expected } from "./history.ts";
import { HOOKS, scene } from "./scene.ts";
import { makeWatch } from "./watch.ts";

const LIFE = ["prepare", "start", "started", "stopped", "release"];

scene("a drop-in beside a stranger's hook", async ({ startNode, step }) => {
  const node = await startNode("neighbour");
  const stranger = (exitCode: number): string =>
    `#!/bin/sh\necho "$1 $2" >>/var/log/stranger\n[ "$2" != prepare ] || exit ${exitCode}\nexit 0\n`;
  await node.writeHook("qemu", stranger(0));
  await node.installHooks(HOOKS, ["qemu"], { as: "qemu.d/50-virt-hooks" });
  await node.startLibvirtd();
  await define(node, "qemu", qemuDomain("vm1"));
  const watch = makeWatch(node);

  await step("both run at every operation", async () => {
    await node.mustVirsh(["start", "vm1"]);
    await node.mustVirsh(["destroy", "vm1"]);
    assertEquals(await watch.news(), expected("qemu", "vm1", LIFE));
    const seen = (await node.sh(["cat", "/var/log/stranger"])).trimEnd().split("\n");
    assertEquals(seen, LIFE.map((operation) => `vm1 ${operation}`));
  });
  await step("the stranger's refusal stands, and ours runs all the same", async () => {
    await node.writeHook("qemu", stranger(9));
    await node.virshFails(["start", "vm1"]);
    assertEquals(await watch.news(), expected("qemu", "vm1", ["prepare", "stopped", "release"]));
    await node.writeHook("qemu", stranger(0));
  });
  await step("our refusal stands beside a stranger that agrees", async () => {
    await node.writeRules('[[rule]]\nname = "closed"\nwhen = { on = "prepare" }\ndeny = "Not today"\n');
    const refused = await node.virshFails(["start", "vm1"]);
    assertStringIncludes(refused.stderr, 'virt-hooks: rule "closed": Not today');
  });
});
