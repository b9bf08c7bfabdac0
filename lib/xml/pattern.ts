/**
 * Regular expressions as data.
 *
 * The values they meet are written by whoever may write a document, and a backtracking engine can be made to run for
 * years by a well-chosen value. So the part of JavaScript's expressions that needs no backtracking is run by an engine
 * of our own, whose time grows with the length of value times expression, and no faster.
 * @module
 */

/** A range of code points, both ends included. */
export type Range = readonly [number, number];

/** An expression. What it matches is what JavaScript's would, with the flag `u`. */
export type Pattern =
  | { readonly kind: "class"; readonly ranges: readonly Range[]; readonly negated: boolean }
  | { readonly kind: "start" | "end" }
  /** `index` is `null` for a group that captures nothing. */
  | { readonly kind: "group"; readonly index: number | null; readonly body: Pattern }
  | { readonly kind: "sequence"; readonly items: readonly Pattern[] }
  | { readonly kind: "choice"; readonly options: readonly Pattern[] }
  | Repeat;

export interface Repeat {
  readonly kind: "repeat";
  readonly body: Pattern;
  readonly min: number;
  /** `null`: as often as there is. */
  readonly max: number | null;
  readonly lazy: boolean;
  /** The groups within, forgotten before each time: from the first up to, but not with, the second. */
  readonly groups: readonly [number, number];
}

/** Thrown when a text is not a regular expression we follow. */
export class PatternSyntaxError extends SyntaxError {
  readonly pattern: string;
  /** From 1. */
  readonly column: number;

  constructor(pattern: string, column: number, problem: string) {
    super(`Cannot parse the expression "${pattern}" at column ${column}: ${problem}`);
    this.name = "PatternSyntaxError";
    this.pattern = pattern;
    this.column = column;
  }
}
