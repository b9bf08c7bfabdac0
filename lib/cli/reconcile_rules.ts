/**
 * `virt-hooks reconcile --rules`: edited rules reach guests that run already. What a rule wants now is acquired, what none
 * wants any more is given back, as a hook does at a guest's start.
 * @module
 */
import { acquireHolds } from "../app/acquire_holds.ts";
import { checkHolds } from "../app/check_holds.ts";
import { bothDeeds, type CommandDeeds, NO_DEEDS } from "../app/command_entry.ts";
import { openHolding } from "../app/holding.ts";
import { fileExists } from "../app/file_exists.ts";
import { readLiveGuests } from "../libvirt/status_guests.ts";
import { loadRules } from "../app/load_rules.ts";
import { exitCodeOf } from "../app/outcome.ts";
import { CONFIG_DIRECTORY } from "../app/paths.ts";
import { planCall } from "../app/plan_call.ts";
import { compareGuests, differs, type GuestDifference } from "../app/rules_difference.ts";
import type { Step } from "../app/step.ts";
import { hasLedger } from "../ledger/layout.ts";
import { type Converged, isWell } from "../ledger/work.ts";
import type { HookCall } from "../libvirt/call.ts";
import type { Hold } from "../plan/intent.ts";
import type { Plan } from "../plan/plan.ts";
import { quote, visible } from "../text/quote.ts";
import { matchRules, type RuleMatch } from "../rules/match.ts";
import { issueLine } from "../rules/mistake.ts";
import type { RuleSet } from "../rules/rule.ts";
import type { Desk } from "./subcommand.ts";
import { counted } from "../text/plural.ts";
import { differenceLines } from "./terminal/format_difference.ts";
import { explainHolds } from "./explain_holds.ts";
import { changeLines, convergedText, shortKey } from "./terminal/format_holder.ts";
import { patienceEnd, told } from "./ledger_access.ts";

/** What a dry run found. */
export interface Foretold {
  readonly code: number;
  readonly isPending: boolean;
}

/** What a part of a reconciliation did, its exit code, and whether it had nothing to tell. */
export interface Reconciliation {
  readonly code: number;
  readonly deeds: CommandDeeds;
  readonly isSilent: boolean;
}

/** Brings every guest that runs to what today's rules want for it. */
export async function reconcileRules(
  desk: Desk,
): Promise<Reconciliation> {
  const ruleSet = await readRuleSet(desk);
  if (ruleSet === undefined) return { code: exitCodeOf("bad-rules"), deeds: NO_DEEDS, isSilent: false };
  let isWell = true;
  let isSilent = true;
  let deeds = NO_DEEDS;
  for (const guest of readLiveGuests(desk.sys)) {
    if (guest.kind === "unreadable") {
      const what = `FAILED: left alone: ${visible(guest.path)}: ${visible(guest.reason)}`;
      desk.print(desk.paint("red", what));
      isWell = false;
      continue;
    }
    const done = await reconcileGuest(guest.call, ruleSet, desk);
    isWell &&= done.isWell;
    isSilent &&= done.lines.length === 0;
    deeds = bothDeeds(deeds, done.deeds);
  }
  return { code: isWell ? 0 : exitCodeOf("failed"), deeds, isSilent: isSilent && isWell };
}

async function readRuleSet(desk: Desk): Promise<RuleSet | undefined> {
  const reading = await loadRules(CONFIG_DIRECTORY, desk.sys, { trust: true });
  if (reading.kind === "rules") return reading.ruleSet;
  for (const issue of reading.issues) desk.print(desk.paint("red", visible(issueLine(issue))));
  desk.print("The rules are broken: guests keep what they hold");
  return undefined;
}

/** What today's rules come to for a guest. */
interface Decision {
  readonly plan: Plan;
  readonly undecided: RuleMatch | undefined;
}

async function decide(call: HookCall, ruleSet: RuleSet, desk: Desk): Promise<Decision> {
  const matches = await matchRules(ruleSet, call, fileExists(desk.sys));
  return { plan: planCall(matches, call), undecided: matches.find(({ problem }) => problem !== undefined) };
}

function guestText({ object, driver }: HookCall): string {
  return `guest ${quote(object)} (${driver})`;
}

/** What came of one guest. */
interface Told {
  readonly lines: readonly string[];
  readonly isWell: boolean;
  readonly deeds: CommandDeeds;
}

async function reconcileGuest(call: HookCall, ruleSet: RuleSet, desk: Desk): Promise<Told> {
  const { plan, undecided } = await decide(call, ruleSet, desk);
  const who = guestText(call);
  if (undecided?.problem !== undefined) {
    desk.print(desk.paint("red", `${who}: left alone: ${visible(undecided.problem)}`));
    return { lines: [], isWell: false, deeds: NO_DEEDS };
  }
  if (plan.length === 0 && !hasLedger(desk.sys)) return { lines: [], isWell: true, deeds: NO_DEEDS };
  const { lines, isWell, deeds } = await acquireAll(wantedOf(plan, call), desk);
  const all = [...faultLines(plan, desk), ...lines];
  if (all.length > 0) desk.print(`${who}:`);
  for (const line of all) desk.print(`  ${line}`);
  return { lines: all, isWell: isWell && !hasFaults(plan), deeds };
}

function hasFaults(plan: Plan): boolean {
  return plan.some(({ kind }) => kind === "fault");
}

