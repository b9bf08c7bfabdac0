/**
 * `virt-hooks release`: gives back by hand what a holder holds.
 * @module
 */
import { writeCommandEntry } from "../command_entry.ts";
import { exitCodeOf } from "../../app/outcome.ts";
import { succeeded } from "../../ledger/converge.ts";
import { lockHolder, noteNotRunning } from "../../ledger/holder_file.ts";
import { type Holder, holderId } from "../../ledger/demand_file.ts";
import { demandsOf, releaseAll } from "../../ledger/holds.ts";
import type { Ledger } from "../../ledger/ledger.ts";
import { ALL_LIFETIMES } from "../../ledger/reconcile.ts";
import { type HolderSnapshot, inspectHolders, inspectResources } from "../../ledger/inspect.ts";
import { visible } from "../../text/quote.ts";
import { type Args, type CliContext, CommandError, type Subcommand, USAGE_CODE } from "../subcommand.ts";
import { releasedText } from "../released_text.ts";
import { dryRun } from "../../resources/dry_run.ts";
import { convergedText, holderText, verdictText } from "../terminal/format_holder.ts";
import { convergeContext, openForUpdate, readOnlyLedger } from "../ledger_access.ts";
import { needRoot } from "../need_root.ts";
import { releaseResource } from "../release_resource.ts";

const SAID_NO = 1;

/** The subcommand. */
export const release: Subcommand = {
  name: "release",
  summary: "Restore what one holder or one resource has changed on this host",
  description: [
    "HOLDER is the name of a guest or network if only one has it, or an id: qemu/domain/UUID, network/UUID, port/UUID as virt-hooks status --json prints them, or domain:UUID, network:UUID, port:UUID. A network is released with its ports.",
    "It shows what would be restored and asks. Neither rules nor libvirt are needed. A running guest loses what it needs until it starts again, or virt-hooks reconcile --rules acquires it again.",
  ],
  args: [{ name: "HOLDER", description: "The guest, network or port; not with --resource", isOptional: true }],
  options: [
    { name: "holder", value: "HOLDER", description: "The same as the argument, for scripts" },
    {
      name: "resource",
      value: "KEY",
      description:
        "Restore one resource instead, whoever holds it. If that fails, it can be forgotten: it then stays as it is",
    },
    { name: "yes", description: "Release without asking" },
    { name: "forget", description: "With --resource: if it cannot be restored, forget it without asking" },
  ],
  exitCodes: [
    { code: SAID_NO, meaning: "You answered no, or no holder matches" },
    { code: exitCodeOf("failed"), meaning: "A resource could not be restored" },
  ],
  examples: [
    { command: "virt-hooks release web-2", description: "Restore all that web-2 has changed" },
    {
      command: "virt-hooks release --resource sysctl/vm/swappiness",
      description: "Restore one setting",
    },
  ],
  run,
};

const LOCK_PATIENCE_MS = 30_000;

async function run(args: Args, context: CliContext): Promise<number> {
  needRoot("release", "release", context);
  const { resource } = args.options;
  const wanted = args.positionals[0] ?? args.options["holder"];
  const forget = args.flags.has("forget");
  if (resource !== undefined && wanted === undefined) {
    return await releaseResource(resource, { yes: args.flags.has("yes"), forget }, context);
  }
  const isTwice = args.positionals.length > 0 && args.options["holder"] !== undefined;
  if (wanted === undefined || isTwice || resource !== undefined || forget) {
    const hint = '"virt-hooks status" shows what is held, and the holders';
    const message = "Cannot release: it takes HOLDER or --resource, and --forget only with --resource";
    throw new CommandError(message, { hint, code: USAGE_CODE });
  }
  const ledger = await openForUpdate(context.sys);
  const resources = ledger === undefined ? [] : await inspectResources(readOnlyLedger(ledger, context));
  const found = findHolder(wanted, await inspectHolders(resources, context.sys));
  if (ledger === undefined) throw noHolderError(wanted);
  printHolder(found, context);
  if (!args.flags.has("yes") && !await confirmed(found, context)) {
    context.print("Nothing was released");
    return SAID_NO;
  }
  return await releaseNow(found.holder, ledger, context);
}

