import { type HistoryEntry, historyEntry, historyLine } from "../../lib/app/history.ts";
import { drivers } from "../../lib/libvirt/drivers.ts";
import { parseInvocation } from "../../lib/libvirt/invocation.ts";
import { memorySys } from "../../lib/sys/memory_sys.ts";
import { assert, assertEquals } from "../support/assert.ts";

const LINE_BYTES_MAX = 65_536;

function entryOf(words: readonly string[]): HistoryEntry {
  const invocation = parseInvocation(drivers.qemu, words);
  return historyEntry(invocation, { kind: "done", weight: "noted", matches: [], steps: [] }, 0, memorySys());
}

// Characters that JSON writes with one, three and six bytes.
for (const character of ["n", "名", "\x01"]) {
  Deno.test(`historyLine() always has a line: names of ${JSON.stringify(character)}`, () => {
    const long = character.repeat(70_000);
    for (const words of [[long, "prepare", "begin", "-"], [long, long, long, long]]) {
      const line = historyLine(entryOf(words));
      assert(new TextEncoder().encode(line).length <= LINE_BYTES_MAX);
      const { object, message, shortened } = JSON.parse(line);
      assertEquals([object, shortened], [`${character.repeat(200)}…`, true]);
      assertEquals(message.endsWith(": done"), true);
    }
  });
}

Deno.test("historyLine() leaves a short entry as it is", () => {
  const entry = entryOf(["web-1", "prepare", "begin", "-"]);
  assertEquals(historyLine(entry), JSON.stringify(entry));
  assertEquals(entry.message, "qemu web-1 prepare: done");
});

Deno.test("historyLine() drops outputs first, then actions and rules", () => {
  const entry = entryOf(["web-1", "prepare", "begin", "-"]);
  const action = { rule: "r", action: "run", plan: "run /x", end: "done", durationMs: 1 } as const;
  const rules = [{ name: "r", because: ["b"] }];
  const chatty = {
    ...entry,
    rules,
    actions: Array.from({ length: 20 }, () => ({ ...action, stdout: "o".repeat(4000) })),
  };
  const quiet = JSON.parse(historyLine(chatty));
  assertEquals([quiet.actions.length, quiet.actions[0], quiet.rules, quiet.shortened], [20, action, rules, true]);
  const many = { ...entry, rules, actions: Array.from({ length: 2000 }, () => action) };
  const bare = JSON.parse(historyLine(many));
  assertEquals([bare.actions, bare.rules, bare.object, bare.shortened], [[], [], "web-1", true]);
});
