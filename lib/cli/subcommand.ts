/**
 * What a subcommand of the admin command is.
 * @module
 */
import type { Host } from "../resources/kinds.ts";
import type { Terminal } from "../sys/terminal.ts";
import type { Paint } from "./terminal/colour.ts";

/** What a subcommand works with. */
export interface CliContext extends Host {
  readonly terminal: Terminal;
  readonly paint: Paint;
  /** Writes a line to stdout. */
  print(line: string): void;
}

/** What a user gave: positional words, and flags by name. */
export interface Args {
  readonly positionals: readonly string[];
  readonly options: Readonly<Record<string, string>>;
  readonly flags: ReadonlySet<string>;
}

/** One subcommand. */
export interface Subcommand {
  readonly name: string;
  /** The words and flags after the name, as the usage line shows them. */
  readonly usage: string;
  /** What it does, in one sentence. */
  readonly summary: string;
  /** More, for `--help`. */
  readonly details: readonly string[];
  /** Flags that take a text. */
  readonly texts: readonly string[];
  /** Flags that take nothing. */
  readonly switches: readonly string[];
  /** How many words it takes. */
  readonly words: { readonly min: number; readonly max: number };
  /** Does it; returns the exit code. */
  run(args: Args, context: CliContext): Promise<number>;
}

/** A request that cannot be carried out as it stands: told in one line, with exit code `code`. */
export class CommandError extends Error {
  override readonly name = "CommandError";
  readonly hint: string | undefined;
  readonly code: number;

  constructor(message: string, options: { readonly hint?: string; readonly code?: number } = {}) {
    super(message);
    this.hint = options.hint;
    this.code = options.code ?? 1;
  }
}

/** The exit code of a command line that makes no sense. */
export const USAGE_CODE = 2;
