/**
 * `virt-hooks status`: every held resource, its holders, and whether it has the desired value.
 * @module
 */
import { visibleJson } from "../../text/quote.ts";
import type { Args, CliContext, Subcommand } from "../subcommand.ts";
import { openReadOnly } from "../ledger_access.ts";
import { needRoot } from "../need_root.ts";
import { makeStatusReport } from "../report/status.ts";
import { statusLines } from "../terminal/format_status.ts";

const NOT_OK = 1;

/** The subcommand. */
export const status: Subcommand = {
  name: "status",
  summary: "Show what guests and networks have changed on this host",
  description: [
    "For each resource: its current value, the desired value, the value before, and its holders. Nothing is changed. First come problems that concern all: disabled hooks, rules with mistakes, running guests that differ from the rules.",
    "A resource is ok, drift (changed by something else), pending (a hook is working on it, or did not finish), STUCK (it cannot be brought to the desired value, or be restored) or stale (one of its holders is gone, or that cannot be told).",
  ],
  args: [],
  options: [{ name: "json", description: "Print one JSON object; docs/reference/commands/status.md lists its fields" }],
  exitCodes: [{ code: NOT_OK, meaning: "Something needs attention" }],
  examples: [
    { command: "virt-hooks status", description: "Show what is held, and by which guest" },
    { command: "virt-hooks status --json | jq .ok", description: "Check from a monitoring system" },
  ],
  run,
};

async function run(args: Args, context: CliContext): Promise<number> {
  needRoot("read what is held", "status", context);
  const report = await makeStatusReport(await openReadOnly(context.sys), context);
  if (args.flags.has("json")) context.print(visibleJson(JSON.stringify(report)));
  else for (const line of statusLines(report, context)) context.print(line);
  return report.ok ? 0 : NOT_OK;
}
