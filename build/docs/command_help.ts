/**
 * Puts what `virt-hooks COMMAND --help` prints at the beginning of each page in `docs/reference/commands/`:
 * `deno run -A build/docs/command_help.ts`.
 * @module
 */
import { helpLines } from "../../lib/cli/help.ts";
import { SUBCOMMANDS } from "../../lib/cli/run_cli.ts";

const PAGES = new URL("../../docs/reference/commands/", import.meta.url);
/** The first code block behind the heading. */
const BLOCK = /^(# [^\n]*\n\n```)[^\n]*\n.*?\n```\n/s;

/** The commands that have a page. */
export const COMMAND_NAMES: readonly string[] = SUBCOMMANDS.map(({ name }) => name);

/** Returns the page of a command with its current help. */
export function withHelp(name: string, page: string): string {
  const subcommand = SUBCOMMANDS.find((one) => one.name === name);
  if (subcommand === undefined) throw new RangeError(`Cannot document ${name}: there is no such command`);
  const help = helpLines(subcommand).join("\n");
  return page.replace(BLOCK, (_block, head: string) => `${head}text\n${help}\n\`\`\`\n`);
}

/** Where the page of a command is. */
export function pageOf(name: string): URL {
  return new URL(`${name}.md`, PAGES);
}

if (import.meta.main) {
  for (const name of COMMAND_NAMES) {
    const page = await Deno.readTextFile(pageOf(name));
    await Deno.writeTextFile(pageOf(name), withHelp(name, page));
  }
}
