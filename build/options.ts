/**
 * The options of the build command.
 * @module
 */
// @ts-types="./std.d.ts"
import { parseArgs } from "@std/cli/parse-args";
// @ts-types="./std.d.ts"
import { closestString } from "@std/text/closest-string";
import { UsageError } from "./build_error.ts";
import { hostTarget, isTarget, type Target, TARGET_NAMES } from "./target.ts";

/** A parsed command line. */
export type BuildCommand =
  | { readonly kind: "help" }
  | {
    readonly kind: "build";
    readonly targets: readonly Target[];
    readonly denort: string | undefined;
    readonly out: string | undefined;
  };

/** The text of `--help`. */
export const USAGE = `Usage: deno task build [--target TARGET|all] [--denort FILE] [--out DIR]

Compiles hooks/*.ts and cli.ts into dist/TARGET, ready to be installed.

  --target TARGET  ${TARGET_NAMES.join(" or ")}, or all
                   (default: this machine's)
  --denort FILE    the runtime to compile with, of the same version as Deno (also: DENORT_BIN);
                   by default the build fetches it once and caches it
  --out DIR        write to DIR/TARGET instead of dist/TARGET
  -h, --help       show this text

SOURCE_DATE_EPOCH sets the modification time of the files in a binary.
`;

const TEXT_FLAGS = ["target", "denort", "out"] as const;
const FLAGS: readonly string[] = [...TEXT_FLAGS.map((name) => `--${name}`), "--help"];

/**
 * Parses the arguments of the build command.
 *
 * @throws {UsageError} For the first argument that is not understood.
 */
export function parseBuildOptions(args: readonly string[]): BuildCommand {
  const unknown: { readonly argument: string; readonly isFlag: boolean }[] = [];
  const parsed = parseArgs(args, {
    string: TEXT_FLAGS,
    boolean: ["help"],
    collect: TEXT_FLAGS,
    alias: { h: "help" },
    unknown: (argument, key) => {
      unknown.push({ argument, isFlag: key !== undefined });
      return false;
    },
  });
  if (parsed["help"] === true) return { kind: "help" };
  refuseUnknown([...unknown, ...parsed._.map((argument) => ({ argument: String(argument), isFlag: false }))]);
  return {
    kind: "build",
    targets: parseTargets(single("target", parsed["target"])),
    denort: single("denort", parsed["denort"]),
    out: single("out", parsed["out"]),
  };
}

function refuseUnknown(unknown: readonly { readonly argument: string; readonly isFlag: boolean }[]): void {
  const [first] = unknown;
  if (first === undefined) return;
  const { argument, isFlag } = first;
  if (!isFlag) {
    throw new UsageError(`Cannot use the argument "${argument}": this command takes options only`, "see --help");
  }
  const name = argument.replace(/=.*$/s, "");
  const hint = name.startsWith("--") ? `did you mean ${closestString(name, FLAGS)}?` : "see --help";
  throw new UsageError(`Cannot use the option ${name}: it is unknown`, hint);
}

function parseTargets(text: string | undefined): readonly Target[] {
  if (text === undefined) return [hostTarget()];
  if (text === "all") return TARGET_NAMES;
  if (isTarget(text)) return [text];
  const nearest = TARGET_NAMES.find((name) => name.startsWith(text)) ?? closestString(text, [...TARGET_NAMES, "all"]);
  throw new UsageError(`Cannot build for "${text}": it is not a target`, `did you mean "${nearest}"?`);
}

function single(flag: string, value: unknown): string | undefined {
  const texts = Array.isArray(value) ? value.map(String) : [];
  if (texts.includes("")) throw new UsageError(`Cannot use --${flag}: it needs a value`, "see --help");
  if (texts.length > 1) throw new UsageError(`Cannot use --${flag} twice: it takes one value`, "see --help");
  return texts[0];
}
