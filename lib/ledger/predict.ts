/**
 * What converging would do, without doing it: the same decision, and no write.
 * @module
 */
import { describeChange, type HeldDemand, ResourceDataError, sameValue } from "../resources/resource.ts";
import type { Converged } from "./context.ts";
import { notRestoredText, type Target, targetOf } from "./target.ts";
import type { Observation } from "./inspect.ts";

/** What converging would come to. */
export interface Prediction extends Converged {
  /** What stands now, for people, where that can be told. */
  readonly actual?: string;
  /** What would be written, where something would. */
  readonly write?: { readonly from: unknown; readonly to: unknown };
}

/** Tells what converging a resource would come to if these held it, and every write succeeded. */
export function predict(
  { key, observation }: { readonly key: string; readonly observation: Observation },
  held: readonly HeldDemand<unknown>[],
): Prediction {
  const isLast = held.length === 0;
  if (observation.kind === "gone" && isLast) return { key, end: "gone" };
  if (observation.kind !== "value") return { key, end: "failed", problem: observation.reason };
  const { resource, saved, actual } = observation;
  try {
    const target = targetOf(resource, { saved, actual, held });
    switch (target.kind) {
      case "conflict":
        return { key, end: "failed", problem: target.reason };
      case "left":
        return { key, end: "left", problem: notRestoredText(resource, saved, actual) };
      case "value":
        return predictValue({ key, held }, target, observation);
      default:
        return target satisfies never;
    }
  } catch (error) {
    if (!(error instanceof ResourceDataError)) throw error;
    return { key, end: "failed", problem: error.message };
  }
}

function predictValue(
  { key, held }: { readonly key: string; readonly held: readonly HeldDemand<unknown>[] },
  target: Target & { readonly kind: "value" },
  { resource, actual }: Observation & { readonly kind: "value" },
): Prediction {
  const from = resource.describe(actual);
  if (sameValue(target.value, actual)) return { key, end: "unchanged", actual: from };
  const change = describeChange(resource, actual, target.value, held);
  const write = { from: actual, to: target.value };
  return { key, end: held.length === 0 ? "restored" : "changed", change, actual: from, write };
}
