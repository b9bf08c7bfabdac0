/**
 * `virt-hooks reconcile`: releases what the dead hold, and brings the host to what the living hold.
 * @module
 */
import { DISABLED_FILE, lookAtConfig } from "../../app/product.ts";
import { mergeEffects, NO_EFFECTS, writeCommandEntry } from "../command_entry.ts";
import { exitCodeOf } from "../../app/outcome.ts";
import { type Converged, succeeded } from "../../ledger/converge.ts";
import { joinConverged } from "../../ledger/update.ts";
import type { Ledger } from "../../ledger/ledger.ts";
import { type AssessedHolder, reconcile as reconcileAll } from "../../ledger/reconcile.ts";
import { dryRun } from "../../resources/dry_run.ts";
import { visible } from "../../text/quote.ts";
import type { Args, CliContext, Subcommand } from "../subcommand.ts";
import { formatCount } from "../../text/plural.ts";
import { convergedText, holderText, releaseCommand, verdictText } from "../terminal/format_holder.ts";
import { convergeContext, openForUpdate, openReadOnly } from "../ledger_access.ts";
import { dryConvergedText } from "../released_text.ts";
import { needRoot } from "../need_root.ts";
import { type DryRunResult, dryRunRules, reconcileRules, type Reconciliation } from "../reconcile_rules.ts";

/** Exit codes of `--exit-code`: what failed and what is pending are told apart. */
const [FAILED, PENDING] = [1, 10];

/** The subcommand. */
export const reconcile: Subcommand = {
  name: "reconcile",
  summary: "Release resources of guests that are gone, and repair the rest",
  description: [
    "A guest is gone only if that is proved: libvirt has no status file of it, and it was seen running before or the daemon that started it has ended. Others are listed and left alone.",
    "It works whether or not the hooks are disabled. What it cannot repair, such as a port that another program's firewall rejects, is shown by virt-hooks status.",
  ],
  args: [],
  options: [
    { name: "dry-run", description: "Show what would be done, and change nothing" },
    {
      name: "rules",
      description:
        "Also bring running guests to what today's rules ask for; otherwise edited rules apply when a guest next starts. Programs of new rules are run. Networks and their ports keep what they hold",
    },
    {
      name: "stale",
      description:
        "Also release guests without a status file whose daemon still runs. Such a guest may be starting: look first",
    },
    {
      name: "exit-code",
      description: `Exit with ${FAILED} if something failed, and with --dry-run with ${PENDING} if changes are pending`,
    },
  ],
  exitCodes: [
    { code: exitCodeOf("bad-rules"), meaning: "With --rules: the rules have mistakes" },
    { code: exitCodeOf("failed"), meaning: "A resource could not be repaired or restored" },
    { code: exitCodeOf("late"), meaning: "A dry run had no time to check all holders" },
  ],
  examples: [
    { command: "virt-hooks reconcile --dry-run", description: "Show what would be released and repaired" },
    { command: "virt-hooks reconcile --rules", description: "Apply edited rules to running guests" },
  ],
  run,
};

async function run(args: Args, context: CliContext): Promise<number> {
  needRoot("reconcile", "reconcile", context);
  // Beside what rules change for guests it is of no interest which of them live.
  const options = { stale: args.flags.has("stale"), listsLiving: !args.flags.has("rules") };
  if (await lookAtConfig(context.sys) === "disabled") {
    context.print(context.paint("yellow", `${DISABLED_FILE} is there: reconcile works all the same, the hooks do not`));
  }
  const isDetailed = args.flags.has("exit-code");
  if (args.flags.has("dry-run")) {
    const pending = await dryRunHeld(options, context);
    const rules = args.flags.has("rules") ? await dryRunRules(context) : NOTHING_PENDING;
    context.print("Nothing was done: this was a dry run");
    return dryRunCode([pending, rules], isDetailed);
  }
  const held = await reconcileHeld(options, context);
  const rules = args.flags.has("rules") ? await reconcileRules(context) : NOTHING_DONE;
  if (args.flags.has("rules") && held.isSilent && rules.isSilent) context.print(NOTHING_TO_DO);
  const code = held.code === 0 ? rules.code : held.code;
  await writeCommandEntry(commandText(args), mergeEffects(held.effects, rules.effects), code, context.sys);
  return isDetailed && code !== 0 ? FAILED : code;
}

function commandText({ flags: switches }: Args): string {
  return ["reconcile", ...["stale", "rules"].filter((name) => switches.has(name)).map((name) => `--${name}`)].join(" ");
}

/** A dry run fails only where it cannot tell what would be done. */
function dryRunCode(dryRun: readonly DryRunResult[], isDetailed: boolean): number {
  const [failure] = dryRun.filter(({ code }) => code !== 0);
  if (!isDetailed) return failure?.code ?? 0;
  if (failure !== undefined) return FAILED;
  return dryRun.some(({ isPending }) => isPending) ? PENDING : 0;
}

const NOTHING_DONE: Reconciliation = { code: 0, effects: NO_EFFECTS, isSilent: true };
const NOTHING_TO_DO = "Nothing to do";
const NOTHING_PENDING: DryRunResult = { code: 0, isPending: false };

