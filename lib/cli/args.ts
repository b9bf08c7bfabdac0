/**
 * The command line of a subcommand, read strictly by its table.
 * @module
 */
// @ts-types="./parse_args.d.ts"
import { parseArgs } from "@std/cli/parse-args";
import { didYouMean } from "../rules/nearest.ts";
import { usageLine } from "./help.ts";
import { type Args, CommandError, type Subcommand, USAGE_CODE } from "./subcommand.ts";

/**
 * Reads what follows a subcommand's name.
 * @throws {CommandError} for an unknown option, an option without its value, or too few or too many arguments
 */
export function parseCommandLine(subcommand: Subcommand, args: readonly string[]): Args {
  const valued = subcommand.options.filter(({ value }) => value !== undefined).map(({ name }) => name);
  const flagNames = [...subcommand.options.filter(({ value }) => value === undefined).map(({ name }) => name), "help"];
  const positionals: string[] = [];
  const parsed = parseArgs(args, {
    string: valued,
    boolean: flagNames,
    alias: { h: "help" },
    unknown: (argument, key) => {
      if (key !== undefined) throw unknownOption(argument, [...valued, ...flagNames], subcommand);
      positionals.push(argument);
      return false;
    },
  });
  // All that follows `--` is an argument, whatever it looks like.
  const rest = parsed["_"];
  if (Array.isArray(rest)) positionals.push(...rest.map(String));
  const flags = new Set(flagNames.filter((name) => parsed[name] === true));
  if (!flags.has("help")) checkCount(positionals, subcommand);
  return { positionals, options: optionValues(parsed, valued, subcommand), flags };
}

function optionValues(
  parsed: Record<string, unknown>,
  names: readonly string[],
  subcommand: Subcommand,
): Readonly<Record<string, string>> {
  const values: Record<string, string> = {};
  for (const name of names) {
    const value = parsed[name];
    if (value === undefined) continue;
    if (typeof value !== "string" || value === "") {
      throw usageError(`Cannot read --${name}: it needs one value`, undefined, subcommand);
    }
    values[name] = value;
  }
  return values;
}

function checkCount(positionals: readonly string[], subcommand: Subcommand): void {
  const { name, args } = subcommand;
  const required = args.filter(({ isOptional }) => isOptional !== true);
  const missing = required[positionals.length];
  if (missing !== undefined) {
    throw usageError(`Cannot run "${name}": ${missing.name} is missing`, undefined, subcommand);
  }
  const extra = args.some(({ isRepeated }) => isRepeated === true) ? undefined : positionals[args.length];
  if (extra === undefined) return;
  throw usageError(`Cannot run "${name}": unexpected argument ${JSON.stringify(extra)}`, undefined, subcommand);
}

function unknownOption(argument: string, names: readonly string[], subcommand: Subcommand): CommandError {
  const option = argument.replace(/=.*$/s, "");
  const meant = didYouMean(option, names.map((name) => `--${name}`));
  return usageError(`Cannot run "${subcommand.name}": unknown option "${option}"`, meant, subcommand);
}

function usageError(message: string, hint: string | undefined, subcommand: Subcommand): CommandError {
  const usage = `usage: ${usageLine(subcommand)}`;
  return new CommandError(message, { hint: hint === undefined ? usage : `${hint} ${usage}`, code: USAGE_CODE });
}
