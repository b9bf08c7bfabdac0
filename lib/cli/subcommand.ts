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

/** A positional argument. */
export interface Argument {
  /** As the usage line shows it: `DRIVER`; in small letters for a word that is to be written as it is. */
  readonly name: string;
  readonly description: string;
  readonly isOptional?: true;
  /** Takes all that follow. */
  readonly isRepeated?: true;
}

/** An option. */
export interface Option {
  /** Without the dashes. */
  readonly name: string;
  /** What its value is called; without it the option is a flag. */
  readonly value?: string;
  readonly description: string;
}

/** A command line, and what it is good for. */
export interface Example {
  readonly command: string;
  readonly description: string;
}

/** What an exit code means. */
export interface ExitCode {
  readonly code: number;
  readonly meaning: string;
}

/** One subcommand: the table from which its command line is read and its help is made. */
export interface Subcommand {
  readonly name: string;
  /** What it does, in one sentence that begins with an imperative verb and has no full stop. */
  readonly summary: string;
  /** More, a paragraph each. */
  readonly description: readonly string[];
  readonly args: readonly Argument[];
  readonly options: readonly Option[];
  /** What it reads from stdin, as the usage line calls it. */
  readonly stdin?: string;
  /** Exit codes beside 0, 2 for a command line that makes no sense, and 70. */
  readonly exitCodes: readonly ExitCode[];
  readonly examples: readonly Example[];
  /** Does it; returns the exit code. */
  run(args: Args, context: CliContext): Promise<number>;
}

/** A request that cannot be carried out: reported in one line, with exit code `code`. */
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
