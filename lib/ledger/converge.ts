/**
 * The one verb: brings a resource to what its demands come to, from whatever state it is in. There is no other undo.
 *
 * lock · read demands and what stands · equal: done · note the original (once) and what is about to be written · write ·
 * note what stands · no demand left: forget · unlock · look again, since somebody may have come or gone meanwhile.
 * @module
 */
import { loadResource } from "../resources/registry.ts";
import { type Reading, type Resource, sameValue } from "../resources/resource.ts";
import { demandNames, nameOf, readDemands, type StoredDemand, storeDemand } from "./demand_file.ts";
import { forget } from "./forget.ts";
import { markPending, notRestoredText, rebaseOriginal, targetOf } from "./target.ts";
import { waitForTrackedChild } from "./child.ts";
import { watchInterrupts } from "./interrupts.ts";
import { currentDemands } from "./current_demands.ts";
import { reasonOf } from "../text/reason_of.ts";
import { makeChange, saveState } from "./make_change.ts";
import { lookAtState, readState, type State, takeState, writeState } from "./state_file.ts";
import { releaseHint } from "../plan/release_hint.ts";
import type { FileReading } from "./file.ts";
import { lockResource, removeForgotten } from "./resource_lock.ts";
import {
  type ConvergeContext,
  type Converged,
  type LockedContext,
  type ResourceContext,
  succeeded,
} from "./context.ts";

/** Converges the resource of a folder, until its demands stay the same. Never throws: others wait to be converged, too. */
export async function converge(folder: string, context: ConvergeContext): Promise<Converged> {
  let result: Converged | undefined;
  while (true) {
    const pass = await convergeOnce(folder, context);
    if (pass === "locked") return result ?? notLocked(folder, context);
    result = result === undefined ? pass.converged : joined(result, pass.converged, folder);
    if (!pass.mustRetry) return result;
  }
}

function notLocked(key: string, { mayWait }: ConvergeContext): Converged {
  if (!mayWait) return { key, end: "handed-over" };
  return { key, end: "late", problem: "another hook has been at it until no time was left" };
}

/** What two passes come to: the change is from what stood first to what stands now. Of what is forgotten there is no key any more. */
function joined(before: Converged, now: Converged, folder: string): Converged {
  if (now.end === "unchanged" && succeeded(before)) {
    return { ...before, key: now.key === folder ? before.key : now.key };
  }
  if (before.change === undefined || now.change === undefined) return now;
  const parts = [...before.change.parts ?? [], ...now.change.parts ?? []];
  const change = { from: before.change.from, to: now.change.to, ...(parts.length === 0 ? {} : { parts }) };
  return { ...now, change };
}

/** What came of a pass. `lookAgain`: somebody came or went meanwhile and relies on us. */
export interface ConvergeAttempt {
  readonly converged: Converged;
  readonly mustRetry: boolean;
}

/** Takes the lock, converges once, lets the lock go. Demands of newcomers are filed once they are sure to fit. */
export async function convergeOnce(
  folder: string,
  context: ConvergeContext,
  additions: readonly StoredDemand[] = [],
): Promise<ConvergeAttempt | "locked"> {
  try {
    const lock = await lockResource(folder, { make: additions.length > 0 }, context);
    if (lock === "late") return "locked";
    if (lock === "gone") return { converged: { key: folder, end: "unchanged" }, mustRetry: false };
    const held = { lock, isFiled: false };
    let pass: { readonly converged: Converged; readonly seen: readonly string[] };
    try {
      await waitForTrackedChild(folder, context.sys);
      pass = await convergeLocked(folder, { ...context, ...watchInterrupts(context.sys), held, additions: additions });
      removeForgotten(folder, context.sys);
    } finally {
      held.lock[Symbol.dispose]();
    }
    return { converged: pass.converged, mustRetry: !sameValue(demandNames(folder, context.sys), pass.seen) };
  } catch (error) {
    const key = additions[0]?.record.key ?? folder;
    return { converged: { key, end: "failed", problem: reasonOf(error) }, mustRetry: false };
  }
}

async function convergeLocked(
  folder: string,
  context: LockedContext,
): Promise<{ readonly converged: Converged; readonly seen: readonly string[] }> {
  const { sys, additions: additions } = context;
  const names = demandNames(folder, sys);
  const others = names.filter((name) => !additions.some((one) => nameOf(one) === name));
  const demands = [...readDemands(folder, others, context), ...additions];
  const converged = await convergeRead(folder, { demands, reading: lookAtState(folder, sys) }, context);
  const seen = context.held.isFiled ? [...others, ...additions.map(nameOf)].sort() : names;
  return { seen, converged };
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
  const kind = about === undefined ? undefined : await loadResource(about.resource);
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

/** Of a kind whose original is always the same, a damaged state loses nothing. */
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
  { value: actual, seen }: Extract<Reading<unknown>, { readonly kind: "value" }>,
  folder: string,
  resource: ResourceContext,
  context: LockedContext,
): Promise<Converged> {
  const { kind, key, state, demands } = resource;
  const saved = rebaseOriginal(kind, state, actual);
  const held = await currentDemands(kind, demands, context.sys);
  const target = targetOf(kind, { saved, actual, held });
  if (target.kind === "conflict") return { key, end: "failed", problem: target.reason };
  for (const addition of context.additions) storeDemand(addition, context.sys);
  context.held.isFiled = context.additions.length > 0;
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
    seen,
    target: target.value,
    held,
    isLast,
  };
  return await makeChange(folder, resource, change, context);
}
