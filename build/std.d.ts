/**
 * The functions of `@std/cli` and `@std/text` that the build uses; the package has no types.
 * @module
 */

/** How {@linkcode parseArgs} reads arguments. */
export interface ParseOptions {
  /** Flags with a text value. */
  readonly string?: readonly string[];
  /** Flags without a value. */
  readonly boolean?: readonly string[];
  /** Flags that can be repeated: the values become a list. */
  readonly collect?: readonly string[];
  /** Short names and the long names they mean. */
  readonly alias?: Readonly<Record<string, string>>;
  /** Receives each undeclared flag, and each word (without a key); `false` drops it from the result. */
  readonly unknown?: (argument: string, key?: string, value?: unknown) => boolean;
}

/** Reads arguments: flags by name, everything else in `_`. */
export function parseArgs(
  args: readonly string[],
  options: ParseOptions,
): Readonly<Record<string, unknown>> & { readonly _: readonly (string | number)[] };

/** Returns the word nearest to `givenWord`. */
export function closestString(givenWord: string, possibleWords: readonly string[]): string;
