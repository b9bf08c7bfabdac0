/**
 * What `deno test` prints, read.
 * @module
 */

/** How many tests ended in which way. */
export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** The counts of the closing line; `undefined` when the run did not come that far. */
export function readCounts(output: string): Counts | undefined {
  const [line] = output.match(/^(?:ok|FAILED) \| .*$/m) ?? [];
  if (line === undefined) return undefined;
  const count = (what: string): number => Number(new RegExp(`(\\d+) ${what}`).exec(line)?.[1] ?? 0);
  return { passed: count("passed"), failed: count("failed"), skipped: count("ignored") };
}

/** The names of tests that were not run. */
export function readIgnored(output: string): readonly string[] {
  return [...output.matchAll(/^(.*) \.\.\. ignored/gm)].map(([, name]) => name ?? "");
}
