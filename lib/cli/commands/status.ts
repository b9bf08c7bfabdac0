/**
 * `virt-hooks status`: everything that is held, by whom, and whether the host is as it shall be.
 * @module
 */
import { visibleJson } from "../../text/quote.ts";
import type { Args, CliContext, Subcommand } from "../subcommand.ts";
import { openReadOnly } from "../ledger_access.ts";
import { needRoot } from "../need_root.ts";
import { makeStatusReport } from "../report/status.ts";
import { statusLines } from "../terminal/format_status.ts";

/** The subcommand. */
export const status: Subcommand = {
  name: "status",
  usage: "[--json]",
  summary: "Shows what guests and networks hold of this host, and whether it is so",
  details: [
    "For each resource: what it is now, what it shall be, what it was before, and who holds it. Nothing is changed.",
    "  ok       as it shall be",
    "  drift    somebody else changed it",
    "  pending  a hook is at it, or did not finish it",
    "  STUCK    it cannot be brought to what it shall be, or be put back",
    "  stale    one of its holders is gone, or nothing shows that it lives",
    'Beneath "nft" stands each forwarded port: where it leads, who says so, what went through, and what outranks it.',
    "First it says what matters more: that the hooks are disabled, that the rules are broken, or that running guests have",
    "not what the rules ask for.",
    "Exit code: 0 when all is ok, 1 when something is not, a file of the ledger could not be read, or it says one of these.",
    "--json prints one object; its fields are in docs/reference/commands/status.md.",
  ],
  texts: [],
  switches: ["json"],
  words: { min: 0, max: 0 },
  run,
};

const NOT_OK = 1;

async function run(args: Args, context: CliContext): Promise<number> {
  needRoot("read what is held", "status", context);
  const report = await makeStatusReport(await openReadOnly(context.sys), context);
  if (args.flags.has("json")) context.print(visibleJson(JSON.stringify(report)));
  else for (const line of statusLines(report, context)) context.print(line);
  return report.ok ? 0 : NOT_OK;
}
