/**
 * All that one call shall do, in the order in which it is done.
 * @module
 */
import type { Intent } from "./intent.ts";

/** The intents of a call, in order. */
export type Plan = readonly Intent[];

/** The order of kinds: refusals come before anything happens. */
const ORDER = { deny: 0, edit: 1, fault: 1, run: 1 } as const satisfies Record<Intent["kind"], number>;

/** Orders intents by kind; within a kind they keep the order of the rules. */
export function makePlan(intents: readonly Intent[]): Plan {
  return intents.toSorted((a, b) => ORDER[a.kind] - ORDER[b.kind]);
}