function faultLines(plan: Plan, desk: Desk): readonly string[] {
  return plan.filter((intent) => intent.kind === "fault")
    .map(({ action, message }) => failure(`${action}: ${visible(message)}`, desk));
}

/** What today's rules want for a guest. `keepsAll`: of some of it nobody can tell what it comes to. */
interface Wanted {
  readonly holds: readonly Hold[];
  readonly call: HookCall;
  readonly keepsAll: boolean;
}

function wantedOf(plan: Plan, call: HookCall): Wanted {
  return { holds: plan.filter((intent) => intent.kind === "hold"), call, keepsAll: hasFaults(plan) };
}

/** Tells what `reconcile --rules` would change, guest by guest. */
export async function foretellRules(desk: Desk): Promise<Foretold> {
  const ruleSet = await readRuleSet(desk);
  if (ruleSet === undefined) return { code: exitCodeOf("bad-rules"), isPending: false };
  const counts = { changing: 0, same: 0, unknown: 0 };
  for await (const difference of compareGuests(ruleSet, desk.sys)) {
    if (difference.kind === "unknown") {
      const { name, reason } = difference;
      counts.unknown++;
      desk.print(desk.paint("yellow", `guest ${quote(name)}: cannot be compared with the rules: ${visible(reason)}`));
    } else if (differs(difference)) {
      counts.changing++;
      await foretellGuest(difference, ruleSet, desk);
    } else counts.same++;
  }
  const parts = [
    `${counted(counts.changing, "running guest")} would change`,
    `${counts.same} would not`,
    ...(counts.unknown === 0 ? [] : [`${counts.unknown} cannot be compared`]),
  ];
  desk.print(desk.paint("bold", parts.join(", ")));
  return { code: counts.unknown === 0 ? 0 : exitCodeOf("failed"), isPending: counts.changing > 0 };
}

async function foretellGuest(difference: GuestDifference, ruleSet: RuleSet, desk: Desk): Promise<void> {
  if (difference.kind !== "compared") return;
  const { call } = difference;
  const { plan } = await decide(call, ruleSet, desk);
  const { holds, keepsAll } = wantedOf(plan, call);
  const { beneath, behind } = await explainHolds(holds, { call, isAlive: true, keepsAll }, desk);
  desk.print(`${guestText(call)}:`);
  const effects = [...holds.flatMap((hold) => effectsOf(hold, beneath.get(hold) ?? [])), ...behind];
  for (const line of new Set([...differenceLines(difference, desk), ...faultLines(plan, desk), ...effects])) {
    if (!/: stays /.test(line)) desk.print(`  ${line}`);
  }
}

/** What a forward would change is told by the difference: all ports are one resource. */
function effectsOf({ resource }: Hold, lines: readonly string[]): readonly string[] {
  return resource === "nft" ? lines.filter((line) => !line.startsWith("now ")) : lines;
}

async function acquireAll({ holds, call, keepsAll }: Wanted, desk: Desk): Promise<Told> {
  const { sys } = desk;
  const opened = await told(() => openHolding(call, patienceEnd(sys), sys));
  if (typeof opened === "string") {
    return { lines: [failure(visible(opened), desk)], isWell: false, deeds: { ...NO_DEEDS, notes: [opened] } };
  }
  using _opened = opened;
  const holding = { ...opened, isAlive: true } as const;
  const { checked, failed } = await checkHolds(holds, holding);
  const acquired = await acquireHolds(checked, { ...holding, keepsAll: keepsAll || failed.length > 0 });
  const steps = [...failed, ...acquired.steps];
  const results = [...acquired.gaveUp, ...steps.map(convergedOf), ...acquired.tookBack].filter(isTold);
  // Where a guest lives is of interest only where something of it changed.
  const usual = new Set(results.length > 0 ? [] : checked.map(({ ready }) => ready.note));
  const notes = holding.ledger.notes.filter((note) => !usual.has(note));
  const lines = new Set([
    ...acquired.gaveUp.filter(isTold).map((result) => `gave back ${convergedText(result, desk)}`),
    ...steps.flatMap((step) => stepLines(step, desk)),
    ...acquired.tookBack.filter(isTold).map((result) => `took back ${convergedText(result, desk)}`),
    ...notes.map((note) => desk.paint("yellow", `note: ${visible(note)}`)),
  ]);
  return {
    lines: [...lines],
    isWell: steps.every(({ end }) => end === "done") && [...acquired.gaveUp, ...acquired.tookBack].every(isWell),
    deeds: { guests: results.length === 0 ? [] : [call.object], results, notes },
  };
}

function isTold({ end }: Converged): boolean {
  return end !== "unchanged";
}

/** A step as the history's `holds` have it. */
function convergedOf({ intent, end, problem, resource, change }: Step): Converged {
  const key = resource ?? intent.kind;
  if (end !== "done") return { key, end: end === "late" ? "late" : "failed", problem: problem ?? end };
  return change === undefined ? { key, end: "unchanged" } : { key, end: "changed", change };
}

/** What was as the rules want it already is not told. */
function stepLines({ intent, end, problem, resource, change }: Step, desk: Desk): readonly string[] {
  if (end !== "done") return [failure(problem ?? end, desk)];
  return change === undefined ? [] : changeLines(shortKey(resource ?? intent.kind), change);
}

function failure(problem: string, { paint }: Desk): string {
  return paint("red", `FAILED: ${problem}`);
}
