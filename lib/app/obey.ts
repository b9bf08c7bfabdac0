/**
 * Rules and a call → what was done. Loaded only on hosts that have rules.
 * @module
 */
import { type HookCall, makeCall } from "../libvirt/call.ts";
import type { Operation } from "../libvirt/driver.ts";
import type { Invocation } from "../libvirt/invocation.ts";
import { matchRules, type RuleMatch } from "../rules/match.ts";
import type { RuleSet } from "../rules/rule.ts";
import type { Sys } from "../sys/sys.ts";
import { XmlSyntaxError } from "../xml/syntax_error.ts";
import { refuseDocument } from "./document.ts";
import { executePlan, type Execution, isFatal, type Step } from "./execute.ts";
import type { Outcome } from "./outcome.ts";
import { planCall } from "./plan_call.ts";

/** What a call is about. */
export interface Asked {
  readonly invocation: Invocation;
  readonly facts: Operation;
  readonly document: Uint8Array;
}

/** Does what the rules want at a call. */
export async function obeyRules(ruleSet: RuleSet, asked: Asked, sys: Sys): Promise<Outcome> {
  const { invocation, facts, document } = asked;
  const call = makeCall(invocation, facts, { host: sys.hostname(), document });
  try {
    return await obey(ruleSet, call, sys);
  } catch (error) {
    if (!(error instanceof XmlSyntaxError)) throw error;
    const problem = `the document on stdin cannot be read: ${error.message}`;
    return { kind: "bad-call", weight: "fails", problem, matches: [], steps: [] };
  }
}

async function obey(ruleSet: RuleSet, call: HookCall, sys: Sys): Promise<Outcome> {
  const matches = matchRules(ruleSet, call, (path) => sys.lstat(path) !== undefined);
  const plan = planCall(matches, call);
  const deadlineMs = ruleSet.settings.budgetsMs[call.driver]?.[call.operation] ?? call.facts.budgetMs;
  const execution = await executePlan(plan, { call, deadlineMs }, sys);
  const outcome = outcomeOfSteps(matches, execution.steps);
  return outcome.weight === "noted" ? withDocument(outcome, execution, call) : outcome;
}

/** The outcome with the document for libvirt, or why it cannot be the document. */
function withDocument(outcome: Outcome, { document }: Execution, call: HookCall): Outcome {
  if (document === undefined || !call.facts.filter) return outcome;
  const problem = refuseDocument(call.xml(), document);
  if (problem !== undefined) return { ...outcome, kind: "failed", weight: "fails", problem };
  return document.text === call.xml().text ? outcome : { ...outcome, stdout: document.text };
}

/** What the steps of a plan come to: the one that decides the call, else the first that went wrong at all. */
function outcomeOfSteps(matches: readonly RuleMatch[], steps: readonly Step[]): Outcome {
  const decisive = steps.find(isFatal);
  const step = decisive ?? steps.find((candidate) => candidate.end !== "done");
  if (step === undefined) return { kind: "done", weight: "noted", matches, steps };
  const problem = `rule "${step.intent.rule}": ${step.problem ?? step.end}`;
  const kind = step.end === "interrupted" ? "failed" : step.end;
  return { kind, weight: decisive === undefined ? "noted" : "insists", problem, hint: step.hint, matches, steps };
}
