/**
 * What converging would do, without doing it: the same decision, and no write.
 * @module
 */
import { describeChange, type Held, ResourceDataError, sameValue } from "../resources/resource.ts";
import type { Converged } from "./work.ts";
import { type Goal, goalOf, leftProblem } from "./goal.ts";
import type { Standing } from "./survey.ts";

/** What converging would come to. */
export interface Foreseen extends Converged {
  /** What stands now, for people, where that can be told. */
  readonly actual?: string;
  /** What would be written, where something would. */
  readonly write?: { readonly from: unknown; readonly to: unknown };
}

/** Tells what converging a resource would come to if these held it, and every write succeeded. */
export function foresee(
  { key, standing }: { readonly key: string; readonly standing: Standing },
  held: readonly Held<unknown>[],
): Foreseen {
  const isLast = held.length === 0;
  if (standing.kind === "gone" && isLast) return { key, end: "gone" };
  if (standing.kind !== "value") return { key, end: "failed", problem: standing.reason };
  const { resource, noted, actual } = standing;
  try {
    const goal = goalOf(resource, { noted, actual, held });
    switch (goal.kind) {
      case "conflict":
        return { key, end: "failed", problem: goal.reason };
      case "left":
        return { key, end: "left", problem: leftProblem(resource, noted, actual) };
      case "value":
        return foreseeValue({ key, held }, goal, standing);
      default:
        return goal satisfies never;
    }
  } catch (error) {
    if (!(error instanceof ResourceDataError)) throw error;
    return { key, end: "failed", problem: error.message };
  }
}

function foreseeValue(
  { key, held }: { readonly key: string; readonly held: readonly Held<unknown>[] },
  goal: Goal & { readonly kind: "value" },
  { resource, actual }: Standing & { readonly kind: "value" },
): Foreseen {
  const from = resource.describe(actual);
  if (sameValue(goal.value, actual)) return { key, end: "unchanged", actual: from };
  const change = describeChange(resource, actual, goal.value, held);
  const write = { from: actual, to: goal.value };
  return { key, end: held.length === 0 ? "restored" : "changed", change, actual: from, write };
}
