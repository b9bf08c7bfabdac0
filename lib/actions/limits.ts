/**
 * Limits on what a rule may set for failures and time.
 * @module
 */
import { failurePolicy, type Operation } from "../libvirt/driver.ts";
import type { OnError } from "../plan/intent.ts";
import { lifetimeOf } from "./action.ts";
import type { HookPoint, RuleContext, RuleProblem } from "../config/rule_context.ts";

/** Finds an `on_error` that has no effect at any of the hook points. */
export function onErrorProblems(
  onError: OnError | undefined,
  hookPoints: readonly HookPoint[],
): readonly RuleProblem[] {
  if (onError !== "fail" || hookPoints.some((hookPoint) => failurePolicy(hookPoint.facts) !== "never")) return [];
  const expected = '"continue": at these operations a hook never fails the call';
  return [{ path: ["on_error"], found: '"fail"', expected }];
}

/** Finds a `timeout` that is longer than the budget of every call. */
export function timeoutProblems(
  timeoutMs: number | undefined,
  hookPoints: readonly HookPoint[],
): readonly RuleProblem[] {
  const budgetMs = Math.max(...hookPoints.map((hookPoint) => hookPoint.budgetMs));
  if (timeoutMs === undefined || timeoutMs <= budgetMs) return [];
  const expected = `${budgetMs / 1000} s at most, the time limit of a call here (settings.budgets can change it)`;
  return [{ path: ["timeout"], found: `${timeoutMs / 1000} s`, expected }];
}

/** Whether this operation acquires holds of this lifetime. Other start operations only check them. */
export function isAcquiredAt(facts: Operation, lasts: "domain" | "running", rule: RuleContext): boolean {
  return facts.lifetimes.includes(lifetimeOf(lasts, rule));
}
