/**
 * How long a call may take.
 * @module
 */
import type { HookCall } from "../libvirt/call.ts";
import type { IsLate } from "../rules/match.ts";
import type { RuleSet } from "../rules/rule.ts";
import type { Sys } from "../sys/sys.ts";

/** When a call's time is up, in milliseconds since the program started. */
export function deadlineOf(call: HookCall, { settings }: RuleSet): number {
  return settings.budgetsMs[call.driver]?.[call.operation] ?? call.facts.budgetMs;
}

/** Gives a command that shows what a call would do the time that the call has, from now on. */
export function timeLimit(call: HookCall, ruleSet: RuleSet, sys: Pick<Sys, "elapsedMs">): IsLate {
  const endMs = sys.elapsedMs() + deadlineOf(call, ruleSet);
  return () => sys.elapsedMs() >= endMs;
}
