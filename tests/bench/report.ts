/**
 * What was measured as ratios, as a table for people and as JSON for machines. Pure.
 * @module
 */
import type { Measured } from "./measure.ts";

/** What came of one contender in one case. */
export interface Result {
  readonly name: string;
  readonly medianMs: number;
  /** A tenth of the rounds were as fast as this: what other work on the machine disturbs least. */
  readonly fastMs: number;
  /** In each round, its time by that of the empty program in the same round: their median and quartiles. */
  readonly ratio: { readonly median: number; readonly lower: number; readonly upper: number };
  readonly memoryKb: number | undefined;
  readonly memoryRatio: number | undefined;
}

/** One case's results; the first is the empty program. */
export interface CaseResult {
  readonly name: string;
  /** What the hook may cost as a ratio. Shown, never enforced: machines differ. */
  readonly goal: number | undefined;
  readonly results: readonly Result[];
}

/** The contender that the goals are about. */
export const HOOK_NAME = "virt-hooks";
/** The contender that shows how much chance there is in it all. */
export const COPY_NAME = "the same, copied";

/** So that the tables of all cases stand below each other. */
const NAME_WIDTH = 28;
/** Between the quartiles of that one's ratios. */
const NOISE_MAX = 0.1;

/** Works the ratios out; the first of `measured` is what the others are compared with. */
export function compare(measured: readonly Measured[]): readonly Result[] {
  const [empty] = measured;
  return measured.map(({ name, durationsMs, memoryKb }) => {
    const ratios = durationsMs.map((durationMs, round) => durationMs / (empty?.durationsMs[round] ?? NaN));
    const memoryRatio = memoryKb === undefined || empty?.memoryKb === undefined
      ? undefined
      : rounded(memoryKb / empty.memoryKb, 3);
    return {
      name,
      medianMs: rounded(quantile(durationsMs, 0.5), 2),
      fastMs: rounded(quantile(durationsMs, 0.1), 2),
      ratio: {
        median: rounded(quantile(ratios, 0.5), 3),
        lower: rounded(quantile(ratios, 0.25), 3),
        upper: rounded(quantile(ratios, 0.75), 3),
      },
      memoryKb,
      memoryRatio,
    };
  });
}

/** The table of one case. */
export function table({ name, goal, results }: CaseResult): readonly string[] {
  const width = Math.max(NAME_WIDTH, name.length + 1, ...results.map((result) => result.name.length + 2));
  const head = [name.padEnd(width), "median".padStart(9), "fastest".padStart(9), "ratio".padStart(7)];
  return [
    [...head, "quartiles".padStart(12), "memory".padStart(9)].join(" "),
    ...results.map((result) => {
      const { median, lower, upper } = result.ratio;
      const cells = [
        `  ${result.name}`.padEnd(width),
        `${result.medianMs.toFixed(1)} ms`.padStart(9),
        `${result.fastMs.toFixed(1)} ms`.padStart(9),
        median.toFixed(2).padStart(7),
        `${lower.toFixed(2)}-${upper.toFixed(2)}`.padStart(12),
        memoryCell(result).padStart(9),
      ];
      const isGoverned = goal !== undefined && result.name === HOOK_NAME;
      return cells.join(" ") + (isGoverned ? `   goal ${goal.toFixed(2)}: ${verdict(median, goal, results)}` : "");
    }),
  ];
}

function verdict(ratio: number, goal: number, results: readonly Result[]): string {
  if (isNoisy(results)) return "too noisy to tell";
  return ratio <= goal ? "met" : "missed";
}

/** Whether two files with the same bytes differ so much that a ratio means little. */
export function isNoisy(results: readonly Result[]): boolean {
  return results.some(({ name, ratio }) => name === COPY_NAME && ratio.upper - ratio.lower > NOISE_MAX);
}

function memoryCell({ memoryKb }: Result): string {
  return memoryKb === undefined ? "-" : `${(memoryKb / 1024).toFixed(1)} MB`;
}

/** The value below which this part of the values lies, interpolated; values need no order. */
export function quantile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (sorted.length - 1) * part;
  const [below, above] = [sorted[Math.floor(at)] ?? NaN, sorted[Math.ceil(at)] ?? NaN];
  return below + (above - below) * (at - Math.floor(at));
}

function rounded(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
