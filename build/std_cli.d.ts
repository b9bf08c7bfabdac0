/**
 * The one function of `@std/cli` that is used here; its package ships no types.
 * @module
 */

/** How arguments are to be read. */
export interface ParseOptions {
  /** Flags that take a text. */
  readonly string?: readonly string[];
  /** Flags that take nothing. */
  readonly boolean?: readonly string[];
  /** Flags that may be given more than once: their values become a list. */
  readonly collect?: readonly string[];
  /** Short names and what they stand for. */
  readonly alias?: Readonly<Record<string, string>>;
  /** Called for what is no known flag, without a key for what is no flag at all; `false` drops it. */
  readonly unknown?: (argument: string, key?: string, value?: unknown) => boolean;
}

/** Reads arguments: flags by name, everything else in `_`. */
export function parseArgs(
  args: readonly string[],
  options: ParseOptions,
): Readonly<Record<string, unknown>> & { readonly _: readonly (string | number)[] };
