/**
 * From the rules that match to the plan: what a hook carries out and `explain` prints.
 * @module
 */
import type { HookCall } from "../libvirt/call.ts";
import { makePlan, type Plan } from "../plan/plan.ts";
import type { RuleMatch } from "../rules/match.ts";

/** What the rules that match want done, in order. Pure. */
export function planCall(matches: readonly RuleMatch[], call: HookCall): Plan {
  const matching = matches.filter((match) => match.matches);
  return makePlan(matching.flatMap(({ rule }) => rule.actions.flatMap((action) => action.plan(rule, call))));
}
