/**
 * What a network or one of its ports needs of the host: as long as libvirt has it, and no longer.
 * @module
 */
import { assertEquals } from "../support/assert.ts";
import { DEFAULT_NETWORK, define, qemuDomain } from "./guests.ts";
import { assertHeld, assertNothingHeld, changesOf, heldAfter, holdRule, recordHeldAt } from "./holds.ts";
import type { Node } from "./node.ts";
import { HOOKS, type Scene, scene } from "./scene.ts";

const WHEN = { when: 'network = "default"' };
/** A network holds the ttl, each of its ports the keepalive. */
const RULES = [
  holdRule("the network", ["ttl"], { ...WHEN, while: "network" }),
  holdRule("its ports", ["keepalive"], { ...WHEN, while: "port" }),
].join("\n");

async function setStage(startNode: Scene["startNode"], name: string): Promise<Node> {
  const node = await startNode(name);
  await node.installHooks(HOOKS, ["daemon", "qemu", "network"]);
  await recordHeldAt(node, "network");
  await recordHeldAt(node, "qemu", '[ "$2" != start ] || until [ ! -e /run/wait-at-start ]; do sleep 0.05; done');
  await node.startLibvirtd();
  await node.writeRules(RULES);
  await define(node, "network", DEFAULT_NETWORK);
  for (const guest of ["vm1", "vm2"]) await define(node, "qemu", qemuDomain(guest, { network: "default" }));
  return node;
}

async function killGuest(node: Node, guest: string): Promise<void> {
  await node.sh(["sh", "-c", `kill -9 $(cat /run/libvirt/qemu/${guest}.pid)`]);
}

async function untilLast(node: Node, operation: string): Promise<void> {
  await node.operation(operation);
}

scene("held while the network lives, and while its ports do", async ({ startNode, step }) => {
  const node = await setStage(startNode, "network");

  await step("from net-start to net-destroy", async () => {
    await node.mustVirsh(["net-start", "default"]);
    assertEquals(await heldAfter(node, "network default start"), []);
    assertEquals(await heldAfter(node, "network default started"), ["ttl"]);
    await node.stopLibvirtd();
    await node.startLibvirtd();
    await assertHeld(node, "ttl");
    await node.killLibvirtd();
    await node.sh(["sh", "-c", "echo 55 >/proc/sys/net/ipv4/ip_default_ttl"]);
    await node.startLibvirtd();
    await assertHeld(node, "ttl");
    await node.mustVirsh(["net-destroy", "default"]);
    await assertNothingHeld(node);
  });
  await step("from port-created to port-deleted, counted", async () => {
    await node.mustVirsh(["net-start", "default"]);
    await node.mustVirsh(["start", "vm1"]);
    assertEquals(await heldAfter(node, "network default port-created"), ["ttl", "keepalive"]);
    await node.mustVirsh(["start", "vm2"]);
    await node.mustVirsh(["destroy", "vm1"]);
    await assertHeld(node, "ttl", "keepalive");
    await node.mustVirsh(["destroy", "vm2"]);
    assertEquals(await heldAfter(node, "network default port-deleted"), ["ttl"]);
    await assertHeld(node, "ttl");
  });
  await step("net-destroy ends the ports too, though libvirt never says so", async () => {
    await node.mustVirsh(["start", "vm1"]);
    await assertHeld(node, "ttl", "keepalive");
    await node.mustVirsh(["net-destroy", "default"]);
    await assertNothingHeld(node);
    const seen = (await node.history()).length;
    await node.mustVirsh(["destroy", "vm1"]);
    await assertNothingHeld(node);
    const after = (await node.history()).slice(seen);
    assertEquals(after.map((line) => `${line.operation} ${line.exitCode}`), ["stopped 0", "release 0"]);
    assertEquals(changesOf(after), []);
  });
  await step("a port that libvirt takes up again holds again", async () => {
    await node.mustVirsh(["net-start", "default"]);
    await node.mustVirsh(["start", "vm1"]);
    await node.mustVirsh(["net-destroy", "default"]);
    await node.mustVirsh(["net-start", "default"]);
    await assertHeld(node, "ttl");
    await node.stopLibvirtd();
    await node.startLibvirtd();
    await untilLast(node, "reconnect");
    await assertHeld(node, "ttl", "keepalive");
    await node.mustVirsh(["destroy", "vm1"]);
    await assertHeld(node, "ttl");
    await node.mustVirsh(["net-destroy", "default"]);
    await assertNothingHeld(node);
  });
});

scene("a port whose guest is gone", async ({ startNode, step }) => {
  const node = await setStage(startNode, "port");
  await node.mustVirsh(["net-start", "default"]);

  await step("its guest died while libvirtd was down: held until libvirt tells its end", async () => {
    await node.mustVirsh(["start", "vm1"]);
    await node.killLibvirtd();
    await killGuest(node, "vm1");
    await node.startLibvirtd();
    await untilLast(node, "release");
    await assertHeld(node, "ttl");
  });
  await step("its guest was lost while it started: libvirt announces it for ever, and nothing is held", async () => {
    await node.sh(["touch", "/run/wait-at-start"]);
    const start = node.virsh(["start", "vm2"]);
    await node.operation("start");
    await assertHeld(node, "ttl", "keepalive");
    await node.killLibvirtd();
    await start;
    await node.sh(["rm", "/run/wait-at-start"]);
    await node.startLibvirtd();
    const announced = (await node.history()).at(-1);
    assertEquals([announced?.operation, announced?.exitCode], ["port-created", 0]);
    assertEquals(announced?.notes, ["libvirt announces a port whose guest is gone: nothing is held for it"]);
    assertEquals((await node.mustVirsh(["net-port-list", "default"])).trim().length, 36, "libvirt knows one port");
    await assertHeld(node, "ttl");
  });
  await step("beside it, the ports of the living hold", async () => {
    for (const guest of ["vm1", "vm2"]) await node.mustVirsh(["start", guest]);
    await node.mustVirsh(["destroy", "vm2"]);
    await node.killLibvirtd();
    await node.startLibvirtd();
    await untilLast(node, "reconnect");
    await assertHeld(node, "ttl", "keepalive");
    await node.mustVirsh(["destroy", "vm1"]);
    await assertHeld(node, "ttl");
  });
  await step("net-destroy ends it all", async () => {
    await node.mustVirsh(["net-destroy", "default"]);
    await assertNothingHeld(node);
  });
});
