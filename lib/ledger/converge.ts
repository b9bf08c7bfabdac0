/**
 * The one verb: brings a resource to what its demands come to, from whatever state it is in. There is no other undo.
 *
 * lock · read demands and what stands · equal: done · note the original (once) and what is about to be written · write ·
 * note what stands · no demand left: forget · unlock · look again, since somebody may have come or gone meanwhile.
 * @module
 */
import { loadResource } from "../resources/registry.ts";
import { type Reading, type Resource, sameValue } from "../resources/resource.ts";
import { demandNames, type FiledDemand, fileDemand, nameOf, readDemands } from "./demand_file.ts";
import { forget } from "./forget.ts";
import { begun, goalOf, leftProblem, rebased } from "./goal.ts";
import { awaitChild } from "./child.ts";
import { watchInterrupts } from "./interrupts.ts";
import { heldNow } from "./held.ts";
import { reasonOf } from "../text/reason_of.ts";
import { makeChange, saveState } from "./make_change.ts";
import { lookAtState, readState, type State, takeState, writeState } from "./state_file.ts";
import { giveUpHint } from "../plan/give_up_hint.ts";
import type { FileReading } from "./file.ts";
import { lockResource, removeForgotten } from "./resource_lock.ts";
import { type Converged, isWell, type LockedWork, type Situation, type Work } from "./work.ts";

/** Converges the resource of a folder, until its demands stay the same. Never throws: others wait to be converged, too. */
export async function converge(folder: string, work: Work): Promise<Converged> {
  let result: Converged | undefined;
  while (true) {
    const pass = await onePass(folder, work);
    if (pass === "locked") return result ?? notLocked(folder, work);
    result = result === undefined ? pass.converged : joined(result, pass.converged, folder);
    if (!pass.lookAgain) return result;
  }
}

function notLocked(key: string, { mayWait }: Work): Converged {
  if (!mayWait) return { key, end: "handed-over" };
  return { key, end: "late", problem: "another hook has been at it until no time was left" };
}

/** What two passes come to: the change is from what stood first to what stands now. Of what is forgotten there is no key any more. */
function joined(before: Converged, now: Converged, folder: string): Converged {
  if (now.end === "unchanged" && isWell(before)) return { ...before, key: now.key === folder ? before.key : now.key };
  if (before.change === undefined || now.change === undefined) return now;
  const parts = [...before.change.parts ?? [], ...now.change.parts ?? []];
  const change = { from: before.change.from, to: now.change.to, ...(parts.length === 0 ? {} : { parts }) };
  return { ...now, change };
}

/** What came of a pass. `lookAgain`: somebody came or went meanwhile and relies on us. */
export interface Pass {
  readonly converged: Converged;
  readonly lookAgain: boolean;
}

/** Takes the lock, converges once, lets the lock go. Demands of newcomers are filed once they are sure to fit. */
export async function onePass(
  folder: string,
  work: Work,
  newcomers: readonly FiledDemand[] = [],
): Promise<Pass | "locked"> {
  try {
    const lock = await lockResource(folder, { make: newcomers.length > 0 }, work);
    if (lock === "late") return "locked";
    if (lock === "gone") return { converged: { key: folder, end: "unchanged" }, lookAgain: false };
    const held = { lock, isFiled: false };
    let pass: { readonly converged: Converged; readonly seen: readonly string[] };
    try {
      await awaitChild(folder, work.sys);
      pass = await convergeLocked(folder, { ...work, ...watchInterrupts(work.sys), held, newcomers });
      removeForgotten(folder, work.sys);
    } finally {
      held.lock[Symbol.dispose]();
    }
    return { converged: pass.converged, lookAgain: !sameValue(demandNames(folder, work.sys), pass.seen) };
  } catch (error) {
    const key = newcomers[0]?.record.key ?? folder;
    return { converged: { key, end: "failed", problem: reasonOf(error) }, lookAgain: false };
  }
}

async function convergeLocked(
  folder: string,
  work: LockedWork,
): Promise<{ readonly converged: Converged; readonly seen: readonly string[] }> {
  const { sys, newcomers } = work;
  const names = demandNames(folder, sys);
  const others = names.filter((name) => !newcomers.some((one) => nameOf(one) === name));
  const demands = [...readDemands(folder, others, work), ...newcomers];
  const converged = await convergeRead(folder, { demands, reading: lookAtState(folder, sys) }, work);
  const seen = work.held.isFiled ? [...others, ...newcomers.map(nameOf)].sort() : names;
  return { seen, converged };
}

