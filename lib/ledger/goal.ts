/**
 * What a resource shall become: pure, so that whoever only looks decides as converging does.
 * @module
 */
import { type Held, type Noted, type Resource, sameValue } from "../resources/resource.ts";
import type { FiledDemand } from "./demand_file.ts";
import { describeHolder } from "./holder.ts";
import type { State } from "./state_file.ts";

/** What stands shall become this. `left`: it is not as we wrote it, so it is somebody else's. */
export type Goal =
  | { readonly kind: "value"; readonly value: unknown }
  | { readonly kind: "left" }
  | { readonly kind: "conflict"; readonly reason: string };

/** The state, or what it is before anything was written; moved by what others changed where that counts. */
export function rebased(kind: Resource, state: State | undefined, actual: unknown): Noted<unknown> {
  if (state === undefined) return { original: actual, written: undefined, pending: undefined };
  const { original, written, pending } = state;
  const noted = { original, written, pending };
  return kind.rebase === undefined ? noted : { ...noted, original: kind.rebase(noted, actual) };
}

/** Whether what stands is what we wrote, or were about to when we were killed. Pure. */
function isOurs(kind: Resource, noted: Noted<unknown>, actual: unknown): boolean {
  return kind.restores === "difference" || kind.isFree?.(actual, noted) === true ||
    [noted.written, noted.pending].some((value) => value !== undefined && sameValue(value, actual));
}

/**
 * What is remembered while something is written. What stands counts as written by us where it is ours: a hook may have written it
 * that was killed before it could note so, and where a difference is put back, the original has just been moved by it. Pure.
 */
export function begun(
  kind: Resource,
  noted: Noted<unknown>,
  { actual, goal }: { readonly actual: unknown; readonly goal: unknown },
): Noted<unknown> {
  const { original, written } = noted;
  return { original, written: isOurs(kind, noted, actual) ? actual : written, pending: goal };
}

/** What a resource shall be while these hold it, or when nobody does any more. Pure. */
export function goalOf(
  kind: Resource,
  { noted, actual, held }: {
    readonly noted: Noted<unknown>;
    readonly actual: unknown;
    readonly held: readonly Held<unknown>[];
  },
): Goal {
  if (held.length > 0) return kind.wanted(noted.original, held, actual);
  return sameValue(actual, noted.original) || isOurs(kind, noted, actual)
    ? { kind: "value", value: noted.original }
    : { kind: "left" };
}

/** A demand as counting sees it. */
export function heldOf({ record }: Pick<FiledDemand, "record">): Held<unknown> {
  return { who: `${describeHolder(record.holder)} (rule ${JSON.stringify(record.rule)})`, demand: record.demand };
}

/** Why nothing is put back. */
export function leftProblem(kind: Resource, noted: Noted<unknown>, actual: unknown): string {
  const ours = kind.describe(noted.written ?? noted.pending);
  return `it is ${kind.describe(actual)}, which is not what virt-hooks wrote (${ours}): left as it is, and not ` +
    `${kind.describe(noted.original)} as before`;
}
