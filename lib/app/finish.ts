/**
 * What the steps of a plan come to.
 * @module
 */
import type { HookCall } from "../libvirt/call.ts";
import type { RuleMatch } from "../rules/match.ts";
import type { RuleSet } from "../rules/rule.ts";
import type { Host } from "../resources/kinds.ts";
import type { Execution } from "./execute.ts";
import type { Outcome } from "./outcome.ts";
import type { Scrubber } from "./secrets.ts";
import { endsCall, isFatal, type Step } from "./step.ts";

/** What carrying out a plan takes. */
export interface CallContext extends Host {
  readonly matches: readonly RuleMatch[];
  readonly ruleSet: RuleSet;
  readonly call: HookCall;
}

/** The outcome of what was done at once and of what is held. */
export async function finish(
  execution: Execution,
  holds: readonly Step[],
  { matches, call }: CallContext,
): Promise<Outcome> {
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
