/**
 * The rules that a user asks about: this host's, or those of a folder of theirs.
 * @module
 */
import { loadRules } from "../app/load_rules.ts";
import { CONFIG_DIRECTORY } from "../app/product.ts";
import type { RulesReading } from "../rules/read.ts";
import type { Sys } from "../sys/sys.ts";
import { type Args, type CliContext, CommandError, USAGE_CODE } from "./subcommand.ts";

/** Rules, and where they come from. */
export interface AskedRules {
  readonly directory: string;
  /** Whether they are this host's, which the hooks obey. */
  readonly own: boolean;
  readonly reading: RulesReading;
}

/**
 * Loads the rules of `--rules DIR`, whoever owns them, or this host's as the hooks do.
 * @throws {CommandError} when DIR is not a folder: a mistyped name must not pass for a folder without rules
 */
export async function loadAskedRules(args: Args, context: CliContext): Promise<AskedRules> {
  const asked = args.options["rules"];
  if (asked !== undefined) needFolder(asked, context.sys);
  const directory = asked ?? CONFIG_DIRECTORY;
  const own = asked === undefined;
  return { directory, own, reading: await loadRules(directory, context.sys, { trust: own }) };
}

function needFolder(directory: string, sys: Pick<Sys, "readDirectory">): void {
  let names: readonly string[] | undefined;
  try {
    names = sys.readDirectory(directory);
  } catch {
    throw new CommandError(`Cannot read rules: ${directory} is a folder that virt-hooks may not open`, {
      code: USAGE_CODE,
    });
  }
  if (names === undefined) {
    throw new CommandError(`Cannot read rules: there is no folder ${directory}`, { code: USAGE_CODE });
  }
}