function noHolderError(wanted: string): CommandError {
  const hint = '"virt-hooks status" shows the holders; --resource KEY releases a resource that has none';
  return new CommandError(`Cannot release ${JSON.stringify(wanted)}: no holder has this name or id`, {
    hint,
  });
}

/** @throws {CommandError} where none or several are meant */
function findHolder(wanted: string, holders: readonly HolderSnapshot[]): HolderSnapshot {
  const found = holders.filter(({ holder }) => isMeant(holder, wanted));
  const [one, another] = found;
  if (one === undefined) throw noHolderError(wanted);
  if (another === undefined) return one;
  const ids = found.map(({ holder }) => holderId(holder)).join(" or ");
  const message = `Cannot release ${JSON.stringify(wanted)}: ${found.length} holders have this name`;
  throw new CommandError(message, { hint: `give an id: ${ids}`, code: USAGE_CODE });
}

/** A port has the name of its network, which means the network. */
function isMeant(holder: Holder, wanted: string): boolean {
  if (holderId(holder) === wanted || `${holder.kind}:${holder.uuid}` === wanted) return true;
  return holder.kind !== "port" && holder.name === wanted;
}

function printHolder({ holder, liveness: verdict }: HolderSnapshot, { paint, print }: CliContext): void {
  print(paint("bold", `${holderText(holder)}, ${holderId(holder)}`));
  print(paint(verdict.kind === "dead" ? "dim" : "yellow", `  ${verdictText(verdict)}`));
  if (verdict.kind === "alive") print(paint("red", "  Warning: this guest is running and will lose these resources"));
}

/** @throws {CommandError} if stdin is not a terminal */
async function confirmed(
  { holder }: HolderSnapshot,
  context: CliContext,
): Promise<boolean> {
  const run = dryRun(context);
  const ledgerContext = convergeContext({ notes: [] }, run);
  const demands = await demandsOf({ holder, lifetimes: ALL_LIFETIMES }, ledgerContext);
  for (const result of await releaseAll(demands, ledgerContext)) {
    context.print(`  would be restored: ${releasedText(result, { ...context, ...run })}`);
  }
  if (context.terminal.stdinIsTerminal) return context.terminal.ask(`Release what ${holderText(holder)} holds?`);
  const hint = "--yes releases without asking";
  throw new CommandError("Cannot ask whether to release: stdin is no terminal", { hint, code: USAGE_CODE });
}

async function releaseNow(holder: Holder, ledger: Ledger, context: CliContext): Promise<number> {
  const { sys } = context;
  const lock = await lockHolder(holder, sys.elapsedMs() + LOCK_PATIENCE_MS, { sys, notes: ledger.notes });
  using _lock = lock;
  if (lock === undefined) {
    throw new CommandError("Cannot release: a hook call for it is under way", { hint: "try again when it has ended" });
  }
  const ledgerContext = convergeContext(ledger, context);
  // Read again: hooks may have run while the user was asked.
  const results = await releaseAll(await demandsOf({ holder, lifetimes: ALL_LIFETIMES }, ledgerContext), ledgerContext);
  await noteNotRunning(holder, sys);
  context.print(`${holderText(holder)}: ${context.paint("bold", "released")}`);
  for (const result of results) context.print(`  ${convergedText(result, context)}`);
  for (const note of ledger.notes) context.print(context.paint("yellow", `note: ${visible(note)}`));
  const code = results.every(succeeded) ? 0 : exitCodeOf("failed");
  await writeCommandEntry("release", { guests: [holder.name], results, notes: ledger.notes }, code, sys);
  return code;
}
