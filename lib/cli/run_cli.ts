/**
 * The admin command: finds the subcommand, prints errors in one line.
 * @module
 */
import type { Host } from "../resources/kinds.ts";
import { PRODUCT, VERSION } from "../app/product.ts";
import { visible } from "../text/quote.ts";
import { didYouMean } from "../rules/nearest.ts";
import type { Sys } from "../sys/sys.ts";
import type { Terminal } from "../sys/terminal.ts";
import { parseCommandLine } from "./args.ts";
import { helpLines } from "./help.ts";
import { check } from "./commands/check.ts";
import { painter } from "./terminal/colour.ts";
import { type CliContext, CommandError, type Subcommand, USAGE_CODE } from "./subcommand.ts";
import { edit } from "./commands/edit.ts";
import { disable, enable } from "./commands/enable.ts";
import { explain } from "./commands/explain.ts";
import { history } from "./commands/history.ts";
import { reconcile } from "./commands/reconcile.ts";
import { release } from "./commands/release.ts";
import { status } from "./commands/status.ts";
import { xml } from "./commands/xml.ts";

/** All commands, in the order of the overview. */
export const SUBCOMMANDS: readonly Subcommand[] = [
  ...[check, explain, edit, xml, history],
  ...[status, reconcile, release, enable, disable],
  version(),
];

/** Runs the admin command; returns the exit code. Never throws. */
export async function runCli(host: Host, terminal: Terminal): Promise<number> {
  const { sys } = host;
  sys.onUncaught((error) => reportError(error, sys));
  const context: CliContext = {
    ...host,
    terminal,
    paint: painter(terminal),
    print: (line) => sys.writeStdout(`${line}\n`),
  };
  try {
    return await dispatch(sys.args, context);
  } catch (error) {
    return reportError(error, sys);
  }
}

async function dispatch([name, ...args]: readonly string[], context: CliContext): Promise<number> {
  if (name === "help" && args[0] !== undefined) return await dispatch([args[0], "--help", ...args.slice(1)], context);
  if (name === undefined || name === "--help" || name === "-h" || name === "help") {
    context.print(overview());
    return name === undefined ? USAGE_CODE : 0;
  }
  const wanted = name === "--version" || name === "-V" ? "version" : name;
  const subcommand = SUBCOMMANDS.find((candidate) => candidate.name === wanted);
  if (subcommand === undefined) {
    const meant = didYouMean(name, SUBCOMMANDS.map((candidate) => candidate.name));
    const hint = [meant, `"${PRODUCT} --help" lists them`].filter((part) => part !== undefined).join(" ");
    throw new CommandError(`Cannot run "${name}": there is no such command`, { hint, code: USAGE_CODE });
  }
  const given = parseCommandLine(subcommand, args);
  if (!given.flags.has("help")) return await subcommand.run(given, context);
  for (const line of helpLines(subcommand)) context.print(line);
  return 0;
}

function version(): Subcommand {
  return {
    name: "version",
    summary: "Print the version",
    description: [],
    args: [],
    options: [],
    exitCodes: [],
    examples: [{ command: "virt-hooks version", description: "Say which version is installed" }],
    run: (_given, context) => {
      context.print(`${PRODUCT} ${VERSION}`);
      return Promise.resolve(0);
    },
  };
}

function overview(): string {
  const width = Math.max(...SUBCOMMANDS.map((subcommand) => subcommand.name.length));
  return [
    `${PRODUCT} ${VERSION}: declarative host state for libvirt guests`,
    "",
    `Usage: ${PRODUCT} COMMAND [ARGUMENTS]`,
    "",
    ...SUBCOMMANDS.map((subcommand) => `  ${subcommand.name.padEnd(width)}  ${subcommand.summary}`),
    "",
    `"${PRODUCT} COMMAND --help" prints the options of a command.`,
  ].join("\n");
}

function reportError(error: unknown, sys: Sys): number {
  // The reader of the output has closed the pipe, as head does: an error cannot be printed.
  if (error instanceof Error && error.name === "BrokenPipe") return 0;
  if (error instanceof CommandError) {
    const hint = error.hint === undefined ? "" : `hint: ${visible(error.hint)}\n`;
    sys.writeStderr(`${PRODUCT}: ${visible(error.message)}\n${hint}`);
    return error.code;
  }
  const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  sys.writeStderr(`${PRODUCT}: internal error: ${visible(message)}\nhint: please report this\n`);
  return 70;
}
