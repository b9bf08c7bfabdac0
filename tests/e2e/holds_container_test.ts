/**
 * Containers: one UUID under two drivers, and a reboot, which libvirt goes through in its main loop.
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { define, lxcDomain, makeContainerRoot, qemuDomain } from "./guests.ts";
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
import type { HistoryLine } from "./history.ts";
import { LXC, type Node } from "./node.ts";
import { HOOKS, scene } from "./scene.ts";
import { until } from "./until.ts";

const UUID = "6f1c1b0a-53c5-4f0a-9d55-5cc0f2a6b111";
/** Process 1 of a container that reboots when it is told to; told otherwise it waits, as the others do. */
const REBOOTS = "trap exit TERM; until [ -e /tmp/reboot ]; do sleep 0.05; done; rm /tmp/reboot; busybox reboot -f";
/** What one lxc call may take by default, and what a machine with much to do may add. */
const [BUDGET_MS, LOAD_MS] = [2_000, 1_000];
const REBOOT = ["stopped", "release", "prepare", "start", "started"];
/** What release does where another hook is at a key: it goes on, and the other one looks again. */
const HANDED_OVER = [
  "lxc release: sysctl/kernel/msgmax handed-over",
  "lxc release: sysctl/net/ipv4/ip_default_ttl restored",
];

scene("one UUID under two drivers is two holders", async ({ nodeWith, step }) => {
  const node = await nodeWith("twins", { hooks: ["qemu", "lxc"], rules: holdRule("tuned", ["ttl"]) });
  await define(node, "qemu", qemuDomain("twin", { uuid: UUID }));
  await define(node, "lxc", lxcDomain("twin", await makeContainerRoot(node), { uuid: UUID }));

  for (const [first, second] of [["qemu", "lxc"], ["lxc", "qemu"]] as const) {
    await step(`${first} ends before ${second}`, async () => {
      for (const driver of [first, second]) await node.mustVirsh(["start", "twin"], { uri: `${driver}:///system` });
      assertEquals(Object.keys(await demandFiles(node)).length, 2);
      await destroy(node, first);
      assertEquals(Object.keys(await demandFiles(node)).length, 1);
      await assertHeld(node, "ttl");
      await destroy(node, second);
      await assertNothingHeld(node);
    });
  }
});

async function destroy(node: Node, driver: "qemu" | "lxc"): Promise<void> {
  const seen = (await node.history()).length;
  await node.mustVirsh(["destroy", "twin"], { uri: `${driver}:///system` });
  await until("the release", async () => {
    return (await node.history()).slice(seen).some((line) => line.driver === driver && line.operation === "release");
  });
}

/**
 * Starts the container anew where libvirtd does not hear of it: libvirt 9 can lose its connection to a container at the
 * start, and learns nothing more of it then.
 */
async function makeHeard(node: Node): Promise<void> {
  await until("a container that libvirtd hears", async () => {
    const sockets = (await node.sh(["cat", "/proc/net/unix"])).split("\n");
    // The one it listens on, and libvirtd's.
    if (sockets.filter((line) => line.endsWith("/run/libvirt/lxc/ct1.sock")).length > 1) return true;
    await node.virsh(["destroy", "ct1"], LXC);
    await node.virsh(["start", "ct1"], LXC);
    return false;
  });
}

/** A lock of the ledger as another hook has it. */
interface Busy {
  letGo(): Promise<void>;
}

/** Takes a lock of the ledger as another hook would, until it is told to let go. */
async function takeLock(node: Node, lock: string): Promise<Busy> {
  const taken = "/run/lock-is-taken";
  const go = "/run/let-lock-go";
  await node.sh(["rm", "-f", taken, go]);
  const ended = node.sh(["flock", lock, "sh", "-c", `: >${taken}; until [ -e ${go} ]; do sleep 0.05; done`]);
  await until("the lock", async () => (await node.run(["test", "-e", taken])).code === 0);
  return {
    letGo: async () => {
      await node.sh(["touch", go]);
      await ended;
    },
  };
}

