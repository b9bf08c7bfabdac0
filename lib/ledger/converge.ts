/**
 * Converges a resource to the value that its demands require, from any state, under its lock. Restoring is converging with no demand
 * left.
 *
 * read demands and the current value · equal: done · save the original value (once) and the value about to be written · write · save
 * the value read back · no demand left: forget.
 * @module
 */
import { demandNames, nameOf, readDemands, removeDemand, type StoredDemand, storeDemand } from "./demand_file.ts";
import type { FileReading } from "./file.ts";
import { makeChange, saveState } from "./make_change.ts";
import { forget, lookAtState, readState, type State, takeState, writeState } from "./state_file.ts";
import { currentDemands, markPending, notRestoredText, rebaseOriginal, targetOf } from "./target.ts";
import { releaseHint } from "../plan/release_hint.ts";
import type { Host } from "../resources/kinds.ts";
import { type Reading, type Resource, sameValue, type ValueChange } from "../resources/resource.ts";
import { reasonOf } from "../text/reason_of.ts";

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

/** The result of converging a resource. */
export interface Converged {
  readonly key: string;
  readonly end: ConvergeEnd;
  /** What stood before and after, for people, where it changed. */
  readonly change?: ValueChange;
  readonly problem?: string;
  readonly hint?: string | undefined;
}

/** What converging works with. */
export interface ConvergeContext extends Host {
  /** What should be known of the way. */
  readonly notes: string[];
  /** Time is up then, in milliseconds since the program started. */
  readonly deadlineMs: number;
  /** Whether to wait for a lock that another process holds. */
  readonly mayWait: boolean;
  /** What the resource is, where its folder may not say so any more. */
  readonly about?: { readonly key: string; readonly resource: string };
}

/** Whether a resource is as its demands want it, or as it was before there were any. */
export function succeeded({ end }: Converged): boolean {
  return end !== "failed" && end !== "stuck" && end !== "late";
}

/** Demands of one resource that come and go. */
export interface ResourceUpdate {
  readonly add: readonly StoredDemand[];
  readonly remove: readonly StoredDemand[];
}

/** What converging under a lock works with. The lock is released while a user's program runs, and taken again. */
export interface LockedContext extends ConvergeContext {
  readonly update: ResourceUpdate;
  /** `isStored`: the additions were; another hook may have removed them since. `culprit`: the first of them that conflicts. */
  readonly held: { lock: Disposable; isStored: boolean; culprit: number | undefined };
  /** Whether something was cut short because the hook was told to end or its time was over: no fault of the resource, so the next call goes on. */
  isInterrupted(): boolean;
}

/** All that is known of a resource when its lock is held. */
export interface ResourceContext {
  readonly kind: Resource;
  readonly key: string;
  readonly state: State | undefined;
  readonly demands: readonly StoredDemand[];
}

/** The result of converging under the lock. */
export interface LockedResult {
  readonly converged: Converged;
  /** The names of the demands that it took into account. */
  readonly names: readonly string[];
  /** Set where the additions conflict with other demands or each other: the first that does. Nothing was stored or removed then. */
  readonly culprit: number | undefined;
}

/** Converges a resource whose lock is held; the demands to add are stored, and those to remove are removed, once all are sure to fit. */
export async function convergeLocked(folder: string, context: LockedContext): Promise<LockedResult> {
  const { sys, update: { add, remove } } = context;
  const names = demandNames(folder, sys);
  const changed = new Set([...add, ...remove].map(nameOf));
  const others = names.filter((name) => !changed.has(name));
  const demands = [...readDemands(folder, others, context), ...add];
  const converged = await convergeRead(folder, { demands, reading: lookAtState(folder, sys) }, context);
  const { isStored, culprit } = context.held;
  return { converged, names: isStored ? [...others, ...add.map(nameOf)].sort() : names, culprit };
}

/** What is in a resource's folder. */
interface FolderContent {
  readonly demands: readonly StoredDemand[];
  readonly reading: FileReading<State>;
}

async function convergeRead(
  folder: string,
  { demands, reading }: FolderContent,
  context: LockedContext,
): Promise<Converged> {
  const about = reading.kind === "data" ? reading.data : demands[0]?.record ?? context.about;
  const kind = about === undefined ? undefined : await context.kinds.load(about.resource);
  if (reading.kind === "damaged" && kind?.base === undefined) {
    return discardState(folder, { key: about?.key ?? folder, demands, reason: reading.reason }, context);
  }
  if (about === undefined || (reading.kind === "missing" && demands.length === 0)) {
    forget(folder, context.sys);
    return { key: folder, end: "unchanged" };
  }
  const { key } = about;
  if (kind === undefined) {
    return { key, end: "failed", problem: `this version knows no resource of the kind ${about.resource}` };
  }
  if (reading.kind === "damaged") takeState(folder, context);
  return await convergeKnown(folder, { kind, key, state: stateOf(reading, kind, key), demands }, context);
}

