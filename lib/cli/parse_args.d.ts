/** The part of `@std/cli/parse-args` that is used here. */
export interface ParseOptions {
  readonly string?: readonly string[];
  readonly boolean?: readonly string[];
  readonly alias?: Readonly<Record<string, string>>;
  readonly stopEarly?: boolean;
  /** Called for each flag that was not declared, and for words (then `key` is missing). */
  readonly unknown?: (argument: string, key?: string, value?: unknown) => unknown;
}

/** Takes a command line apart. Flags by name; words under `_`, turned into numbers where they look like one. */
export function parseArgs(args: readonly string[], options?: ParseOptions): Record<string, unknown>;
