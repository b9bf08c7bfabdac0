/**
 * One change of a resource, so that a process killed at any point leaves behind what it takes to go on: noted before,
 * made, noted after. A user's program runs without the resource's lock; what others did meanwhile counts.
 * @module
 */
import { type Noted, sameValue } from "../resources/resource.ts";
import type { Converged, LockedWork, Situation, Work } from "./converge.ts";
import { resourceFolder } from "./layout.ts";
import { forgetState, readState, type State, writeState } from "./state_file.ts";
import { waitForLock } from "./wait_lock.ts";

/** What is to become of what stands. */
export interface Goal {
  readonly noted: Noted<unknown>;
  readonly actual: unknown;
  readonly goal: unknown;
  /** Nobody holds it any more. */
  readonly isLast: boolean;
}

/** What stands after a write, and what went wrong. */
interface After {
  readonly value: unknown;
  /** What a next call must know if the write did not do what it should. */
  readonly pending: unknown;
  /** Another call has given it back, or is at it: the state is not ours to write any more. */
  readonly taken?: true;
  readonly end?: "failed" | "stuck" | "late";
  readonly problem?: string;
  readonly hint?: string | undefined;
}

/** Others hold the lock of such a resource for moments only. */
const LOCK_AGAIN_MS = 5_000;

/** Makes the change. */
export async function makeChange(
  folder: string,
  situation: Situation,
  goal: Goal,
  work: LockedWork,
): Promise<Converged> {
  saveState(folder, situation, { ...goal.noted, pending: goal.goal }, work);
  const after = await write(folder, situation, goal, work);
  return settle(folder, situation, { ...goal, after }, work);
}

/** Remembers what is known of a resource. */
export function saveState(
  folder: string,
  { key, kind, state }: Situation,
  noted: Noted<unknown>,
  work: Work,
): void {
  const next: State = { key, resource: kind.name, ...noted, problem: undefined };
  if (!sameValue(next, state)) writeState(folder, next, work.sys);
}

async function write(folder: string, situation: Situation, goal: Goal, work: LockedWork): Promise<After> {
  const { kind, key } = situation;
  const { sys, deadlineMs } = work;
  const { noted, actual } = goal;
  let pending = goal.goal;
  const change = {
    ...{ key, from: actual, to: goal.goal, noted, deadlineMs },
    note: (now: unknown): void => {
      pending = now;
      writeState(folder, { key, resource: kind.name, ...noted, pending, problem: undefined }, sys);
    },
  };
  const end = kind.unlocked
    ? await withoutLock(() => kind.write(change, sys), folder, work)
    : await kind.write(change, sys);
  const taken = kind.unlocked ? takenAway(folder, { ...goal, pending }, work) : undefined;
  if (taken !== undefined) return { ...taken, pending };
  if (end.kind === "stands") return { value: end.value, pending };
  const reading = await kind.read(key, sys, { ...noted, pending });
  const value = reading.kind === "value" ? reading.value : actual;
  if (end.kind === "failed" || end.kind === "stuck") {
    return { value, pending, end: end.kind, problem: end.reason, hint: end.kind === "failed" ? end.hint : undefined };
  }
  if (sameValue(value, goal.goal)) return { value, pending };
  const problem = `it is ${kind.describe(value)} after ${kind.describe(goal.goal)} was written`;
  return { value, pending, end: "failed", problem };
}

async function withoutLock<Result>(action: () => Promise<Result>, folder: string, work: LockedWork): Promise<Result> {
  const { held, sys } = work;
  held.lock?.[Symbol.dispose]();
  held.lock = undefined;
  try {
    return await action();
  } finally {
    held.lock = await waitForLock(resourceFolder(folder).lock, sys.elapsedMs() + LOCK_AGAIN_MS, sys);
  }
}

/** Whether another call has dealt with the resource while its lock was not held: what was noted is not there any more. */
function takenAway(
  folder: string,
  { pending, isLast }: Goal & { readonly pending: unknown },
  { held, sys, notes }: LockedWork,
): Omit<After, "pending"> | undefined {
  const taken = { value: pending, taken: true } as const;
  if (held.lock === undefined) return { ...taken, end: "late", problem: "another hook is at it and does not end" };
  const state = readState(folder, sys, notes);
  if (state !== undefined && [state.written, state.pending].some((value) => sameValue(value, pending))) {
    return undefined;
  }
  return isLast ? taken : { ...taken, end: "failed", problem: "another call has given it back meanwhile" };
}

/** Notes how a write went. */
function settle(
  folder: string,
  { kind, key }: Situation,
  { noted, actual, after, isLast }: Goal & { readonly after: After },
  { sys }: Work,
): Converged {
  const isDone = after.end === undefined;
  if (isDone && isLast && !after.taken) {
    forgetState(folder, sys);
  } else if (!after.taken) {
    const { original } = noted;
    const pending = isDone ? undefined : after.pending;
    writeState(
      folder,
      { key, resource: kind.name, original, written: after.value, pending, problem: after.problem },
      sys,
    );
  }
  const change = sameValue(actual, after.value)
    ? {}
    : { change: { from: kind.describe(actual), to: kind.describe(after.value) } };
  if (isDone) return { key, end: isLast ? "restored" : "changed", ...change };
  return { key, end: after.end, ...change, problem: after.problem ?? "", hint: after.hint };
}
