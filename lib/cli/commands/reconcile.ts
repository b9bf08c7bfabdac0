/**
 * `virt-hooks reconcile`: releases what the dead hold, and brings the host to what the living hold.
 * @module
 */
import { lookAtConfig } from "../../app/config_folder.ts";
import { bothDeeds, NO_DEEDS, writeCommandEntry } from "../../app/command_entry.ts";
import { exitCodeOf } from "../../app/outcome.ts";
import { DISABLED_FILE } from "../../app/paths.ts";
import { type Converged, isWell } from "../../ledger/work.ts";
import { foresee } from "../../ledger/foresee.ts";
import { heldOf } from "../../ledger/goal.ts";
import { demandsOf } from "../../ledger/holds.ts";
import type { Ledger } from "../../ledger/ledger.ts";
import { ALL_LIFETIMES, isOver, type Judged, reconcile as reconcileAll } from "../../ledger/reconcile.ts";
import { surveyHolders, surveyResources } from "../../ledger/survey.ts";
import { visible } from "../../text/quote.ts";
import type { Desk, Given, Subcommand } from "../subcommand.ts";
import { counted } from "../../text/plural.ts";
import { convergedText, holderText, releaseCommand, verdictText } from "../terminal/format_holder.ts";
import { lookoutOn, openForLook, openForWork, workOn } from "../ledger_access.ts";
import { needRoot } from "../need_root.ts";
import { foretellRules, type Foretold, reconcileRules, type Reconciliation } from "../reconcile_rules.ts";

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

async function run(given: Given, desk: Desk): Promise<number> {
  needRoot("reconcile", "reconcile", desk);
  // Beside what rules change for guests it is of no interest which of them live.
  const options = { stale: given.switches.has("stale"), listsLiving: !given.switches.has("rules") };
  if (await lookAtConfig(desk.sys) === "disabled") {
    desk.print(desk.paint("yellow", `${DISABLED_FILE} is there: reconcile works all the same, the hooks do not`));
  }
  const isDetailed = given.switches.has("exit-code");
  if (given.switches.has("dry-run")) {
    const pending = await foretell(options, desk);
    const rules = given.switches.has("rules") ? await foretellRules(desk) : NOTHING_PENDING;
    desk.print("Nothing was done: this was a dry run");
    return dryRunCode([pending, rules], isDetailed);
  }
  const held = await reconcileHeld(options, desk);
  const rules = given.switches.has("rules") ? await reconcileRules(desk) : NOTHING_DONE;
  if (given.switches.has("rules") && held.isSilent && rules.isSilent) desk.print(NOTHING_TO_DO);
  const code = held.code === 0 ? rules.code : held.code;
  await writeCommandEntry(commandText(given), bothDeeds(held.deeds, rules.deeds), code, desk.sys);
  return isDetailed && code !== 0 ? FAILED : code;
}

function commandText({ switches }: Given): string {
  return ["reconcile", ...["stale", "rules"].filter((name) => switches.has(name)).map((name) => `--${name}`)].join(" ");
}

/** A dry run fails only where it cannot tell what would be done. */
function dryRunCode(foretold: readonly Foretold[], isDetailed: boolean): number {
  const [failure] = foretold.filter(({ code }) => code !== 0);
  if (!isDetailed) return failure?.code ?? 0;
  if (failure !== undefined) return FAILED;
  return foretold.some(({ isPending }) => isPending) ? PENDING : 0;
}

const NOTHING_DONE: Reconciliation = { code: 0, deeds: NO_DEEDS, isSilent: true };
const NOTHING_TO_DO = "Nothing to release or to change";
const NOTHING_PENDING: Foretold = { code: 0, isPending: false };

/** Whom to release, and whom to tell of. */
export interface ReconcileChoice {
  readonly stale: boolean;
  readonly listsLiving: boolean;
}

async function reconcileHeld(options: ReconcileChoice, desk: Desk): Promise<Reconciliation> {
  const ledger = await openForWork(desk.sys);
  if (ledger !== undefined) return await reconcileAndTell(ledger, options, desk);
  desk.print("Nothing is held");
  return { ...NOTHING_DONE, isSilent: false };
}