/** The holders to release, and those to report. */
export interface ReconcileChoice {
  readonly stale: boolean;
  readonly listsLiving: boolean;
}

async function reconcileHeld(options: ReconcileChoice, context: CliContext): Promise<Reconciliation> {
  const ledger = await openForUpdate(context.sys);
  if (ledger !== undefined) return await reconcileAndPrint(ledger, options, context);
  context.print("Nothing is held");
  return { ...NOTHING_DONE, isSilent: false };
}

/** Reconciles all holders and prints the result. */
export async function reconcileAndPrint(
  ledger: Ledger,
  { stale, listsLiving }: ReconcileChoice,
  context: CliContext,
): Promise<Reconciliation> {
  const ledgerContext = convergeContext(ledger, context);
  const { holders, resources } = await reconcileAll({ includes: () => true, stale }, ledgerContext);
  for (const assessed of holders) {
    if (listsLiving || assessed.verdict.kind !== "alive") {
      printHolder(assessed, assessed.released ? "released" : undefined, context);
    }
  }
  const changed = resources.filter(({ end }) => end !== "unchanged");
  for (const one of changed) context.print(convergedText(one, context));
  for (const note of ledger.notes) context.print(context.paint("yellow", `note: ${visible(note)}`));
  const released = holders.filter((assessed) => assessed.released);
  const results = [...released.flatMap((one) => one.results), ...changed];
  const guests = released.map(({ holder }) => holder.name);
  const isSilent = released.length === 0 && results.length === 0;
  // With --rules it is said when the rules changed nothing either.
  if (isSilent && listsLiving) context.print(NOTHING_TO_DO);
  return {
    code: printSummary({ released: released.length, results }, context),
    effects: { guests, results, notes: ledger.notes },
    isSilent,
  };
}

function printHolder(
  { holder, verdict, results }: Omit<AssessedHolder, "released">,
  done: string | undefined,
  context: CliContext,
): void {
  const line = `${holderText(holder)} ${verdictText(verdict)}`;
  if (done === undefined && verdict.kind !== "stale") {
    context.print(line);
    return;
  }
  if (done === undefined) {
    context.print(context.paint("yellow", line));
    context.print(`  if you know that it is gone: ${releaseCommand(holder)}`);
    return;
  }
  context.print(`${line}: ${context.paint("bold", done)}`);
  for (const result of results) context.print(`  ${convergedText(result, context)}`);
}

/** What a run came to. */
interface ReconcileCounts {
  readonly released: number;
  readonly results: readonly Converged[];
}

function printSummary({ released, results }: ReconcileCounts, context: CliContext): number {
  // A resource that could not be restored is tried again at the end: it counts once.
  const failed = new Set(results.filter((result) => !succeeded(result)).map(({ key }) => key));
  const changed = new Set(results.filter(({ change }) => change !== undefined).map(({ key }) => key));
  if (released === 0 && results.length === 0) return 0;
  const summary = `${formatCount(released, "holder")} released, ${formatCount(changed.size, "resource")} changed`;
  if (failed.size === 0) {
    context.print(summary);
    return 0;
  }
  context.print(context.paint("red", `${summary}, ${failed.size} FAILED: "virt-hooks status" shows them`));
  return exitCodeOf("failed");
}

/** Prints what a run would do: it runs on a view of this host. */
async function dryRunHeld(options: ReconcileChoice, context: CliContext): Promise<DryRunResult> {
  const view = await openReadOnly(context.sys);
  if (view.kind !== "open") {
    context.print("Nothing is held");
    return NOTHING_PENDING;
  }
  const { notes } = view.ledger;
  const run = dryRun(context);
  const { holders, resources } = await reconcileAll(
    { includes: () => true, stale: options.stale },
    convergeContext({ notes }, run),
  );
  for (const assessed of holders) {
    if (!options.listsLiving && assessed.verdict.kind === "alive") continue;
    printHolder({ ...assessed, results: [] }, assessed.released ? "would be released" : undefined, context);
  }
  const results = mergeByKey([...holders.flatMap((assessed) => assessed.results), ...resources]);
  const changed = results.filter(({ end }) => end !== "unchanged");
  for (const one of changed) context.print(`would change: ${dryConvergedText(one, { ...context, ...run })}`);
  for (const note of notes) context.print(context.paint("yellow", `note: ${visible(note)}`));
  const late = holders.filter(({ verdict }) => verdict.kind === "unknown" && verdict.isLate).length;
  if (late > 0) {
    context.print(
      context.paint("red", `No time was left to look at ${late} of ${formatCount(holders.length, "holder")}`),
    );
    return { code: exitCodeOf("late"), isPending: true };
  }
  const isPending = changed.length > 0 || holders.some(({ released }) => released);
  // With --rules the count of guests that would change says it.
  if (options.listsLiving && !isPending) context.print("Nothing would be released or changed");
  return { code: 0, isPending };
}

/** The results of each resource as one, in the order of the keys. */
function mergeByKey(results: readonly Converged[]): readonly Converged[] {
  const merged = new Map<string, Converged>();
  for (const result of results) {
    const before = merged.get(result.key);
    merged.set(result.key, before === undefined ? result : joinConverged(before, result));
  }
  return [...merged.values()].sort((a, b) => a.key < b.key ? -1 : 1);
}