scene("a container reboots while another hook is at what it holds", async ({ startNode, step }) => {
  const node = await startNode("reboot");
  await node.installHooks(HOOKS, ["qemu", "lxc"]);
  await recordHeldAt(node, "lxc");
  await node.startLibvirtd();
  await node.writeRules(holdRule("tuned", ["ttl", "msgmax"]));
  const root = await makeContainerRoot(node);
  await define(node, "lxc", lxcDomain("ct1", root, { init: REBOOTS }));
  await define(node, "qemu", qemuDomain("vm1"));
  await node.lxc(["start", "ct1"]);
  const lock = `${await resourceOf(node, "msgmax")}/lock`;

  /** The lines since the reboot began, once as many have come as a reboot has, and the last of them is an end. */
  async function wholeReboot(seen: number): Promise<readonly HistoryLine[] | undefined> {
    const lines = (await node.history()).slice(seen);
    const last = lines.at(-1)?.operation;
    return lines.length >= REBOOT.length && (last === "started" || last === "release") ? lines : undefined;
  }

  /** Reboots the container, while somebody asks libvirtd all the time; gives its calls. */
  async function reboot(operations: readonly string[]): Promise<readonly HistoryLine[]> {
    const seen = (await node.history()).length;
    await Deno.writeTextFile(`${root}/tmp/reboot`, "");
    let silentMs = 0;
    const lines = await until("the end of the container's reboot", async () => {
      silentMs = Math.max(silentMs, (await node.virsh(["version"])).durationMs);
      return await wholeReboot(seen);
    });
    const told = lines.map(({ message, durationMs }) => `${message} (${durationMs} ms)`).join("\n");
    assertEquals(lines.map((line) => line.operation), operations, told);
    for (const { durationMs } of lines) assert(durationMs < BUDGET_MS + LOAD_MS, told);
    assert(silentMs < operations.length * BUDGET_MS, `libvirtd did not answer for ${silentMs} ms\n${told}`);
    return lines;
  }

  await step("nobody is in its way", async () => {
    await makeHeard(node);
    await reboot(REBOOT);
    assertEquals(await heldAfter(node, "lxc ct1 release"), []);
    await assertHeld(node, "ttl", "msgmax");
  });
  await step("another hook lets go in time", async () => {
    await makeHeard(node);
    const busy = await takeLock(node, lock);
    const seen = (await node.history()).length;
    const isReleased = async (): Promise<boolean> =>
      (await node.history()).slice(seen).some((line) => line.operation === "release");
    const letGo = until("the reboot's release", isReleased).then(() => busy.letGo());
    const lines = await reboot(REBOOT);
    await letGo;
    assertEquals(changesOf(lines.slice(1, 2)), HANDED_OVER);
    assertEquals(await heldAfter(node, "lxc ct1 release"), ["msgmax"]);
    await assertHeld(node, "ttl", "msgmax");
  });
  await step("another hook does not let go: the reboot is refused in time", async () => {
    await makeHeard(node);
    const busy = await takeLock(node, lock);
    const lines = await reboot(["stopped", "release", "prepare", "stopped", "release"]);
    await busy.letGo();
    assertEquals(changesOf(lines.slice(1, 2)), HANDED_OVER);
    assertEquals([lines[2]?.outcome, lines[2]?.exitCode], ["late", 5]);
    assertStringIncludes(
      lines[2]?.message ?? "",
      "timed out waiting for another hook that works on sysctl/kernel/msgmax",
    );
    assertEquals(await demandFiles(node), {});
  });
  await step("the next to come by puts right what was left", async () => {
    await node.mustVirsh(["start", "vm1"]);
    await assertHeld(node, "ttl", "msgmax");
    await node.mustVirsh(["destroy", "vm1"]);
    await assertNothingHeld(node);
  });
});
