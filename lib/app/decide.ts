/**
 * Decides what a call is to do: how much time it has, and the plan of the rules that match. Pure but for looks at
 * files that rules name.
 * @module
 */
import type { Action } from "../actions/action.ts";
import type { HookCall } from "../libvirt/call.ts";
import { failurePolicy } from "../libvirt/driver.ts";
import type { Intent } from "../plan/intent.ts";
import { makePlan, type Plan } from "../plan/plan.ts";
import { documentProblem, type FileExists, type IsLate, neverLate, type RuleMatch } from "../rules/match.ts";
import type { Rule, RuleSet } from "../rules/rule.ts";
import { UnansweredError } from "../sys/paths.ts";
import type { Sys } from "../sys/sys.ts";
import { followPath, type TrustSys } from "../trust/trust.ts";
import { isDocumentError } from "../xml/limit_error.ts";

/** When a call's time is up, in milliseconds since the program started. */
export function deadlineOf(call: HookCall, { settings }: RuleSet): number {
  return settings.budgetsMs[call.driver]?.[call.operation] ?? call.facts.budgetMs;
}

/** Gives a command that shows what a call would do the time that the call has, from now on. */
export function timeLimit(call: HookCall, ruleSet: RuleSet, sys: Pick<Sys, "elapsedMs">): IsLate {
  const endMs = sys.elapsedMs() + deadlineOf(call, ruleSet);
  return () => sys.elapsedMs() >= endMs;
}

/** Whether there is something at a path. Behind a link to itself, or under a name that is too long, nothing can be. */
export function fileExists(sys: TrustSys): FileExists {
  return async (path) => {
    try {
      return await followPath(path, { isLast: true }, sys) !== undefined;
    } catch (error) {
      if (error instanceof UnansweredError) return { unknown: error.message };
      // A folder on the path may belong to another user, which must not be able to turn a rule into a failure.
      return false;
    }
  };
}

/** What the rules that match want done, in order. Pure. */
export function planCall(matches: readonly RuleMatch[], call: HookCall, isLate: IsLate = neverLate): Plan {
  const matching = matches.filter((match) => match.matches);
  return makePlan(
    matching.flatMap(({ rule }) =>
      numbered(rule.actions.flatMap((action) => planAction(action, rule, { call, isLate })))
    ),
  );
}

/** Numbers several holds of one action in a rule: `sysctl.1`, `sysctl.2`. */
function numbered(intents: readonly Intent[]): readonly Intent[] {
  const totals = new Map<string, number>();
  const counts = new Map<string, number>();
  for (const intent of intents) {
    if (intent.kind === "hold") totals.set(intent.action, (totals.get(intent.action) ?? 0) + 1);
  }
  return intents.map((intent) => {
    if (intent.kind !== "hold" || totals.get(intent.action) === 1) return intent;
    const count = (counts.get(intent.action) ?? 0) + 1;
    counts.set(intent.action, count);
    return { ...intent, action: `${intent.action}.${count}` };
  });
}

/** An action that cannot look at the document is a fault of its own, and counts as its failure does. */
function planAction(
  action: Action,
  rule: Rule,
  { call, isLate }: { readonly call: HookCall; readonly isLate: IsLate },
): readonly Intent[] {
  const onError = action.onError ?? (failurePolicy(call.facts) === "strict" ? "fail" : "continue");
  const fault = { kind: "fault", rule: rule.name, action: action.kind, onError } as const;
  if (action.usesDocument && isLate()) {
    return [{ ...fault, message: "no time is left for this call to look at the document", cause: "time" }];
  }
  try {
    return action.plan(rule, call);
  } catch (error) {
    if (!isDocumentError(error)) throw error;
    return [{ ...fault, message: documentProblem(error), cause: "document" }];
  }
}
