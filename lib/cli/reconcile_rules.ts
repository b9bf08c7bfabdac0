/**
 * `virt-hooks reconcile --rules`: edited rules reach guests that run already. What a rule wants now is acquired, what none
 * wants any more is given back, as a hook does at a guest's start.
 * @module
 */
import { acquireHolds } from "../app/acquire_holds.ts";
import { checkHolds } from "../app/check_holds.ts";
import { openHolding } from "../app/holding.ts";
import { fileExists } from "../app/file_exists.ts";
import { readLiveGuests } from "../app/live_guests.ts";
import { loadRules } from "../app/load_rules.ts";
import { exitCodeOf } from "../app/outcome.ts";
import { CONFIG_DIRECTORY } from "../app/paths.ts";
import { planCall } from "../app/plan_call.ts";
import type { Step } from "../app/step.ts";
import { hasLedger } from "../ledger/layout.ts";
import type { HookCall } from "../libvirt/call.ts";
import type { Hold } from "../plan/intent.ts";
import { quote, visible } from "../plan/render.ts";
import { matchRules } from "../rules/match.ts";
import { issueLine } from "../rules/mistake.ts";
import type { RuleSet } from "../rules/rule.ts";
import type { Desk } from "./command.ts";
import { explainHolds } from "./explain_holds.ts";
import { convergedText, shortKey } from "./holder_text.ts";
import { patienceEnd, told } from "./ledger_access.ts";

/** Brings every guest that runs to what today's rules want for it; returns the exit code. */
export async function reconcileRules({ dryRun }: { readonly dryRun: boolean }, desk: Desk): Promise<number> {
  const { sys } = desk;
  const reading = await loadRules(CONFIG_DIRECTORY, sys, { trust: true });
  if (reading.kind === "broken") {
    for (const issue of reading.issues) desk.print(desk.paint("red", visible(issueLine(issue))));
    desk.print("The rules are broken: guests keep what they hold");
    return exitCodeOf("bad-rules");
  }
  let isWell = true;
  for (const guest of readLiveGuests(sys)) {
    if (guest.kind === "unreadable") {
      const what = `FAILED: left alone: ${visible(guest.path)}: ${visible(guest.reason)}`;
      desk.print(desk.paint("red", what));
      isWell = false;
      continue;
    }
    const done = await reconcileGuest(guest.call, { ruleSet: reading.ruleSet, dryRun }, desk);
    isWell &&= done;
  }
  return isWell ? 0 : exitCodeOf("failed");
}

/** Tells whether all went well. */
async function reconcileGuest(
  call: HookCall,
  { ruleSet, dryRun }: { readonly ruleSet: RuleSet; readonly dryRun: boolean },
  desk: Desk,
): Promise<boolean> {
  const matches = await matchRules(ruleSet, call, fileExists(desk.sys));
  const undecided = matches.find(({ problem }) => problem !== undefined);
  const who = `guest ${quote(call.object)} (${call.driver}), by the rules of today`;
  if (undecided?.problem !== undefined) {
    desk.print(desk.paint("red", `${who}: left alone: ${visible(undecided.problem)}`));
    return false;
  }
  const plan = planCall(matches, call);
  const holds = plan.filter((intent) => intent.kind === "hold");
  const faults = plan.filter((intent) => intent.kind === "fault");
  if (plan.length === 0 && !hasLedger(desk.sys)) return true;
  const wanted: Wanted = { holds, call, hasFaults: faults.length > 0 };
  const { lines, isWell } = dryRun ? await foretellGuest(wanted, desk) : await acquireAll(wanted, desk);
  const faultLines = faults.map(({ action, message }) => failure(`${action}: ${visible(message)}`, desk));
  if (lines.length + faultLines.length > 0) desk.print(`${who}:`);
  for (const line of [...faultLines, ...lines]) desk.print(`  ${line}`);
  return isWell && faults.length === 0;
}

/** What today's rules want for a guest. `hasFaults`: of some of it nobody can tell what it comes to. */
interface Wanted {
  readonly holds: readonly Hold[];
  readonly call: HookCall;
  readonly hasFaults: boolean;
}

/** What came of one guest. */
interface Told {
  readonly lines: readonly string[];
  readonly isWell: boolean;
}

async function foretellGuest({ holds, call, hasFaults }: Wanted, desk: Desk): Promise<Told> {
  const { beneath, behind } = await explainHolds(holds, { call, isAlive: true, keepsAll: hasFaults }, desk);
  return { lines: [...holds.flatMap((hold) => beneath.get(hold) ?? []), ...behind], isWell: true };
}

async function acquireAll({ holds, call, hasFaults }: Wanted, desk: Desk): Promise<Told> {
  const { sys } = desk;
  const opened = await told(() => openHolding(call, patienceEnd(sys), sys));
  if (typeof opened === "string") return { lines: [failure(visible(opened), desk)], isWell: false };
  using _opened = opened;
  const holding = { ...opened, isAlive: true } as const;
  const { checked, failed } = await checkHolds(holds, holding);
  const acquired = await acquireHolds(checked, { ...holding, keepsAll: hasFaults || failed.length > 0 });
  const steps = [...failed, ...acquired.steps];
  const lines = [
    ...acquired.gaveUp.map((result) => `gave back ${convergedText(result, desk)}`),
    ...steps.map((step) => stepText(step, desk)),
    ...holding.ledger.notes.map((note) => desk.paint("yellow", `note: ${visible(note)}`)),
  ];
  return { lines, isWell: steps.every(({ end }) => end === "done") };
}

function stepText({ intent, end, problem, resource, change }: Step, desk: Desk): string {
  if (end !== "done") return failure(problem ?? end, desk);
  const name = shortKey(resource ?? intent.kind);
  return change === undefined
    ? `${name}: is as the rules want it`
    : `${name}: ${visible(change.from)} → ${visible(change.to)}`;
}

function failure(problem: string, { paint }: Desk): string {
  return paint("red", `FAILED: ${problem}`);
}