/** If a kind's original value is always the same, a damaged state loses nothing. */
function stateOf(reading: FileReading<State>, { name, base }: Resource, key: string): State | undefined {
  if (reading.kind !== "damaged") return reading.kind === "data" ? reading.data : undefined;
  return { key, resource: name, original: base, written: undefined, pending: undefined, problem: undefined };
}

/** Without its state, the original value is unknown: nothing is written, and at the end it stays as it is. */
function discardState(
  folder: string,
  { key, demands, reason }: {
    readonly key: string;
    readonly demands: readonly StoredDemand[];
    readonly reason: string;
  },
  context: ConvergeContext,
): Converged {
  const lost = `its state in the ledger is damaged (${reason}), so what it was before is unknown`;
  if (demands.length > 0) return { key, end: "failed", problem: lost, hint: releaseHint(key) };
  takeState(folder, context);
  forget(folder, context.sys);
  return { key, end: "left", problem: `${lost}: it stays as it is` };
}

async function convergeKnown(folder: string, resource: ResourceContext, context: LockedContext): Promise<Converged> {
  const { kind, key, state, demands } = resource;
  try {
    const reading = await kind.read(key, context.sys, state, context.deadlineMs);
    if (reading.kind === "value") return await convergeFrom(reading, folder, resource, context);
    if (reading.kind === "gone" && demands.length === 0) {
      forget(folder, context.sys);
      return { key, end: "gone" };
    }
    return keepProblem(folder, { key, end: "failed", problem: reading.reason }, context);
  } catch (error) {
    // Whatever it is (data of another version, a tool that cannot be started): what was noted stays noted.
    return keepProblem(folder, { key, end: "failed", problem: reasonOf(error) }, context);
  }
}

/** What is not as it should be stays in sight: `status` tells it, reconcile tries again. */
function keepProblem(folder: string, converged: Converged, context: LockedContext): Converged {
  const { sys } = context;
  if (context.isInterrupted()) return converged;
  const state = readState(folder, sys);
  if (state !== undefined && converged.problem !== undefined && state.problem !== converged.problem) {
    writeState(folder, { ...state, problem: converged.problem }, sys);
  }
  return converged;
}

async function convergeFrom(
  { value: actual, observed }: Extract<Reading<unknown>, { readonly kind: "value" }>,
  folder: string,
  resource: ResourceContext,
  context: LockedContext,
): Promise<Converged> {
  const { kind, key, state, demands } = resource;
  const saved = rebaseOriginal(kind, state, actual);
  const held = await currentDemands(kind, demands, context.sys);
  const target = targetOf(kind, { saved, actual, held });
  if (target.kind === "conflict") {
    context.held.culprit = firstConflict(kind, { saved, actual, held }, context.update.add.length);
    return { key, end: "failed", problem: target.reason };
  }
  storeUpdate(context);
  const isLast = demands.length === 0;
  if (target.kind === "left") {
    forget(folder, context.sys);
    return { key, end: "left", problem: notRestoredText(kind, saved, actual) };
  }
  if (sameValue(target.value, actual)) {
    if (isLast) forget(folder, context.sys);
    else saveState(folder, resource, { ...saved, written: actual, pending: undefined }, context);
    return { key, end: "unchanged" };
  }
  const change = {
    saved: markPending(kind, saved, { actual, target: target.value }),
    actual,
    observed,
    target: target.value,
    held,
    isLast,
  };
  return await makeChange(folder, resource, change, context);
}

/** The first of the last `count` demands that does not fit beside those before it. */
function firstConflict(
  kind: Resource,
  { saved, actual, held }: Parameters<typeof targetOf>[1],
  count: number,
): number | undefined {
  const others = held.length - count;
  const index = held.slice(others).findIndex((_, at) =>
    targetOf(kind, { saved, actual, held: held.slice(0, others + at + 1) }).kind === "conflict"
  );
  return index === -1 ? undefined : index;
}

function storeUpdate({ update: { add, remove }, held, sys }: LockedContext): void {
  if (add.length === 0) return;
  const names = new Set(add.map(nameOf));
  for (const stored of remove) if (!names.has(nameOf(stored))) removeDemand(stored, sys);
  for (const stored of add) storeDemand(stored, sys);
  held.isStored = true;
}
