/**
 * A subcommand's words and flags, read strictly.
 * @module
 */
// @ts-types="./parse_args.d.ts"
import { parseArgs } from "@std/cli/parse-args";
import { didYouMean } from "../rules/nearest.ts";
import { type Args, CommandError, type Subcommand, USAGE_CODE } from "./subcommand.ts";

/**
 * Reads what follows a subcommand's name.
 * @throws {CommandError} for an unknown flag, a flag without its text, or too few or too many words
 */
export function parseCommandLine(subcommand: Subcommand, args: readonly string[]): Args {
  const flags = [...subcommand.texts, ...subcommand.switches, "help"];
  const words: string[] = [];
  const parsed = parseArgs(args, {
    string: subcommand.texts,
    boolean: [...subcommand.switches, "help"],
    alias: { h: "help" },
    unknown: (argument, key) => {
      if (key !== undefined) throw unknownFlag(argument, flags, subcommand);
      words.push(argument);
      return false;
    },
  });
  // What stands behind `--` is a word whatever it looks like.
  const rest = parsed["_"];
  if (Array.isArray(rest)) words.push(...rest.map(String));
  const switches = new Set([...subcommand.switches, "help"].filter((name) => parsed[name] === true));
  if (!switches.has("help")) checkWords(words, subcommand);
  return { positionals: words, options: textFlags(parsed, subcommand), flags: switches };
}

function textFlags(parsed: Record<string, unknown>, subcommand: Subcommand): Readonly<Record<string, string>> {
  const texts: Record<string, string> = {};
  for (const name of subcommand.texts) {
    const value = parsed[name];
    if (value === undefined) continue;
    if (typeof value !== "string" || value === "") {
      throw new CommandError(`Cannot read --${name}: it needs one value`, {
        hint: usageHint(subcommand),
        code: USAGE_CODE,
      });
    }
    texts[name] = value;
  }
  return texts;
}

function checkWords(words: readonly string[], subcommand: Subcommand): void {
  const { min, max } = subcommand.words;
  if (words.length >= min && words.length <= max) return;
  const wanted = min === max ? `${min}` : max === Infinity ? `at least ${min}` : `${min} to ${max}`;
  const noun = min === 1 && (max === 1 || max === Infinity) ? "word" : "words";
  const message = `Cannot run "${subcommand.name}": it takes ${wanted} ${noun}, got ${words.length}`;
  throw new CommandError(message, { hint: usageHint(subcommand), code: USAGE_CODE });
}

function unknownFlag(argument: string, flags: readonly string[], subcommand: Subcommand): CommandError {
  const flag = argument.replace(/=.*$/s, "");
  const meant = didYouMean(flag, flags.map((name) => `--${name}`));
  const hint = [meant, usageHint(subcommand)].filter((part) => part !== undefined).join(" ");
  return new CommandError(`Cannot run "${subcommand.name}": unknown flag "${flag}"`, { hint, code: USAGE_CODE });
}

/** Where to read how a subcommand is used. */
function usageHint(subcommand: Subcommand): string {
  return `usage: virt-hooks ${subcommand.name} ${subcommand.usage}`.trimEnd();
}
