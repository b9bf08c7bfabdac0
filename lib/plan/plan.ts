/**
 * All that one call does, in order.
 * @module
 */
import { RESOURCE_ORDER } from "./demand.ts";
import type { Intent } from "./intent.ts";

/** The intents of a call, in order. */
export type Plan = readonly Intent[];

/** The order of kinds: refusals come before anything happens, holds when all else is done. */
const ORDER = { deny: 0, edit: 1, fault: 1, run: 1, hold: 2 } as const satisfies Record<Intent["kind"], number>;

/** Orders intents by kind, holds by the kind of their resource; what is equal keeps the order of the rules. */
export function makePlan(intents: readonly Intent[]): Plan {
  return intents.toSorted((a, b) => rank(a) - rank(b));
}

/** Less than 100 kinds of resources. */
function rank(intent: Intent): number {
  return ORDER[intent.kind] * 100 + (intent.kind === "hold" ? RESOURCE_ORDER[intent.resource] : 0);
}
