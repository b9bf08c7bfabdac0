/**
 * Computes a resource's target value from its demands. Pure, but for refreshing demands that depend on facts which
 * may have changed.
 * @module
 */
import { describeHolder, type StoredDemand } from "./demand_file.ts";
import type { State } from "./state_file.ts";
import { type HeldDemand, type Resource, sameValue, type SavedState } from "../resources/resource.ts";
import type { Sys } from "../sys/sys.ts";

/** Target value. `left`: the current value was changed by something else, so it is not overwritten. */
export type Target =
  | { readonly kind: "value"; readonly value: unknown }
  | { readonly kind: "left" }
  | { readonly kind: "conflict"; readonly reason: string };

/** The state, or what it is before anything was written; moved by what others changed where that counts. */
export function rebaseOriginal(kind: Resource, state: State | undefined, actual: unknown): SavedState<unknown> {
  if (state === undefined) return { original: actual, written: undefined, pending: undefined };
  const { original, written, pending } = state;
  const saved = { original, written, pending };
  return kind.rebase === undefined ? saved : { ...saved, original: kind.rebase(saved, actual) };
}

/** Whether the current value is one that a hook wrote, or was about to write when it was killed. Pure. */
function isOurs(kind: Resource, saved: SavedState<unknown>, actual: unknown): boolean {
  return kind.restores === "difference" || kind.isAbandoned?.(actual, saved) === true ||
    [saved.written, saved.pending].some((value) => value !== undefined && sameValue(value, actual));
}

/**
 * Returns the state to save before a write. If the current value is one that a hook wrote or was about to write, it is recorded as
 * ours: that hook may have been killed after writing and before saving. Where a difference is restored, the original has just been
 * adjusted by it. Pure.
 */
export function markPending(
  kind: Resource,
  saved: SavedState<unknown>,
  { actual, target }: { readonly actual: unknown; readonly target: unknown },
): SavedState<unknown> {
  const { original, written } = saved;
  return { original, written: isOurs(kind, saved, actual) ? actual : written, pending: target };
}

/** Computes the value that a resource must have for these demands, or without any. Pure. */
export function targetOf(
  kind: Resource,
  { saved, actual, held }: {
    readonly saved: SavedState<unknown>;
    readonly actual: unknown;
    readonly held: readonly HeldDemand<unknown>[];
  },
): Target {
  if (held.length > 0) return kind.wanted(saved.original, held, actual);
  return sameValue(actual, saved.original) || isOurs(kind, saved, actual)
    ? { kind: "value", value: saved.original }
    : { kind: "left" };
}

/** Returns a stored demand as it is counted. */
export function heldOf({ record }: Pick<StoredDemand, "record">): HeldDemand<unknown> {
  return { holder: `${describeHolder(record.holder)} (rule ${JSON.stringify(record.rule)})`, demand: record.demand };
}

/** Says why the original value is not restored. */
export function notRestoredText(kind: Resource, saved: SavedState<unknown>, actual: unknown): string {
  const ours = kind.describe(saved.written ?? saved.pending);
  return `the current value ${
    kind.describe(actual)
  } was not written by virt-hooks (which wrote ${ours}): not restoring ` +
    kind.describe(saved.original);
}

/** Refreshes demands that depend on facts which may have changed since, such as a lease. */
export async function refreshDemands(
  kind: Resource,
  stored: readonly StoredDemand[],
  sys: Sys,
): Promise<readonly StoredDemand[]> {
  const demands = await kind.refresh?.(stored.map(({ record }) => record.demand), sys);
  if (demands === undefined) return stored;
  return stored.map((one, index) => ({ ...one, record: { ...one.record, demand: demands[index] } }));
}

/** Returns stored demands as they are counted, refreshed. */
export async function currentDemands(
  kind: Resource,
  stored: readonly StoredDemand[],
  sys: Sys,
): Promise<readonly HeldDemand<unknown>[]> {
  return (await refreshDemands(kind, stored, sys)).map(heldOf);
}
