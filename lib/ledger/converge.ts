/**
 * The one verb: brings a resource to what its demands come to, from whatever state it is in. There is no other undo.
 *
 * lock · read demands and what stands · equal: done · note the original (once) and what is about to be written · write ·
 * note what stands · no demand left: forget · unlock · look again, since somebody may have come or gone meanwhile.
 * @module
 */
import { loadResource } from "../resources/registry.ts";
import { type Held, type Noted, type Resource, ResourceDataError, sameValue } from "../resources/resource.ts";
import type { Sys } from "../sys/sys.ts";
import { demandNames, type FiledDemand, readDemands } from "./demand_file.ts";
import { describeHolder } from "./holder.ts";
import { resourceFolder } from "./layout.ts";
import { forgetState, readState, type State, writeState } from "./state_file.ts";
import { waitForLock } from "./wait_lock.ts";

/** How converging went. `handed-over`: another process holds the lock, and looks again when it lets go. */
export type ConvergeEnd =
  | "unchanged"
  | "changed"
  | "restored"
  | "left"
  | "gone"
  | "handed-over"
  | "failed"
  | "stuck"
  | "late";

/** What came of converging a resource. */
export interface Converged {
  readonly key: string;
  readonly end: ConvergeEnd;
  /** What stood before and after, for people, where it changed. */
  readonly change?: { readonly from: string; readonly to: string };
  readonly problem?: string;
  readonly hint?: string | undefined;
}

/** What converging works with. */
export interface Work {
  readonly sys: Sys;
  /** What should be known of the way. */
  readonly notes: string[];
  /** Time is up then, in milliseconds since the program started. */
  readonly deadlineMs: number;
  /** Whether to wait for a lock that another process holds. */
  readonly mayWait: boolean;
}

/** Whether a resource is as its demands want it, or as it was before there were any. */
export function isWell({ end }: Converged): boolean {
  return end !== "failed" && end !== "stuck" && end !== "late";
}

/** Converges the resource of a folder, until its demands stay the same. */
export async function converge(folder: string, work: Work): Promise<Converged> {
  let result: Converged = { key: folder, end: "unchanged" };
  while (true) {
    const lock = await takeLock(folder, work);
    if (lock === undefined) return isFirst(result) ? notLocked(result, work) : result;
    const pass = await passUnder(lock, folder, work);
    result = joined(result, pass.converged);
    if (!isWell(result) || sameValue(demandNames(folder, work.sys), pass.seen)) return result;
  }
}

function isFirst({ end }: Converged): boolean {
  return end === "unchanged";
}

function notLocked(result: Converged, work: Work): Converged {
  if (!work.mayWait) return { ...result, end: "handed-over" };
  return { ...result, end: "late", problem: "another hook has been at it until no time was left" };
}

async function takeLock(folder: string, { sys, deadlineMs, mayWait }: Work): Promise<Disposable | undefined> {
  return await waitForLock(resourceFolder(folder).lock, mayWait ? deadlineMs : 0, sys);
}

/** What two passes come to: the change is from what stood first to what stands now. */
function joined(before: Converged, now: Converged): Converged {
  if (before.change === undefined || now.change === undefined) {
    return now.end === "unchanged" ? { ...before, key: now.key } : now;
  }
  return { ...now, change: { from: before.change.from, to: now.change.to } };
}

/** A pass, with the names of the demands it knew of. */
interface Pass {
  readonly converged: Converged;
  readonly seen: readonly string[];
}

async function passUnder(lock: Disposable, folder: string, work: Work): Promise<Pass> {
  const held = { lock };
  try {
    return await convergeLocked(folder, { ...work, held });
  } finally {
    held.lock[Symbol.dispose]();
  }
}

/** Work under a lock, which is let go while a user's program runs, and taken again. */
export interface LockedWork extends Work {
  readonly held: { lock: Disposable };
}

