/**
 * `deny = "message"`: refuses what libvirt asks for, with a message that libvirt's client shows.
 * @module
 */
import * as v from "valibot";
import type { HookCall } from "../libvirt/call.ts";
import { type Consequence, failurePolicy } from "../libvirt/driver.ts";
import type { Intent } from "../plan/intent.ts";
import type { Action } from "./action.ts";
import type { HookPoint, RuleContext, RuleProblem } from "../config/rule_context.ts";
import { placeholderProblems, substitute, type Template, templateSchema, usesDocument } from "../config/placeholder.ts";

/** Schema of `deny`. */
export function denySchema(): v.GenericSchema<string, Action> {
  return v.pipe(
    v.string("a string"),
    v.check((message) => message.trim() !== "", "a message that tells people why"),
    templateSchema(),
    v.transform(deny),
  );
}

function deny(message: Template): Action {
  return {
    kind: "deny",
    lasts: "event",
    usesDocument: usesDocument(message),
    programs: [],
    findProblems: (
      rule,
      hookPoints,
    ) => [...refusalProblems(hookPoints), ...placeholderProblems(message, { rule, hookPoints, path: [] })],
    plan: (rule, call) => [planDeny(rule, message, call)],
  };
}

function planDeny(rule: RuleContext, message: Template, call: HookCall): Intent {
  const filled = substitute(message, rule, call);
  // The call is refused even if the message contains a placeholder without a value.
  return { kind: "deny", rule: rule.name, message: filled.kind === "filled" ? filled.text : message.text };
}

const CONSEQUENCES = {
  aborts: "",
  kills: "it would kill the running guest",
  abandons: "libvirt would lose track of the running guest",
  leaks: "libvirt 9 would leave the network's bridge behind",
  reports: "the change is already made and stays",
  ignored: "libvirt ignores it",
} as const satisfies Record<Consequence, string>;

function refusalProblems(hookPoints: readonly HookPoint[]): readonly RuleProblem[] {
  return hookPoints.filter((hookPoint) => failurePolicy(hookPoint.facts) !== "strict").slice(0, 1).map((hookPoint) => ({
    path: [],
    found: `deny at ${hookPoint.driver.name} ${hookPoint.operation}`,
    expected: `an operation that can be refused: here ${CONSEQUENCES[hookPoint.facts.onFailure]}`,
  }));
}
