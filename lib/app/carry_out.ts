/**
 * A plan is carried out: what is held is checked before anything is done, what is done at once comes next, and then the
 * holds are acquired.
 * @module
 */
import type { HookCall } from "../libvirt/call.ts";
import type { Deed, Hold } from "../plan/intent.ts";
import type { Plan } from "../plan/plan.ts";
import { renderIntent } from "../plan/render.ts";
import type { RuleMatch } from "../rules/match.ts";
import type { RuleSet } from "../rules/rule.ts";
import type { Sys } from "../sys/sys.ts";
import { hasLedger } from "../ledger/layout.ts";
import type { Acquisition, Holding } from "./acquire_holds.ts";
import type { Checked } from "./check_holds.ts";
import { executeDeeds, type Execution } from "./execute.ts";
import { ownOf } from "./leftovers.ts";
import type { Outcome } from "./outcome.ts";
import type { Scrubber } from "./secrets.ts";
import { endsCall, isFatal, type Step } from "./step.ts";
import { launchWaiter } from "./waiter.ts";

/** What carrying out a plan takes. */
export interface Errand {
  readonly matches: readonly RuleMatch[];
  readonly ruleSet: RuleSet;
  readonly call: HookCall;
  readonly sys: Sys;
}

/** Carries a plan out. */
export async function carryOut(plan: Plan, errand: Errand): Promise<Outcome> {
  const { call, ruleSet } = errand;
  const deadlineMs = ruleSet.settings.budgetsMs[call.driver]?.[call.operation] ?? call.facts.budgetMs;
  const deeds = plan.filter((intent) => intent.kind !== "hold");
  const holds = plan.filter((intent) => intent.kind === "hold");
  const isHolding = call.facts.verb === "acquire" && (holds.length > 0 || hasLedger(errand.sys));
  return isHolding
    ? await carryOutHolding({ deeds, holds, deadlineMs }, errand)
    : await finish(await executeDeeds(deeds, { call, deadlineMs }, errand.sys), [], errand);
}

/** A plan in its parts. */
interface Parts {
  readonly deeds: readonly Deed[];
  readonly holds: readonly Hold[];
  readonly deadlineMs: number;
}

/** A call that begins a life. */
async function carryOutHolding({ deeds, holds, deadlineMs }: Parts, errand: Errand): Promise<Outcome> {
  const { call, sys } = errand;
  const { openHolding, acquireHolds } = await import("./acquire_holds.ts");
  const { checkHolds } = await import("./check_holds.ts");
  const refusals = deeds.filter(({ kind }) => kind === "deny");
  const options = { call, deadlineMs };
  if (refusals.length > 0) return await finish(await executeDeeds(refusals, options, sys), [], errand);
  const holding = await openSafely(() => openHolding(call, deadlineMs, sys));
  if (typeof holding === "string") return await unheld(holding, { deeds, holds, deadlineMs }, errand);
  using _holding = holding;
  const { checked, failed } = await checkHolds(holds, holding);
  const execution = await executeDeeds(failed.some(isFatal) ? [] : deeds, options, sys);
  const isOver = failed.some(isFatal) || execution.steps.some(endsCall);
  const { steps, gaveUp } = isOver ? NOTHING_ACQUIRED : await acquireHolds(ownOf(checked, call), holding);
  const { notes } = holding.ledger;
  if (steps.some(({ end }) => end === "done")) notes.push(...await waitFor(ownOf(checked, call), sys));
  const outcome = await finish(execution, [...failed, ...steps], errand);
  return notes.length + gaveUp.length === 0 ? outcome : { ...outcome, kept: { results: gaveUp, notes } };
}

const NOTHING_ACQUIRED = { steps: [], gaveUp: [] } as const satisfies Acquisition;

/** A guest's address may come when no hook is called any more. */
async function waitFor(checked: readonly Checked[], sys: Sys): Promise<readonly string[]> {
  if (!checked.some(({ ready: { resource, record } }) => resource.waits?.(record.demand))) return [];
  const problem = await launchWaiter(sys);
  return problem === undefined ? [] : [problem];
}

async function openSafely(open: () => Promise<Holding | string>): Promise<Holding | string> {
  try {
    return await open();
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** Nothing can be held: a failure of every hold; what else the plan says goes on where they let it. */
async function unheld(reason: string, { deeds, holds, deadlineMs }: Parts, errand: Errand): Promise<Outcome> {
  const steps = holds.map((intent): Step => ({
    intent,
    plan: renderIntent(intent),
    end: "failed",
    problem: `cannot hold ${intent.text}: ${reason}`,
    durationMs: 0,
  }));
  const isOver = steps.some(isFatal);
  const execution = await executeDeeds(isOver ? [] : deeds, { call: errand.call, deadlineMs }, errand.sys);
  return await finish(execution, steps, errand);
}

async function finish(execution: Execution, holds: readonly Step[], { matches, call }: Errand): Promise<Outcome> {
  const { scrubber } = execution;
  const steps = [...execution.steps, ...holds.map((step) => scrubHold(step, scrubber))];
  const outcome = outcomeOfSteps(scrubMatches(matches, scrubber), steps);
  return outcome.weight === "noted" ? await withDocument(outcome, execution, call) : outcome;
}

/** What is held may be named after something in the document. */
function scrubHold(step: Step, scrubber: Scrubber): Step {
  const { problem } = step;
  return {
    ...step,
    plan: scrubber.scrubOwn(step.plan),
    problem: problem === undefined ? undefined : scrubber.scrubOwn(problem),
  };
}

/** The outcome with the document for libvirt, or why it cannot be the document. */
async function withDocument(outcome: Outcome, { document, scrubber }: Execution, call: HookCall): Promise<Outcome> {
  if (document === undefined || !call.facts.filter) return outcome;
  const { refuseDocument } = await import("./document.ts");
  const problem = refuseDocument(call.xml(), document);
  if (problem !== undefined) {
    return { ...outcome, kind: "failed", weight: "fails", problem: scrubber.scrubOwn(problem) };
  }
  return document.text === call.xml().text ? outcome : { ...outcome, stdout: document.text };
}

/** A label's value can be a secret too. */
function scrubMatches(matches: readonly RuleMatch[], scrubber: Scrubber): readonly RuleMatch[] {
  return matches.map((match) => ({
    ...match,
    verdicts: match.verdicts.map(({ holds, because }) => ({ holds, because: scrubber.scrubOwn(because) })),
  }));
}

/** What the steps of a plan come to: the one that decides the call, else the first that went wrong at all. */
function outcomeOfSteps(matches: readonly RuleMatch[], steps: readonly Step[]): Outcome {
  const decisive = steps.find(endsCall);
  const step = decisive ?? steps.find((candidate) => candidate.end !== "done");
  if (step === undefined) return { kind: "done", weight: "noted", matches, steps };
  const problem = `rule "${step.intent.rule}": ${step.problem ?? step.end}`;
  const kind = step.end === "interrupted" ? "failed" : step.end;
  return { kind, weight: weightOf(decisive), problem, hint: step.hint, matches, steps };
}

function weightOf(decisive: Step | undefined): Outcome["weight"] {
  if (decisive === undefined) return "noted";
  return isFatal(decisive) ? "insists" : "fails";
}