/** All that is known of a resource when its lock is held. */
interface Situation {
  readonly kind: Resource;
  readonly key: string;
  readonly state: State | undefined;
  readonly demands: readonly FiledDemand[];
}

/** Converges a resource whose lock is held. */
export async function convergeLocked(folder: string, work: LockedWork): Promise<Pass> {
  const { sys, notes } = work;
  const seen = demandNames(folder, sys);
  const demands = readDemands(folder, seen, sys, notes);
  const state = readState(folder, sys, notes);
  const about = state ?? demands[0]?.record;
  if (about === undefined) return { seen, converged: { key: folder, end: "unchanged" } };
  const kind = await loadResource(about.resource);
  const { key } = about;
  const converged: Converged = kind === undefined
    ? { key, end: "failed", problem: `this version knows no resource of the kind ${about.resource}` }
    : await convergeKnown(folder, { kind, key, state, demands }, work);
  return { seen, converged };
}

async function convergeKnown(folder: string, situation: Situation, work: LockedWork): Promise<Converged> {
  const { kind, key, state, demands } = situation;
  try {
    const reading = await kind.read(key, work.sys, state);
    if (reading.kind === "value") return await convergeFrom(reading.value, folder, situation, work);
    if (reading.kind === "gone" && demands.length === 0) {
      forgetState(folder, work.sys);
      return { key, end: "gone" };
    }
    return keepProblem(folder, situation, { key, end: "failed", problem: reading.reason }, work);
  } catch (error) {
    if (!(error instanceof ResourceDataError)) throw error;
    return { key, end: "failed", problem: error.message };
  }
}

/** What is not as it should be stays in sight: `status` tells it, reconcile tries again. */
function keepProblem(folder: string, { state }: Situation, converged: Converged, { sys }: Work): Converged {
  if (state !== undefined && converged.problem !== undefined && state.problem !== converged.problem) {
    writeState(folder, { ...state, problem: converged.problem }, sys);
  }
  return converged;
}

/** What stands shall become this. `left`: it is not as we wrote it, so it is somebody else's. */
type Goal =
  | { readonly kind: "value"; readonly value: unknown }
  | { readonly kind: "left" }
  | { readonly kind: "conflict"; readonly reason: string };

async function convergeFrom(
  actual: unknown,
  folder: string,
  situation: Situation,
  work: LockedWork,
): Promise<Converged> {
  const { kind, key, state, demands } = situation;
  const noted = rebased(kind, state, actual);
  const goal = goalOf(kind, { noted, actual, held: demands.map(heldOf) });
  if (goal.kind === "conflict") return { key, end: "failed", problem: goal.reason };
  const isLast = demands.length === 0;
  if (goal.kind === "left") {
    forgetState(folder, work.sys);
    const problem = `it is ${kind.describe(actual)}, which is not what virt-hooks wrote (${
      kind.describe(noted.written ?? noted.pending)
    }): left as it is, and not ${kind.describe(noted.original)} as before`;
    return { key, end: "left", problem };
  }
  if (sameValue(goal.value, actual)) {
    if (isLast) forgetState(folder, work.sys);
    else saveState(folder, situation, { ...noted, written: actual, pending: undefined }, work);
    return { key, end: "unchanged" };
  }
  saveState(folder, situation, { ...noted, pending: goal.value }, work);
  const after = await write(folder, situation, { noted, actual, goal: goal.value }, work);
  return settle(folder, situation, { noted, actual, goal: goal.value, after, isLast }, work);
}

/** The state, or what it is before anything was written; moved by what others changed where that counts. */
function rebased(kind: Resource, state: State | undefined, actual: unknown): Noted<unknown> {
  if (state === undefined) return { original: actual, written: undefined, pending: undefined };
  const { original, written, pending } = state;
  const noted = { original, written, pending };
  return kind.rebase === undefined ? noted : { ...noted, original: kind.rebase(noted, actual) };
}

