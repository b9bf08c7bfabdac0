/**
 * Turns a regular expression into a program for a machine that follows all alternatives at once.
 * @module
 */

import { type Pattern, PatternSyntaxError, type Range, type Repeat } from "./pattern.ts";

/** One instruction. After those that name no target comes the next one. */
export type Instruction =
  | { readonly kind: "class"; readonly ranges: readonly Range[]; readonly negated: boolean }
  | { readonly kind: "start" | "end" | "match" }
  | { readonly kind: "save"; readonly slot: number }
  | { readonly kind: "forget"; readonly from: number; readonly to: number }
  /** The first target is preferred. */
  | { readonly kind: "split"; readonly targets: readonly [number, number] }
  | { readonly kind: "jump"; readonly target: number };

export interface Program {
  readonly instructions: readonly Instruction[];
  /** With group 0, the whole match. */
  readonly groupCount: number;
}

interface Builder {
  readonly source: string;
  readonly instructions: Instruction[];
  groupCount: number;
}

/** Counted repetitions are written out, so a short expression can mean a long program. */
const INSTRUCTIONS_MAX = 2000;

/** @throws {PatternSyntaxError} when the program would be too long */
export function compilePattern(pattern: Pattern, source: string): Program {
  const builder: Builder = { source, instructions: [], groupCount: 1 };
  emit(builder, { kind: "group", index: 0, body: pattern });
  add(builder, { kind: "match" });
  return { instructions: builder.instructions, groupCount: builder.groupCount };
}

function emit(builder: Builder, pattern: Pattern): void {
  switch (pattern.kind) {
    case "class":
    case "start":
    case "end":
      add(builder, pattern);
      break;
    case "group":
      if (pattern.index === null) return emit(builder, pattern.body);
      builder.groupCount = Math.max(builder.groupCount, pattern.index + 1);
      add(builder, { kind: "save", slot: pattern.index * 2 });
      emit(builder, pattern.body);
      add(builder, { kind: "save", slot: pattern.index * 2 + 1 });
      break;
    case "sequence":
      for (const item of pattern.items) emit(builder, item);
      break;
    case "choice":
      emitChoice(builder, pattern.options);
      break;
    case "repeat":
      emitRepeat(builder, pattern);
  }
}

function emitChoice(builder: Builder, options: readonly Pattern[]): void {
  const jumps: number[] = [];
  for (const [index, option] of options.entries()) {
    if (index === options.length - 1) {
      emit(builder, option);
      break;
    }
    const split = add(builder, { kind: "jump", target: 0 });
    emit(builder, option);
    jumps.push(add(builder, { kind: "jump", target: 0 }));
    builder.instructions[split] = { kind: "split", targets: [split + 1, builder.instructions.length] };
  }
  for (const jump of jumps) builder.instructions[jump] = { kind: "jump", target: builder.instructions.length };
}

function emitRepeat(builder: Builder, repeat: Repeat): void {
  const { min, max } = repeat;
  for (let count = 0; count < min; count += 1) emitOnce(builder, repeat);
  if (max === null) {
    const split = add(builder, { kind: "jump", target: 0 });
    emitOnce(builder, repeat);
    add(builder, { kind: "jump", target: split });
    builder.instructions[split] = splitAt(split, builder.instructions.length, repeat.lazy);
    return;
  }
  const splits: number[] = [];
  for (let count = min; count < max; count += 1) {
    splits.push(add(builder, { kind: "jump", target: 0 }));
    emitOnce(builder, repeat);
  }
  for (const split of splits) {
    builder.instructions[split] = splitAt(split, builder.instructions.length, repeat.lazy);
  }
}

function emitOnce(builder: Builder, { body, groups: [from, to] }: Repeat): void {
  if (from < to) add(builder, { kind: "forget", from: from * 2, to: to * 2 });
  emit(builder, body);
}

function splitAt(split: number, end: number, lazy: boolean): Instruction {
  return { kind: "split", targets: lazy ? [end, split + 1] : [split + 1, end] };
}

function add(builder: Builder, instruction: Instruction): number {
  if (builder.instructions.length >= INSTRUCTIONS_MAX) {
    throw new PatternSyntaxError(builder.source, 1, "its repetitions make it too long");
  }
  return builder.instructions.push(instruction) - 1;
}
