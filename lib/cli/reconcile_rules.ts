/**
 * `virt-hooks reconcile --rules`: edited rules reach guests that run already. What a rule wants now is acquired, what none
 * wants any more is given back, as a hook does at a guest's start.
 * @module
 */
import { acquireHolds } from "../app/holds/acquire.ts";
import { checkHolds } from "../app/holds/check.ts";
import { type CommandEffects, mergeEffects, NO_EFFECTS } from "./command_entry.ts";
import { openHolderSession } from "../app/holds/session.ts";
import { fileExists, planCall } from "../app/decide.ts";
import { readLiveGuests } from "../libvirt/status_guests.ts";
import { loadRules } from "../app/load_rules.ts";
import { exitCodeOf, type Step } from "../app/outcome.ts";
import { CONFIG_DIRECTORY } from "../app/product.ts";
import { compareGuests, differs, type GuestDifference } from "./report/rules_difference.ts";
import { hasLedger } from "../ledger/layout.ts";
import { type Converged, succeeded } from "../ledger/converge.ts";
import type { HookCall } from "../libvirt/call.ts";
import type { Hold } from "../plan/intent.ts";
import type { Plan } from "../plan/plan.ts";
import { quote, visible } from "../text/quote.ts";
import { matchRules, type RuleMatch } from "../rules/match.ts";
import { issueLine } from "../rules/mistake.ts";
import type { RuleSet } from "../rules/rule.ts";
import type { CliContext } from "./subcommand.ts";
import { formatCount } from "../text/plural.ts";
import { differenceLines } from "./terminal/format_difference.ts";
import { explainHolds } from "./explain_holds.ts";
import { changeLines, convergedText, shortKey } from "./terminal/format_holder.ts";
import { patienceEnd, withLedgerErrors } from "./ledger_access.ts";

/** What a dry run found. */
export interface DryRunResult {
  readonly code: number;
  readonly isPending: boolean;
}

/** What a part of a reconciliation did, its exit code, and whether it had nothing to tell. */
export interface Reconciliation {
  readonly code: number;
  readonly effects: CommandEffects;
  readonly isSilent: boolean;
}

/** Brings every guest that runs to what today's rules want for it. */
export async function reconcileRules(
  context: CliContext,
): Promise<Reconciliation> {
  const ruleSet = await readRuleSet(context);
  if (ruleSet === undefined) return { code: exitCodeOf("bad-rules"), effects: NO_EFFECTS, isSilent: false };
  let isWell = true;
  let isSilent = true;
  let effects = NO_EFFECTS;
  for (const guest of readLiveGuests(context.sys)) {
    if (guest.kind === "unreadable") {
      const what = `FAILED: left alone: ${visible(guest.path)}: ${visible(guest.reason)}`;
      context.print(context.paint("red", what));
      isWell = false;
      continue;
    }
    const done = await reconcileGuest(guest.call, ruleSet, context);
    isWell &&= done.isWell;
    isSilent &&= done.lines.length === 0;
    effects = mergeEffects(effects, done.effects);
  }
  return { code: isWell ? 0 : exitCodeOf("failed"), effects, isSilent: isSilent && isWell };
}

async function readRuleSet(context: CliContext): Promise<RuleSet | undefined> {
  const reading = await loadRules(CONFIG_DIRECTORY, context.sys, { trust: true });
  if (reading.kind === "rules") return reading.ruleSet;
  for (const issue of reading.issues) context.print(context.paint("red", visible(issueLine(issue))));
  context.print("The rules are broken: guests keep what they hold");
  return undefined;
}

/** What today's rules come to for a guest. */
interface RulesDecision {
  readonly plan: Plan;
  readonly undecided: RuleMatch | undefined;
}

async function decide(call: HookCall, ruleSet: RuleSet, context: CliContext): Promise<RulesDecision> {
  const matches = await matchRules(ruleSet, call, fileExists(context.sys));
  return { plan: planCall(matches, call), undecided: matches.find(({ problem }) => problem !== undefined) };
}

function guestText({ object, driver }: HookCall): string {
  return `guest ${quote(object)} (${driver})`;
}

/** The result for one guest. */
interface GuestReport {
  readonly lines: readonly string[];
  readonly isWell: boolean;
  readonly effects: CommandEffects;
}

async function reconcileGuest(call: HookCall, ruleSet: RuleSet, context: CliContext): Promise<GuestReport> {
  const { plan, undecided } = await decide(call, ruleSet, context);
  const who = guestText(call);
  if (undecided?.problem !== undefined) {
    context.print(context.paint("red", `${who}: left alone: ${visible(undecided.problem)}`));
    return { lines: [], isWell: false, effects: NO_EFFECTS };
  }
  if (plan.length === 0 && !hasLedger(context.sys)) return { lines: [], isWell: true, effects: NO_EFFECTS };
  const { lines, isWell, effects } = await acquireAll(desiredHolds(plan, call), context);
  const all = [...faultLines(plan, context), ...lines];
  if (all.length > 0) context.print(`${who}:`);
  for (const line of all) context.print(`  ${line}`);
  return { lines: all, isWell: isWell && !hasFaults(plan), effects };
}