function goalOf(
  kind: Resource,
  { noted, actual, held }: {
    readonly noted: Noted<unknown>;
    readonly actual: unknown;
    readonly held: readonly Held<unknown>[];
  },
): Goal {
  if (held.length > 0) return kind.wanted(noted.original, held);
  const isOurs = kind.restores === "difference" || sameValue(actual, noted.original) ||
    kind.isOurs?.(noted, actual) ||
    [noted.written, noted.pending].some((value) => value !== undefined && sameValue(value, actual));
  return isOurs ? { kind: "value", value: noted.original } : { kind: "left" };
}

/** A demand as counting sees it. */
export function heldOf({ record }: FiledDemand): Held<unknown> {
  return { who: `${describeHolder(record.holder)} (rule ${JSON.stringify(record.rule)})`, demand: record.demand };
}

function saveState(folder: string, { key, kind, state }: Situation, noted: Noted<unknown>, work: Work): void {
  const next: State = { key, resource: kind.name, ...noted, problem: undefined };
  if (!sameValue(next, state)) writeState(folder, next, work.sys);
}

/** What stands after a write, and what went wrong. */
interface After {
  readonly value: unknown;
  readonly end?: "failed" | "stuck";
  readonly problem?: string;
  readonly hint?: string | undefined;
}

async function write(
  folder: string,
  situation: Situation,
  change: { readonly noted: Noted<unknown>; readonly actual: unknown; readonly goal: unknown },
  work: LockedWork,
): Promise<After> {
  const { kind, key } = situation;
  const { sys, deadlineMs, held } = work;
  const { noted, actual, goal } = change;
  if (kind.unlocked) held.lock[Symbol.dispose]();
  const end = await kind.write({
    ...{ key, from: actual, to: goal, noted, deadlineMs },
    note: (pending) => saveState(folder, situation, { ...noted, pending }, work),
  }, sys);
  if (kind.unlocked) held.lock = await lockAgain(folder, work);
  if (end.kind === "stands") return { value: end.value, ...(end.note === undefined ? {} : { problem: end.note }) };
  const reading = await kind.read(key, sys, { ...noted, pending: goal });
  const value = reading.kind === "value" ? reading.value : actual;
  if (end.kind === "failed" || end.kind === "stuck") {
    return { value, end: end.kind, problem: end.reason, hint: end.kind === "failed" ? end.hint : undefined };
  }
  if (sameValue(value, goal)) return { value };
  return { value, end: "failed", problem: `it is ${kind.describe(value)} after ${kind.describe(goal)} was written` };
}

async function lockAgain(folder: string, work: LockedWork): Promise<Disposable> {
  const lock = await waitForLock(resourceFolder(folder).lock, Infinity, work.sys);
  if (lock === undefined) throw new Error(`Cannot take the lock of ${folder} again`);
  return lock;
}

/** Notes how a write went. */
function settle(
  folder: string,
  situation: Situation,
  done: {
    readonly noted: Noted<unknown>;
    readonly actual: unknown;
    readonly goal: unknown;
    readonly after: After;
    readonly isLast: boolean;
  },
  { sys }: Work,
): Converged {
  const { kind, key } = situation;
  const { noted, actual, goal, after, isLast } = done;
  const isDone = after.end === undefined;
  if (isDone && isLast) {
    forgetState(folder, sys);
  } else {
    const { original } = noted;
    const pending = isDone ? undefined : goal;
    writeState(
      folder,
      { key, resource: kind.name, original, written: after.value, pending, problem: after.problem },
      sys,
    );
  }
  const change = sameValue(actual, after.value)
    ? {}
    : { change: { from: kind.describe(actual), to: kind.describe(after.value) } };
  if (isDone) {
    const noted = after.problem === undefined ? {} : { problem: after.problem };
    return { key, end: isLast ? "restored" : "changed", ...change, ...noted };
  }
  return { key, end: after.end, ...change, problem: after.problem ?? "", hint: after.hint };
}
