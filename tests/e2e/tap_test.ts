/**
 * What a program sets on a guest's tap: the tap is there once the guest runs, and gone before libvirt says that it stopped.
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { DEFAULT_NETWORK, define, qemuDomain } from "./guests.ts";
import { ledgerFiles } from "./holds.ts";
import { HOOKS, scene } from "./scene.ts";

const TAP = "${xml:/domain/devices/interface[1]/target/@dev}";
const FLOOD_OFF = `argv = ["/sbin/bridge", "link", "set", "dev", "${TAP}", "flood", "off"]`;
const QDISC = `argv = ["/sbin/tc", "qdisc", "replace", "dev", "${TAP}", "root", "pfifo", "limit", "77"]`;

function rule(name: string, run: string): string {
  return `[[rule]]\nname = "${name}"\nwhen = { driver = "qemu", domain = "vm1" }\nrun = { ${run}, during = "running" }\n`;
}

scene("what a program sets on a guest's tap", async ({ startNode, step }) => {
  const node = await startNode("tap");
  await node.installHooks(HOOKS, ["daemon", "qemu", "network"]);
  await node.startLibvirtd();
  await define(node, "network", DEFAULT_NETWORK);
  await define(node, "qemu", qemuDomain("vm1", { network: "default" }));
  await node.mustVirsh(["net-start", "default"]);

  await step("it is set while the guest runs, and needs no undo", async () => {
    await node.writeRules(rule("no flooding", FLOOD_OFF) + rule("queue", QDISC));
    for (let start = 0; start < 2; start++) {
      await node.mustVirsh(["start", "vm1"]);
      assertStringIncludes(await node.sh(["bridge", "-d", "link", "show", "dev", "vnet" + start]), "flood off");
      assertStringIncludes(await node.sh(["tc", "qdisc", "show", "dev", "vnet" + start]), "limit 77p");
      await node.mustVirsh(["destroy", "vm1"]);
      assertEquals(Object.keys(await ledgerFiles(node)), []);
    }
  });
  await step("with an undo that cannot find the tap any more, the next start is refused at prepare", async () => {
    const undo = `undo = ["/sbin/tc", "qdisc", "del", "dev", "${TAP}", "root"]`;
    await node.writeRules(rule("queue", `${QDISC}, ${undo}`));
    await node.mustVirsh(["start", "vm1"]);
    await node.mustVirsh(["destroy", "vm1"]);
    const refused = await node.virsh(["start", "vm1"]);
    assert(refused.code !== 0, "the start is refused");
    assertStringIncludes(refused.stderr, "what an earlier start did cannot be undone");
    assertEquals(Object.keys(await ledgerFiles(node)).length, 1);
  });
});
