/**
 * Runs the program of a regular expression over a text, once from left to right.
 * @module
 */

import type { Range } from "./pattern.ts";
import type { Instruction, Program } from "./pattern_program.ts";

/** Where groups begin and end, two slots a group; -1 for a group that took no part. */
export type Slots = readonly number[];

interface Thread {
  readonly at: number;
  readonly slots: Slots;
}

interface Run {
  readonly program: Program;
  readonly text: string;
  readonly budget: { steps: number };
}

/**
 * The first match from an offset on, `null` if there is none.
 *
 * @throws {RangeError} when the budget of steps is used up
 */
export function runPattern(
  program: Program,
  text: string,
  { from, budget }: { readonly from: number; readonly budget: { steps: number } },
): Slots | null {
  const run: Run = { program, text, budget };
  const none: Slots = new Array<number>(program.groupCount * 2).fill(-1);
  let threads: readonly Thread[] = [];
  let found: Slots | null = null;
  for (let offset = from; offset <= text.length;) {
    // As long as nothing is found, a match may begin here too, but what began earlier is preferred.
    const starting: readonly Thread[] = found === null ? [...threads, { at: 0, slots: none }] : threads;
    const { waiting, match } = settle(run, starting, offset);
    found = match ?? found;
    if (waiting.length === 0 && found !== null) break;
    const code = text.codePointAt(offset) ?? -1;
    threads = waiting.filter(({ at }) => accepts(program.instructions[at], code))
      .map(({ at, slots }) => ({ at: at + 1, slots }));
    offset += code > 0xFFFF ? 2 : 1;
  }
  return found;
}

/** Follows all threads to where they wait for a character, in order of preference, and each instruction only once. */
function settle(
  run: Run,
  starting: readonly Thread[],
  offset: number,
): { readonly waiting: readonly Thread[]; readonly match: Slots | null } {
  const seen = new Set<number>();
  const waiting: Thread[] = [];
  const open = starting.toReversed();
  for (let thread = open.pop(); thread !== undefined; thread = open.pop()) {
    if (seen.has(thread.at)) continue;
    seen.add(thread.at);
    run.budget.steps -= 1;
    if (run.budget.steps < 0) throw new RangeError("Cannot run the expression: the value takes it too many steps");
    const instruction = run.program.instructions[thread.at];
    switch (instruction?.kind) {
      case "class":
        waiting.push(thread);
        break;
      case "match":
        // What is less preferred than a match is dropped.
        return { waiting, match: thread.slots };
      default:
        if (instruction !== undefined) open.push(...advance(run, instruction, thread, offset));
    }
  }
  return { waiting, match: null };
}

/** Where an instruction that takes no character leads, the preferred last. */
function advance(
  run: Run,
  instruction: Exclude<Instruction, { kind: "class" }>,
  { at, slots }: Thread,
  offset: number,
): readonly Thread[] {
  switch (instruction.kind) {
    case "start":
      return offset === 0 ? [{ at: at + 1, slots }] : [];
    case "end":
      return offset === run.text.length ? [{ at: at + 1, slots }] : [];
    case "save":
      return [{ at: at + 1, slots: slots.with(instruction.slot, offset) }];
    case "forget":
      return [{
        at: at + 1,
        slots: slots.toSpliced(instruction.from, instruction.to - instruction.from, ...none(instruction)),
      }];
    case "jump":
      return [{ at: instruction.target, slots }];
    case "split":
      return [{ at: instruction.targets[1], slots }, { at: instruction.targets[0], slots }];
    case "match":
      return [];
  }
}

function none({ from, to }: { readonly from: number; readonly to: number }): number[] {
  return new Array<number>(to - from).fill(-1);
}

function accepts(instruction: Instruction | undefined, code: number): boolean {
  if (instruction?.kind !== "class" || code === -1) return false;
  return contains(instruction.ranges, code) !== instruction.negated;
}

function contains(ranges: readonly Range[], code: number): boolean {
  return ranges.some(([low, high]) => code >= low && code <= high);
}
