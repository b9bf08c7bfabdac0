/**
 * libvirtd dies at every bad moment: what a living guest holds stays, and what nobody lives for is given back.
 * @module
 */
import { assert, assertEquals } from "../support/assert.ts";
import { define, qemuDomain } from "./guests.ts";
import {
  assertHeld,
  assertNothingHeld,
  changesOf,
  demandFiles,
  heldAfter,
  holdRule,
  recordHeldAt,
  resourceOf,
} from "./holds.ts";
import type { Node } from "./node.ts";
import { readText } from "./node_handle.ts";
import { HOOKS, type Scene, scene } from "./scene.ts";
import { until } from "./until.ts";

const GO = "/run/go";
const WAITING = "/run/waiting";
/** A script that says that it is there and then waits to be let go, as long as a test may take. */
const WAIT = `: >${WAITING}; n=0; until [ -e ${GO} ] || [ $n -gt 600 ]; do sleep 0.05; n=$((n + 1)); done`;

async function setStage(startNode: Scene["startNode"], name: string): Promise<Node> {
  const node = await startNode(name);
  await node.installHooks(HOOKS, ["daemon", "qemu"]);
  await recordHeldAt(node, "qemu", `[ "$2" != start ] || [ ! -e /run/wait-at-start ] || { ${WAIT}; }`);
  await node.startLibvirtd();
  await define(node, "qemu", qemuDomain("vm1"));
  return node;
}

async function isWaiting(node: Node): Promise<boolean> {
  return (await node.run(["test", "-e", WAITING])).code === 0;
}

async function forgetWaiting(node: Node): Promise<void> {
  await node.sh(["rm", "-f", GO, WAITING]);
}

/** Starts the guest, and kills libvirtd at the moment that is waited for; gives the length of the history before. */
async function crash(node: Node, isMoment: () => Promise<boolean>): Promise<number> {
  const before = (await node.history()).length;
  const start = node.virsh(["start", "vm1"]);
  await until("the moment to kill libvirtd", isMoment);
  await node.killLibvirtd();
  assert((await start).code !== 0, "virsh did not notice that libvirtd was gone");
  return before;
}

/** Waits for the line of the hook that outlived its libvirtd. */
async function letOrphanGo(node: Node, before: number): Promise<void> {
  await node.sh(["touch", GO]);
  const line = await until("the orphan's line", async () => {
    return (await node.history()).slice(before).find(({ operation }) => operation === "prepare");
  });
  assert(line.exitCode !== 0, `the orphan said that all went well: ${line.message}`);
}

/** A guest that was lost is started again: what is left of the first time would show now, or at its end. */
async function assertNextLifeIsWhole(node: Node): Promise<void> {
  await node.mustVirsh(["start", "vm1"]);
  await assertHeld(node, "ttl", "msgmax");
  await node.mustVirsh(["destroy", "vm1"]);
  await assertNothingHeld(node);
}

scene("libvirtd dies, and the guest lives or dies on", async ({ startNode, step }) => {
  const node = await setStage(startNode, "crash");
  await node.writeRules(holdRule("tuned", ["ttl", "msgmax"]));

  await step("a guest that lives keeps every hold, at every moment", async () => {
    await node.mustVirsh(["start", "vm1"]);
    const before = await demandFiles(node);
    assertEquals(Object.keys(before).length, 2);
    await node.killLibvirtd();
    await assertHeld(node, "ttl", "msgmax");
    const seen = (await node.history()).length;
    await node.startLibvirtd();
    await node.operation("reconnect");
    assertEquals(await heldAfter(node, "qemu vm1 reconnect"), ["ttl", "msgmax"]);
    assertEquals(changesOf((await node.history()).slice(seen)), []);
    assertEquals(await demandFiles(node), before);
  });
  await step("what somebody changed meanwhile is brought back at reconnect", async () => {
    await node.killLibvirtd();
    await node.sh(["sh", "-c", "echo 55 >/proc/sys/net/ipv4/ip_default_ttl"]);
    await node.startLibvirtd();
    await node.operation("reconnect");
    await assertHeld(node, "ttl", "msgmax");
  });
  await step("a guest that died meanwhile is released when libvirtd comes back", async () => {
    await node.killLibvirtd();
    await node.sh(["sh", "-c", "kill -9 $(cat /run/libvirt/qemu/vm1.pid)"]);
    await assertHeld(node, "ttl", "msgmax");
    await node.startLibvirtd();
    await node.operation("release");
    await assertNothingHeld(node);
  });
  await step("a guest lost between prepare and started, of which libvirt says nothing any more", async () => {
    await node.sh(["touch", "/run/wait-at-start"]);
    const seen = (await node.history()).length;
    await forgetWaiting(node);
    await crash(node, () => isWaiting(node));
    await node.startLibvirtd();
    assertEquals(await heldAfter(node, "qemu vm1 prepare"), ["ttl", "msgmax"]);
    await assertNothingHeld(node);
    const lines = (await node.history()).slice(seen);
    assertEquals(lines.map(({ driver, operation }) => `${driver} ${operation}`), [
      "qemu prepare",
      "qemu start",
      "daemon start",
    ]);
    assertEquals(changesOf(lines.slice(2)), [
      "daemon start: sysctl/kernel/msgmax restored",
      "daemon start: sysctl/net/ipv4/ip_default_ttl restored",
    ]);
    await node.sh(["sh", "-c", `touch ${GO}; rm /run/wait-at-start`]);
    await assertNextLifeIsWhole(node);
  });
});

scene("a hook that outlives its libvirtd acquires nothing", async ({ startNode, step }) => {
  const node = await setStage(startNode, "orphan");

  await step("it was about to", async () => {
    const program = await node.writeProgram("wait", `#!/bin/sh\n${WAIT}\n`);
    await node.writeRules(`[[rule]]
name = "waits"
when = { on = "prepare" }
run = { argv = ["${program}"], timeout = "40s" }

${holdRule("tuned", ["ttl", "msgmax"])}`);
    await forgetWaiting(node);
    const before = await crash(node, () => isWaiting(node));
    await node.startLibvirtd();
    assertEquals((await node.history()).at(-1)?.operation, "start", "the new daemon's start did not come meanwhile");
    await assertNothingHeld(node);
    await letOrphanGo(node, before);
    await assertNothingHeld(node);
    await node.writeRules(holdRule("tuned", ["ttl", "msgmax"]));
    await assertNextLifeIsWhole(node);
  });
  await step("it had the first, and waited for the last", async () => {
    const lock = `${await resourceOf(node, "msgmax")}/lock`;
    await forgetWaiting(node);
    const busy = node.sh(["flock", lock, "sh", "-c", WAIT]);
    await until("the lock", () => isWaiting(node));
    const state = node.path(`${await resourceOf(node, "ttl")}/state.json`);
    // As it is noted once the first was had.
    const before = await crash(node, async () => /"written":"77"/.test(await readText(state)));
    await letOrphanGo(node, before);
    await busy;
    await assertNothingHeld(node);
    await node.startLibvirtd();
    await assertNextLifeIsWhole(node);
  });
  await step("it had not even begun", async () => {
    await node.installHooks(HOOKS, ["qemu"], { as: "late" });
    await node.writeHook("qemu", `#!/bin/sh\n[ "$2" != prepare ] || { ${WAIT}; }\nexec /etc/libvirt/hooks/late "$@"\n`);
    await forgetWaiting(node);
    const before = await crash(node, () => isWaiting(node));
    await node.startLibvirtd();
    await letOrphanGo(node, before);
    await assertNothingHeld(node);
    await assertNextLifeIsWhole(node);
  });
});
