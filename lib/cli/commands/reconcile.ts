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
  usage: "[--dry-run] [--stale] [--rules] [--exit-code]",
  summary: "Releases what dead guests and networks hold, and makes the host as the others need it",
  details: [
    "Who is dead is never guessed: libvirt has no status file of it, and either it was seen running before or the daemon",
    "that started it is gone. What cannot be told is left alone, and said.",
    "--stale also releases those of whom libvirt has no status file while their daemon still runs: such a guest may just",
    "be starting, so look before.",
    "--rules also brings guests that run to what the rules of today want for them; else edited rules reach a guest when",
    "it starts the next time. Programs of new rules are run. Networks and their ports keep what they hold.",
    'What it cannot cure, such as a port that another program\'s firewall rejects, is told by "virt-hooks status".',
    "--dry-run only tells. Whether the hooks are disabled makes no difference.",
    `--exit-code tells more by the exit code: 0 no change, ${FAILED} something failed, and with --dry-run ${PENDING} changes`,
    "are pending.",
    `Exit code: 0, ${exitCodeOf("failed")} when something could not be brought to what it shall be, ${
      exitCodeOf("bad-rules")
    } for --rules with broken rules.`,
  ],
  texts: [],
  switches: ["dry-run", "exit-code", "rules", "stale"],
  words: { min: 0, max: 0 },
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
  await writeCommandEntry(commandText(args), mergeEffects(held.deeds, rules.deeds), code, context.sys);
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

const NOTHING_DONE: Reconciliation = { code: 0, deeds: NO_EFFECTS, isSilent: true };
const NOTHING_TO_DO = "Nothing to release or to change";
const NOTHING_PENDING: DryRunResult = { code: 0, isPending: false };

/** Whom to release, and whom to tell of. */
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

/** Reconciles everybody and tells what came of it. */
export async function reconcileAndPrint(
  ledger: Ledger,
  { stale, listsLiving }: ReconcileChoice,
  context: CliContext,
): Promise<Reconciliation> {
  const ledgerContext = convergeContext(ledger, context);
  const { holders, resources } = await reconcileAll({ includes: () => true, stale }, ledgerContext);
  for (const judged of holders) {
    if (listsLiving || judged.verdict.kind !== "alive") {
      printHolder(judged, judged.released ? "released" : undefined, context);
    }
  }
  const changed = resources.filter(({ end }) => end !== "unchanged");
  for (const one of changed) context.print(convergedText(one, context));
  for (const note of ledger.notes) context.print(context.paint("yellow", `note: ${visible(note)}`));
  const released = holders.filter((judged) => judged.released);
  const results = [...released.flatMap((one) => one.results), ...changed];
  const guests = released.map(({ holder }) => holder.name);
  const isSilent = released.length === 0 && results.length === 0;
  // With --rules it is said when the rules changed nothing either.
  if (isSilent && listsLiving) context.print(NOTHING_TO_DO);
  return {
    code: printSummary({ released: released.length, results }, context),
    deeds: { guests, results, notes: ledger.notes },
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
  // One that could not be given back is tried again at the end: it counts once.
  const failed = new Set(results.filter((result) => !succeeded(result)).map(({ key }) => key));
  const changed = new Set(results.filter(({ change }) => change !== undefined).map(({ key }) => key));
  if (released === 0 && results.length === 0) return 0;
  const told = `${formatCount(released, "holder")} released, ${formatCount(changed.size, "resource")} changed`;
  if (failed.size === 0) {
    context.print(told);
    return 0;
  }
  context.print(context.paint("red", `${told}, ${failed.size} FAILED: "virt-hooks status" shows them`));
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
  for (const judged of holders) {
    if (!options.listsLiving && judged.verdict.kind === "alive") continue;
    printHolder({ ...judged, results: [] }, judged.released ? "would be released" : undefined, context);
  }
  const results = mergeByKey([...holders.flatMap((judged) => judged.results), ...resources]);
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
