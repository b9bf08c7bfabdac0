/**
 * What a rule may say about failures and time, where its programs are run.
 * @module
 */
import { failurePolicy, type Operation } from "../libvirt/driver.ts";
import type { OnError } from "../plan/intent.ts";
import { lifetimeOf } from "./action.ts";
import type { HookPoint, RuleContext, RuleProblem } from "../config/rule_context.ts";

/** An `on_error` that cannot have an effect at any of these places. */
export function onErrorProblems(
  onError: OnError | undefined,
  hookPoints: readonly HookPoint[],
): readonly RuleProblem[] {
  if (onError !== "fail" || hookPoints.some((hookPoint) => failurePolicy(hookPoint.facts) !== "never")) return [];
  const expected = '"continue": at these operations a hook never fails the call';
  return [{ path: ["on_error"], found: '"fail"', expected }];
}

/** A `timeout` that no call gives it. */
export function timeoutProblems(
  timeoutMs: number | undefined,
  hookPoints: readonly HookPoint[],
): readonly RuleProblem[] {
  const budgetMs = Math.max(...hookPoints.map((hookPoint) => hookPoint.budgetMs));
  if (timeoutMs === undefined || timeoutMs <= budgetMs) return [];
  const expected = `${budgetMs / 1000} s at most, the time a call has here (settings.budgets can change it)`;
  return [{ path: ["timeout"], found: `${timeoutMs / 1000} s`, expected }];
}

/** Whether calls of an operation acquire what lasts so long; at the other beginnings of a life it is only checked. */
export function isAcquiredAt(facts: Operation, lasts: "domain" | "running", rule: RuleContext): boolean {
  return facts.lifetimes.includes(lifetimeOf(lasts, rule));
}
