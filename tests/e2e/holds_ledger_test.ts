/**
 * A ledger that is not what it should be: of another boot, or with something in it that would hang whoever opens it.
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { define, qemuDomain } from "./guests.ts";
import { assertHeld, assertNothingHeld, demandFiles, holdRule, LEDGER, resourceOf } from "./holds.ts";
import { HELD_KEYS, type HeldKey } from "./held_keys.ts";
import type { HistoryLine } from "./history.ts";
import type { Node } from "./node.ts";
import { type Scene, scene } from "./scene.ts";

/** No call here waits for anybody. */
const CALL_MS_MAX = 5_000;

async function setStage(nodeWith: Scene["nodeWith"], name: string): Promise<Node> {
  const node = await nodeWith(name, {
    hooks: ["daemon", "qemu"],
    rules: holdRule("tuned", ["ttl", "keepalive", "msgmax"]),
  });
  await define(node, "qemu", qemuDomain("vm1"));
  return node;
}

/** What an administrator does about a value that nobody will put back. */
async function putBack(node: Node, key: HeldKey): Promise<void> {
  await node.sh(["sh", "-c", `echo ${HELD_KEYS[key].original} >${HELD_KEYS[key].path}`]);
}

/** Plays something, and gives the lines it left in the history. */
async function linesOf(node: Node, play: () => Promise<unknown>): Promise<readonly HistoryLine[]> {
  const seen = (await node.history()).length;
  await play();
  const lines = (await node.history()).slice(seen);
  for (const { operation, durationMs } of lines) {
    assert(durationMs < CALL_MS_MAX, `${operation} took ${durationMs} ms`);
  }
  return lines;
}

function told(lines: readonly HistoryLine[]): string {
  return lines.map(({ message, notes = [], holds = [] }) => JSON.stringify({ message, notes, holds })).join("\n");
}

scene("a ledger of another boot", async ({ nodeWith, step }) => {
  const node = await setStage(nodeWith, "boot");
  const otherBoot = () => Deno.writeTextFile(node.path(`${LEDGER}/boot`), `${crypto.randomUUID()}\n`);

  await step("with nothing in it, it is set aside, and the next start holds", async () => {
    await node.mustVirsh(["start", "vm1"]);
    await node.mustVirsh(["destroy", "vm1"]);
    await otherBoot();
    const lines = await linesOf(node, () => node.mustVirsh(["start", "vm1"]));
    assertStringIncludes(told(lines), "the ledger was of another boot");
    await assertHeld(node, "ttl", "keepalive", "msgmax");
  });
  await step("what stands in it is not read: nothing is undone that this boot has never done", async () => {
    await otherBoot();
    const lines = await linesOf(node, () => node.mustVirsh(["destroy", "vm1"]));
    assertEquals(lines.map((line) => [line.operation, line.outcome]), [["stopped", "done"], ["release", "done"]]);
    assertEquals(lines.map(({ notes = [] }) => notes.length), [1, 0]);
    assertStringIncludes(told(lines), "the ledger was of another boot");
    await assertHeld(node, "ttl", "keepalive", "msgmax");
  });
  await step("the next guest starts, and gives back what it found", async () => {
    for (const key of ["ttl", "keepalive", "msgmax"] as const) await putBack(node, key);
    await node.mustVirsh(["start", "vm1"]);
    await assertHeld(node, "ttl", "keepalive", "msgmax");
    await node.mustVirsh(["destroy", "vm1"]);
    await assertNothingHeld(node);
  });
});

scene("a FIFO in the ledger hangs nobody, and the rest is given back", async ({ nodeWith, step }) => {
  const node = await setStage(nodeWith, "fifo");
  await node.mustVirsh(["start", "vm1"]);
  const folder = await resourceOf(node, "keepalive");
  await node.mustVirsh(["destroy", "vm1"]);

  async function demandOf(): Promise<string> {
    const [path] = Object.keys(await demandFiles(node)).filter((name) => name.includes(folder.slice(-32)));
    return `${folder}/demands/${path?.slice(path.lastIndexOf("/") + 1)}`;
  }

  /** Ends the guest where something in its ledger is a FIFO. */
  async function endBeside(fifo: string): Promise<void> {
    await node.sh(["rm", fifo]);
    await node.sh(["mkfifo", fifo]);
    const lines = await linesOf(node, () => node.mustVirsh(["destroy", "vm1"]));
    assertEquals(lines.map((line) => `${line.operation} ${line.exitCode}`), ["stopped 0", "release 0"]);
    assertStringIncludes(told(lines), fifo);
  }

  await step("in the place of a state: what it was before is lost, and said", async () => {
    await node.mustVirsh(["start", "vm1"]);
    await endBeside(`${folder}/state.json`);
    await assertHeld(node, "keepalive");
    await putBack(node, "keepalive");
    await assertNothingHeld(node);
  });
  await step("in the place of a demand", async () => {
    await node.mustVirsh(["start", "vm1"]);
    await endBeside(await demandOf());
    await assertNothingHeld(node);
  });
  await step("in the place of a lock", async () => {
    await node.mustVirsh(["start", "vm1"]);
    await endBeside(`${folder}/lock`);
    await assertNothingHeld(node);
  });
  await step("in the place of the boot's name: it is of this boot", async () => {
    await node.mustVirsh(["start", "vm1"]);
    await endBeside(`${LEDGER}/boot`);
    await assertNothingHeld(node);
  });
  await step("a start that cannot know who holds is refused, and holds nothing", async () => {
    await node.sh(["rm", "-rf", folder]);
    await node.sh(["mkdir", folder]);
    await node.sh(["mkfifo", `${folder}/demands`]);
    const lines = await linesOf(node, async () => {
      const refused = await node.virshFails(["start", "vm1"]);
      assertStringIncludes(refused.stderr, `virt-hooks: rule "tuned"`);
      assertStringIncludes(refused.stderr, `${folder}/demands`);
    });
    assertEquals(lines.map((line) => line.outcome), ["failed", "done", "done"]);
    await node.sh(["rm", `${folder}/demands`]);
    await assertNothingHeld(node);
  });
});
