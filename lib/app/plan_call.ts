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

/** Several holds of one rule that would have one name get numbers: by its action a demand is told from the rule's others. */
function numbered(intents: readonly Intent[]): readonly Intent[] {
  const names = intents.flatMap((intent) => intent.kind === "hold" ? [intent.action] : []);
  const counts = new Map<string, number>();
  return intents.map((intent) => {
    if (intent.kind !== "hold" || names.indexOf(intent.action) === names.lastIndexOf(intent.action)) return intent;
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
