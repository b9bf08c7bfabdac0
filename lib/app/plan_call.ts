/**
 * From the rules that match to the plan: what a hook carries out and `explain` prints.
 * @module
 */
import type { Action } from "../actions/action.ts";
import type { HookCall } from "../libvirt/call.ts";
import { failurePolicy } from "../libvirt/driver.ts";
import type { Intent } from "../plan/intent.ts";
import { makePlan, type Plan } from "../plan/plan.ts";
import { documentProblem, type RuleMatch } from "../rules/match.ts";
import type { Rule } from "../rules/rule.ts";
import { isDocumentError } from "../xml/limit_error.ts";

/** What the rules that match want done, in order. Pure. */
export function planCall(matches: readonly RuleMatch[], call: HookCall): Plan {
  const matching = matches.filter((match) => match.matches);
  return makePlan(
    matching.flatMap(({ rule }) => numbered(rule.actions.flatMap((action) => planAction(action, rule, call)))),
  );
}

/** What a rule holds several times by one action is told apart by its place: `sysctl.1`, `sysctl.2`. */
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

/** An action that cannot look at the document is a fault of its own. */
function planAction(action: Action, rule: Rule, call: HookCall): readonly Intent[] {
  try {
    return action.plan(rule, call);
  } catch (error) {
    if (!isDocumentError(error)) throw error;
    const onError = failurePolicy(call.facts) === "strict" ? "fail" : "continue";
    const message = documentProblem(error);
    return [{ kind: "fault", rule: rule.name, action: action.kind, message, cause: "document", onError }];
  }
}
