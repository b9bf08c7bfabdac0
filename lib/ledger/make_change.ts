/**
 * One change of a resource, so that a process killed at any point leaves behind what it takes to go on: noted before, made,
 * noted after. A user's program runs without the resource's lock, but never two of them at once.
 * @module
 */
import { describeChange, type Held, type Noted, type Resource, sameValue } from "../resources/resource.ts";
import type { Converged, LockedWork, Situation, Work } from "./work.ts";
import { forgetChild, notingChildren } from "./child.ts";
import { forget } from "./forget.ts";
import { resourceFolder } from "./layout.ts";
import { LedgerError } from "./ledger_error.ts";
import { type State, writeState } from "./state_file.ts";
import { waitForLock } from "./wait_lock.ts";

/** What is written: what stands, what shall stand, and what the ledger remembers meanwhile. */
export interface Change {
  readonly noted: Noted<unknown>;
  readonly actual: unknown;
  /** What was seen on the way to it. */
  readonly seen: unknown;
  readonly goal: unknown;
  /** The demands that come to the goal. */
  readonly held: readonly Held<unknown>[];
  /** Nobody holds it any more. */
  readonly isLast: boolean;
}

/** What stands after a write, and what went wrong. */
interface After {
  readonly value: unknown;
  /** What must be known of a write that did not do what it should. */
  readonly pending: unknown;
  readonly end?: "failed" | "stuck";
  readonly problem?: string;
  readonly hint?: string | undefined;
}

const LOCK_AGAIN_MS = 5_000;
/** A user's program is begun by the call that begins a life, and by no other. */
const NOT_BEGUN = "nothing is remembered of its beginning, and it is not begun in the middle of a life";

/** Makes the change. */
export async function makeChange(
  folder: string,
  situation: Situation,
  change: Change,
  work: LockedWork,
): Promise<Converged> {
  const { kind, key } = situation;
  if (kind.unlocked && !change.isLast && work.newcomers.length === 0) return { key, end: "failed", problem: NOT_BEGUN };
  const busy = kind.unlocked ? work.sys.lock(resourceFolder(folder).busy) : undefined;
  if (kind.unlocked && busy === undefined) return isBusy(key, change);
  using _busy = busy;
  saveState(folder, situation, change.noted, work);
  const after = await write(folder, situation, change, work);
  return settle(folder, situation, { ...change, after }, work);
}

/** Whoever runs a program for the resource looks again behind it, and finds who has gone; but it begins nothing for others. */
function isBusy(key: string, { isLast }: Change): Converged {
  if (isLast) return { key, end: "handed-over" };
  return { key, end: "late", problem: "another hook still runs a program for it" };
}

/** Remembers what is known of a resource. */
export function saveState(folder: string, { key, kind, state }: Situation, noted: Noted<unknown>, work: Work): void {
  const next: State = { key, resource: kind.name, ...noted, problem: undefined };
  if (!sameValue(next, state)) writeState(folder, next, work.sys);
}

async function write(folder: string, situation: Situation, change: Change, work: LockedWork): Promise<After> {
  const { kind, key } = situation;
  const { sys, deadlineMs } = work;
  const { noted, actual, seen, goal } = change;
  let pending = noted.pending;
  const end = await unlockedFor(kind, folder, work, () =>
    kind.write({
      ...{ key, from: actual, seen, to: goal, noted, deadlineMs },
      note: (now) => {
        pending = now;
        writeState(folder, { key, resource: kind.name, ...noted, pending, problem: undefined }, sys);
      },
    }, kind.unlocked ? sys : notingChildren(folder, sys)));
  if (!kind.unlocked) forgetChild(folder, sys);
  if (end.kind === "stands") {
    if (end.remark !== undefined) work.notes.push(`${key}: ${end.remark}`);
    return { value: end.value, pending, ...(end.note === undefined ? {} : { problem: end.note }) };
  }
  const reading = await kind.read(key, sys, { ...noted, pending }, deadlineMs);
  const value = reading.kind === "value" ? reading.value : actual;
  if (end.kind === "failed" || end.kind === "stuck") {
    return { value, pending, end: end.kind, problem: end.reason, hint: end.kind === "failed" ? end.hint : undefined };
  }
  if (sameValue(value, goal)) return { value, pending };
  const problem = `it is ${kind.describe(value)} after ${kind.describe(goal)} was written`;
  return { value, pending, end: "failed", problem };
}

/** Makes a change, without the lock where a user's program may run. */
async function unlockedFor<End>(
  { unlocked }: Resource,
  folder: string,
  work: LockedWork,
  act: () => Promise<End>,
): Promise<End> {
  if (unlocked !== true) return await act();
  work.held.lock[Symbol.dispose]();
  try {
    return await act();
  } finally {
    work.held.lock = await lockAgain(folder, work);
  }
}

/** Who has the lock meanwhile runs no program of a user, so it is not for long. */
async function lockAgain(folder: string, { sys, deadlineMs }: LockedWork): Promise<Disposable> {
  const untilMs = Math.max(deadlineMs, sys.elapsedMs() + LOCK_AGAIN_MS);
  const lock = await waitForLock(resourceFolder(folder).lock, untilMs, sys);
  if (lock === undefined) {
    throw new LedgerError("Cannot take the lock again: another hook has been at it until no time was left");
  }
  return lock;
}

/** Notes how a write went. */
function settle(
  folder: string,
  { kind, key }: Situation,
  { noted, actual, held, after, isLast }: Change & { readonly after: After },
  { sys, isInterrupted }: LockedWork,
): Converged {
  const isDone = after.end === undefined;
  if (isDone && isLast) {
    forget(folder, sys);
  } else {
    const { original } = noted;
    const pending = isDone ? undefined : after.pending;
    const problem = isDone || !isInterrupted() ? after.problem : undefined;
    writeState(folder, { key, resource: kind.name, original, written: after.value, pending, problem }, sys);
  }
  const change = sameValue(actual, after.value) ? {} : { change: describeChange(kind, actual, after.value, held) };
  if (isDone) {
    const noted = after.problem === undefined ? {} : { problem: after.problem };
    return { key, end: isLast ? "restored" : "changed", ...change, ...noted };
  }
  return { key, end: after.end, ...change, problem: after.problem ?? "", hint: after.hint };
}