/** What is in a resource's folder. */
interface FolderContent {
  readonly demands: readonly FiledDemand[];
  readonly reading: FileReading<State>;
}

async function convergeRead(folder: string, { demands, reading }: FolderContent, work: LockedWork): Promise<Converged> {
  const about = reading.kind === "data" ? reading.data : demands[0]?.record ?? work.about;
  const kind = about === undefined ? undefined : await loadResource(about.resource);
  if (reading.kind === "damaged" && kind?.base === undefined) {
    return loseState(folder, { key: about?.key ?? folder, demands, reason: reading.reason }, work);
  }
  if (about === undefined || (reading.kind === "missing" && demands.length === 0)) {
    forget(folder, work.sys);
    return { key: folder, end: "unchanged" };
  }
  const { key } = about;
  if (kind === undefined) {
    return { key, end: "failed", problem: `this version knows no resource of the kind ${about.resource}` };
  }
  if (reading.kind === "damaged") takeState(folder, work);
  return await convergeKnown(folder, { kind, key, state: stateOf(reading, kind, key), demands }, work);
}

/** Of a kind whose original is always the same, a damaged state loses nothing. */
function stateOf(reading: FileReading<State>, { name, base }: Resource, key: string): State | undefined {
  if (reading.kind !== "damaged") return reading.kind === "data" ? reading.data : undefined;
  return { key, resource: name, original: base, written: undefined, pending: undefined, problem: undefined };
}

/** Without its state, the original value is unknown: nothing is written, and at the end it stays as it is. */
function loseState(
  folder: string,
  { key, demands, reason }: { readonly key: string; readonly demands: readonly FiledDemand[]; readonly reason: string },
  work: Work,
): Converged {
  const lost = `its state in the ledger is damaged (${reason}), so what it was before is unknown`;
  if (demands.length > 0) return { key, end: "failed", problem: lost, hint: giveUpHint(key) };
  takeState(folder, work);
  forget(folder, work.sys);
  return { key, end: "left", problem: `${lost}: it stays as it is` };
}

async function convergeKnown(folder: string, situation: Situation, work: LockedWork): Promise<Converged> {
  const { kind, key, state, demands } = situation;
  try {
    const reading = await kind.read(key, work.sys, state, work.deadlineMs);
    if (reading.kind === "value") return await convergeFrom(reading, folder, situation, work);
    if (reading.kind === "gone" && demands.length === 0) {
      forget(folder, work.sys);
      return { key, end: "gone" };
    }
    return keepProblem(folder, { key, end: "failed", problem: reading.reason }, work);
  } catch (error) {
    // Whatever it is (data of another version, a tool that cannot be started): what was noted stays noted.
    return keepProblem(folder, { key, end: "failed", problem: reasonOf(error) }, work);
  }
}

/** What is not as it should be stays in sight: `status` tells it, reconcile tries again. */
function keepProblem(folder: string, converged: Converged, work: LockedWork): Converged {
  const { sys } = work;
  if (work.isInterrupted()) return converged;
  const state = readState(folder, sys);
  if (state !== undefined && converged.problem !== undefined && state.problem !== converged.problem) {
    writeState(folder, { ...state, problem: converged.problem }, sys);
  }
  return converged;
}

async function convergeFrom(
  { value: actual, seen }: Extract<Reading<unknown>, { readonly kind: "value" }>,
  folder: string,
  situation: Situation,
  work: LockedWork,
): Promise<Converged> {
  const { kind, key, state, demands } = situation;
  const noted = rebased(kind, state, actual);
  const held = await heldNow(kind, demands, work.sys);
  const goal = goalOf(kind, { noted, actual, held });
  if (goal.kind === "conflict") return { key, end: "failed", problem: goal.reason };
  for (const newcomer of work.newcomers) fileDemand(newcomer, work.sys);
  work.held.isFiled = work.newcomers.length > 0;
  const isLast = demands.length === 0;
  if (goal.kind === "left") {
    forget(folder, work.sys);
    return { key, end: "left", problem: leftProblem(kind, noted, actual) };
  }
  if (sameValue(goal.value, actual)) {
    if (isLast) forget(folder, work.sys);
    else saveState(folder, situation, { ...noted, written: actual, pending: undefined }, work);
    return { key, end: "unchanged" };
  }
  const change = {
    noted: begun(kind, noted, { actual, goal: goal.value }),
    actual,
    seen,
    goal: goal.value,
    held,
    isLast,
  };
  return await makeChange(folder, situation, change, work);
}
