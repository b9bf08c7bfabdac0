/**
 * One change of a resource, so that a process killed at any point leaves behind what it takes to go on: noted before, made,
 * noted after. A user's program runs without the resource's lock, but never two of them at once.
 * @module
 */
import { describeChange, type HeldDemand, type Resource, sameValue, type SavedState } from "../resources/resource.ts";
import type { ConvergeContext, Converged, LockedContext, ResourceContext } from "./converge.ts";
import { forgetChild, trackChildren, waitForLock } from "./locks.ts";
import { forget, type State, writeState } from "./state_file.ts";
import { resourceFolder } from "./layout.ts";
import { LedgerError } from "./file.ts";

/** A change: the current value, the target value, and the state that the ledger keeps meanwhile. */
export interface LedgerChange {
  readonly saved: SavedState<unknown>;
  readonly actual: unknown;
  /** Facts that were read with the current value. */
  readonly observed: unknown;
  readonly target: unknown;
  /** The demands that require the target. */
  readonly held: readonly HeldDemand<unknown>[];
  /** Whether no demand is left. */
  readonly isLast: boolean;
}

/** The value after a write, and what went wrong. */
interface WriteOutcome {
  readonly value: unknown;
  /** What must be known of a write that did not do what it should. */
  readonly pending: unknown;
  readonly end?: "failed" | "stuck";
  readonly problem?: string;
  readonly hint?: string | undefined;
}

const LOCK_AGAIN_MS = 5_000;
/** A user's program is begun by the call that begins a life, and by no other. */
const NOT_STARTED = "nothing is remembered of its beginning, and it is not begun in the middle of a life";

/** Makes the change. */
export async function makeChange(
  folder: string,
  resource: ResourceContext,
  change: LedgerChange,
  context: LockedContext,
): Promise<Converged> {
  const { kind, key } = resource;
  if (kind.runsUserPrograms && !change.isLast && context.update.add.length === 0) {
    return { key, end: "failed", problem: NOT_STARTED };
  }
  const busy = kind.runsUserPrograms ? context.sys.lock(resourceFolder(folder).busy) : undefined;
  if (kind.runsUserPrograms && busy === undefined) return isBusy(key, change);
  using _busy = busy;
  saveState(folder, resource, change.saved, context);
  const after = await write(folder, resource, change, context);
  return settle(folder, resource, { ...change, after }, context);
}

/** The hook that runs a program for the resource checks again when it ends and releases demands that are gone. It starts nothing for others. */
function isBusy(key: string, { isLast }: LedgerChange): Converged {
  if (isLast) return { key, end: "handed-over" };
  return { key, end: "late", problem: "another hook still runs a program for it" };
}

/** Remembers what is known of a resource. */
export function saveState(
  folder: string,
  { key, kind, state }: ResourceContext,
  saved: SavedState<unknown>,
  context: ConvergeContext,
): void {
  const next: State = { key, resource: kind.name, ...saved, problem: undefined };
  if (!sameValue(next, state)) writeState(folder, next, context.sys);
}

async function write(
  folder: string,
  resource: ResourceContext,
  change: LedgerChange,
  context: LockedContext,
): Promise<WriteOutcome> {
  const { kind, key } = resource;
  const { sys, deadlineMs } = context;
  const { saved, actual, observed, target } = change;
  let pending = saved.pending;
  const end = await withoutLock(kind, folder, context, () =>
    kind.write({
      ...{ key, from: actual, observed, to: target, saved, deadlineMs },
      savePending: (now) => {
        pending = now;
        writeState(folder, { key, resource: kind.name, ...saved, pending, problem: undefined }, sys);
      },
    }, kind.runsUserPrograms ? sys : trackChildren(folder, sys)));
  if (!kind.runsUserPrograms) forgetChild(folder, sys);
  if (end.kind === "applied") {
    if (end.remark !== undefined) context.notes.push(`${key}: ${end.remark}`);
    return { value: end.value, pending, ...(end.note === undefined ? {} : { problem: end.note }) };
  }
  const reading = await kind.read(key, sys, { ...saved, pending }, deadlineMs);
  const value = reading.kind === "value" ? reading.value : actual;
  if (end.kind === "failed" || end.kind === "stuck") {
    return { value, pending, end: end.kind, problem: end.reason, hint: end.kind === "failed" ? end.hint : undefined };
  }
  if (sameValue(value, target)) return { value, pending };
  const problem = `it is ${kind.describe(value)} after ${kind.describe(target)} was written`;
  return { value, pending, end: "failed", problem };
}

/** Makes a change, without the lock where a user's program may run. */
async function withoutLock<End>(
  { runsUserPrograms: unlocked }: Resource,
  folder: string,
  context: LockedContext,
  act: () => Promise<End>,
): Promise<End> {
  if (unlocked !== true) return await act();
  context.held.lock[Symbol.dispose]();
  try {
    return await act();
  } finally {
    context.held.lock = await lockAgain(folder, context);
  }
}

/** The process that has the lock meanwhile runs no program of a user, so the wait is short. */
async function lockAgain(folder: string, { sys, deadlineMs }: LockedContext): Promise<Disposable> {
  const untilMs = Math.max(deadlineMs, sys.elapsedMs() + LOCK_AGAIN_MS);
  const lock = await waitForLock(resourceFolder(folder).lock, untilMs, sys);
  if (lock === undefined) {
    throw new LedgerError("Cannot take the lock again: timed out waiting for another hook");
  }
  return lock;
}

/** Notes how a write went. */
function settle(
  folder: string,
  { kind, key }: ResourceContext,
  { saved, actual, held, after, isLast }: LedgerChange & { readonly after: WriteOutcome },
  { sys, isInterrupted }: LockedContext,
): Converged {
  const isDone = after.end === undefined;
  if (isDone && isLast) {
    forget(folder, sys);
  } else {
    const { original } = saved;
    const pending = isDone ? undefined : after.pending;
    const problem = isDone || !isInterrupted() ? after.problem : undefined;
    writeState(folder, { key, resource: kind.name, original, written: after.value, pending, problem }, sys);
  }
  const change = sameValue(actual, after.value) ? {} : { change: describeChange(kind, actual, after.value, held) };
  if (isDone) {
    const saved = after.problem === undefined ? {} : { problem: after.problem };
    return { key, end: isLast ? "restored" : "changed", ...change, ...saved };
  }
  return { key, end: after.end, ...change, problem: after.problem ?? "", hint: after.hint };
}