function hasFaults(plan: Plan): boolean {
  return plan.some(({ kind }) => kind === "fault");
}

function faultLines(plan: Plan, context: CliContext): readonly string[] {
  return plan.filter((intent) => intent.kind === "fault")
    .map(({ action, message }) => failure(`${action}: ${visible(message)}`, context));
}

/** What today's rules ask for a guest. `keepsAll`: some of it cannot be determined. */
interface DesiredHolds {
  readonly holds: readonly Hold[];
  readonly call: HookCall;
  readonly keepsAll: boolean;
}

function desiredHolds(plan: Plan, call: HookCall): DesiredHolds {
  return { holds: plan.filter((intent) => intent.kind === "hold"), call, keepsAll: hasFaults(plan) };
}

/** Prints what `reconcile --rules` would change, guest by guest. */
export async function dryRunRules(context: CliContext): Promise<DryRunResult> {
  const ruleSet = await readRuleSet(context);
  if (ruleSet === undefined) return { code: exitCodeOf("bad-rules"), isPending: false };
  const counts = { changing: 0, same: 0, unknown: 0 };
  for await (const difference of compareGuests(ruleSet, context.sys)) {
    if (difference.kind === "unknown") {
      const { name, reason } = difference;
      counts.unknown++;
      context.print(
        context.paint("yellow", `guest ${quote(name)}: cannot be compared with the rules: ${visible(reason)}`),
      );
    } else if (differs(difference)) {
      counts.changing++;
      await dryRunGuest(difference, ruleSet, context);
    } else counts.same++;
  }
  const parts = [
    `${formatCount(counts.changing, "running guest")} would change`,
    `${counts.same} would not`,
    ...(counts.unknown === 0 ? [] : [`${counts.unknown} cannot be compared`]),
  ];
  context.print(context.paint("bold", parts.join(", ")));
  return { code: counts.unknown === 0 ? 0 : exitCodeOf("failed"), isPending: counts.changing > 0 };
}

async function dryRunGuest(difference: GuestDifference, ruleSet: RuleSet, context: CliContext): Promise<void> {
  if (difference.kind !== "compared") return;
  const { call } = difference;
  const { plan } = await decide(call, ruleSet, context);
  const { holds, keepsAll } = desiredHolds(plan, call);
  const { beneath, behind } = await explainHolds(holds, { call, isAlive: true, keepsAll }, context);
  context.print(`${guestText(call)}:`);
  const effects = [...holds.flatMap((hold) => effectsOf(hold, beneath.get(hold) ?? [])), ...behind];
  for (const line of new Set([...differenceLines(difference, context), ...faultLines(plan, context), ...effects])) {
    if (!/: stays /.test(line)) context.print(`  ${line}`);
  }
}

/** What a forward would change is told by the difference: all ports are one resource. */
function effectsOf({ resource }: Hold, lines: readonly string[]): readonly string[] {
  return resource === "nft" ? lines.filter((line) => !line.startsWith("now ")) : lines;
}

async function acquireAll({ holds, call, keepsAll }: DesiredHolds, context: CliContext): Promise<GuestReport> {
  const { sys } = context;
  const opened = await withLedgerErrors(() => openHolderSession(call, patienceEnd(sys), context));
  if (typeof opened === "string") {
    return { lines: [failure(visible(opened), context)], isWell: false, effects: { ...NO_EFFECTS, notes: [opened] } };
  }
  using _opened = opened;
  const holding = { ...opened, isAlive: true } as const;
  const { checked, failed } = await checkHolds(holds, holding);
  const acquired = await acquireHolds(checked, { ...holding, keepsAll: keepsAll || failed.length > 0 });
  const steps = [...failed, ...acquired.steps];
  const results = [...acquired.released, ...steps.map(convergedOf), ...acquired.rolledBack].filter(isTold);
  // Where a guest lives is of interest only where something of it changed.
  const usual = new Set(results.length > 0 ? [] : checked.map(({ resolved }) => resolved.note));
  const notes = holding.ledger.notes.filter((note) => !usual.has(note));
  const lines = new Set([
    ...acquired.released.filter(isTold).map((result) => `restored ${convergedText(result, context)}`),
    ...steps.flatMap((step) => stepLines(step, context)),
    ...acquired.rolledBack.filter(isTold).map((result) => `rolled back ${convergedText(result, context)}`),
    ...notes.map((note) => context.paint("yellow", `note: ${visible(note)}`)),
  ]);
  return {
    lines: [...lines],
    isWell: steps.every(({ end }) => end === "done") && [...acquired.released, ...acquired.rolledBack].every(succeeded),
    effects: { guests: results.length === 0 ? [] : [call.object], results, notes },
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

/** A resource that already matches the rules is not printed. */
function stepLines({ intent, end, problem, resource, change }: Step, context: CliContext): readonly string[] {
  if (end !== "done") return [failure(problem ?? end, context)];
  return change === undefined ? [] : changeLines(shortKey(resource ?? intent.kind), change);
}

function failure(problem: string, { paint }: CliContext): string {
  return paint("red", `FAILED: ${problem}`);
}