/** Reconciles everybody and tells what came of it. */
export async function reconcileAndTell(
  ledger: Ledger,
  { stale, listsLiving }: ReconcileChoice,
  desk: Desk,
): Promise<Reconciliation> {
  const work = workOn(ledger, desk.sys);
  const { holders, resources } = await reconcileAll({ includes: () => true, stale }, work);
  for (const judged of holders) {
    if (listsLiving || judged.verdict.kind !== "alive") {
      tellJudged(judged, judged.released ? "released" : undefined, desk);
    }
  }
  const changed = resources.filter(({ end }) => end !== "unchanged");
  for (const one of changed) desk.print(convergedText(one, desk));
  for (const note of ledger.notes) desk.print(desk.paint("yellow", `note: ${visible(note)}`));
  const released = holders.filter((judged) => judged.released);
  const results = [...released.flatMap((one) => one.results), ...changed];
  const guests = released.map(({ holder }) => holder.name);
  const isSilent = released.length === 0 && results.length === 0;
  // With --rules it is said when the rules changed nothing either.
  if (isSilent && listsLiving) desk.print(NOTHING_TO_DO);
  return {
    code: tellEnd({ released: released.length, results }, desk),
    deeds: { guests, results, notes: ledger.notes },
    isSilent,
  };
}

function tellJudged(
  { holder, verdict, results }: Omit<Judged, "released">,
  done: string | undefined,
  desk: Desk,
): void {
  const line = `${holderText(holder)} ${verdictText(verdict)}`;
  if (done === undefined && verdict.kind !== "stale") {
    desk.print(line);
    return;
  }
  if (done === undefined) {
    desk.print(desk.paint("yellow", line));
    desk.print(`  if you know that it is gone: ${releaseCommand(holder)}`);
    return;
  }
  desk.print(`${line}: ${desk.paint("bold", done)}`);
  for (const result of results) desk.print(`  ${convergedText(result, desk)}`);
}

/** What a run came to. */
interface Sum {
  readonly released: number;
  readonly results: readonly Converged[];
}

function tellEnd({ released, results }: Sum, desk: Desk): number {
  // One that could not be given back is tried again at the end: it counts once.
  const failed = new Set(results.filter((result) => !isWell(result)).map(({ key }) => key));
  const changed = new Set(results.filter(({ change }) => change !== undefined).map(({ key }) => key));
  if (released === 0 && results.length === 0) return 0;
  const told = `${counted(released, "holder")} released, ${counted(changed.size, "resource")} changed`;
  if (failed.size === 0) {
    desk.print(told);
    return 0;
  }
  desk.print(desk.paint("red", `${told}, ${failed.size} FAILED: "virt-hooks status" shows them`));
  return exitCodeOf("failed");
}

/** Tells what would be done. */
async function foretell(options: ReconcileChoice, desk: Desk): Promise<Foretold> {
  const look = await openForLook(desk.sys);
  if (look.kind !== "open") {
    desk.print("Nothing is held");
    return NOTHING_PENDING;
  }
  const lookout = lookoutOn(look.ledger, desk.sys);
  const resources = await surveyResources(lookout);
  const gone = new Set<string>();
  const holders = await surveyHolders(resources, desk.sys);
  for (const { holder, verdict } of holders) {
    const isGone = isOver(verdict, options);
    if (options.listsLiving || verdict.kind !== "alive") {
      tellJudged({ holder, verdict, results: [] }, isGone ? "would be released" : undefined, desk);
    }
    if (!isGone) continue;
    for (const { path } of await demandsOf({ holder, lifetimes: ALL_LIFETIMES }, lookout)) gone.add(path);
  }
  const foreseen = resources.map((surveyed) =>
    foresee(surveyed, surveyed.demands.filter(({ path }) => !gone.has(path)).map(heldOf))
  ).filter(({ end }) => end !== "unchanged");
  for (const one of foreseen) desk.print(`would change: ${convergedText(one, desk)}`);
  for (const note of look.ledger.notes) desk.print(desk.paint("yellow", `note: ${visible(note)}`));
  const late = holders.filter(({ verdict }) => verdict.kind === "unknown" && verdict.isLate).length;
  if (late > 0) {
    desk.print(desk.paint("red", `No time was left to look at ${late} of ${counted(holders.length, "holder")}`));
    return { code: exitCodeOf("late"), isPending: true };
  }
  // With --rules the count of guests that would change says it.
  if (options.listsLiving && gone.size === 0 && foreseen.length === 0) {
    desk.print("Nothing would be released or changed");
  }
  return { code: 0, isPending: gone.size > 0 || foreseen.length > 0 };
}
