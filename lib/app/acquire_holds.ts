/**
 * Holds of a plan that were checked are acquired in order; after a failure that decides the call, all are given back, the last
 * one first.
 * @module
 */
import { type Converged, isWell, type Work } from "../ledger/work.ts";
import { type FiledDemand, removeDemand } from "../ledger/demand_file.ts";
import { noteNotRunning, noteRunning } from "../ledger/holder_file.ts";
import {
  acquire,
  type Acquired,
  clearWays,
  demandsOf,
  inOneGo,
  releaseAll,
  restoreAbandoned,
  takeBack,
} from "../ledger/holds.ts";
import { reasonOf } from "../text/reason_of.ts";
import type { Ready } from "../ledger/wish.ts";
import { convergedPart, stepOf } from "./hold_step.ts";
import { GIVE_BACK_SHARE, type Holding } from "./holding.ts";
import { type Checked, goesOn, leftovers } from "./leftovers.ts";
import { isDaemonGone, isOrphaned, orphaned } from "./orphan.ts";
import { isFatal, type Step } from "./step.ts";

/** What came of acquiring. */
export interface Acquisition {
  readonly steps: readonly Step[];
  /** What was given back first. */
  readonly gaveUp: readonly Converged[];
  /** What was acquired and given back after a failure, the last acquired first. */
  readonly tookBack: readonly Converged[];
}

/** Acquires what was checked, and first gives back what the holder holds and this plan lacks. */
export async function acquireHolds(checked: readonly Checked[], holding: Holding): Promise<Acquisition> {
  const { sys, ledger, deadlineMs } = holding;
  const giveBack: Work = { sys, notes: ledger.notes, deadlineMs, mayWait: true };
  const work: Work = { ...giveBack, deadlineMs: deadlineMs * (1 - GIVE_BACK_SHARE) };
  const steps: Step[] = [];
  const held: Done[] = [];
  const { over, replaced } = await leftovers(checked, holding);
  const tookBack: Converged[] = [];
  const gaveUp = [...await begin(over, holding, giveBack)];
  for (const group of inOneGo(checked.map((one) => ({ ...one, folder: one.ready.folder })))) {
    const former = replaced.filter(({ folder }) => group.some((one) => one.folder === folder));
    for (const filed of former) removeDemand(filed, sys);
    const done = await acquireGroup(group, former, { work, holding, checked });
    gaveUp.push(...done.flatMap(({ ended }) => ended ?? []));
    for (const [index, one] of done.entries()) {
      steps.push(one.step);
      if (isWell(one.converged)) {
        held.push(one);
      } else if (isFatal(one.step) || isOrphaned(holding)) {
        tookBack.push(...await takeAllBack([...held, ...done.slice(index)], holding, giveBack));
        return { steps, gaveUp, tookBack };
      } else {
        tookBack.push(...await takeBackEach([one], holding, giveBack));
      }
    }
  }
  await noteLife(holding, work);
  return { steps, gaveUp, tookBack };
}

/** What came of one hold. */
interface Done extends Acquired {
  readonly step: Step;
  /** What it replaced of a life that goes on. */
  readonly former: readonly FiledDemand[];
}

/** Holds of one resource. */
async function acquireGroup(
  group: readonly Checked[],
  former: readonly FiledDemand[],
  { work, holding, checked }: { readonly work: Work; readonly holding: Holding; readonly checked: readonly Checked[] },
): Promise<readonly Done[]> {
  const { sys, ledger } = holding;
  const startedMs = sys.elapsedMs();
  const readies = group.map(({ ready }) => ready);
  const refused = await clearFirst(group, checked, work);
  const results = refused === undefined
    ? await acquireForDaemon(readies, holding, work)
    : readies.map((ready) => ({ ready, filed: undefined, before: undefined, converged: refused }));
  const durationMs = (sys.elapsedMs() - startedMs) / group.length;
  // Ten forwards to one guest have the same to say of it.
  ledger.notes.push(...new Set(readies.flatMap(({ note }) => note === undefined ? [] : [note])));
  return results.flatMap((result, index): Done[] => {
    const hold = group[index]?.hold;
    if (hold === undefined) return [];
    return [{ ...result, former, step: stepOf(hold, convergedPart(hold, result.converged), durationMs) }];
  });
}

/**
 * A module goes only when nobody uses its devices any more. So where one is to be unloaded, the way of all that is acquired later
 * is cleared first: programs that use a device of the guest are waited for or ended, as its hold says.
 */
async function clearFirst(
  group: readonly Checked[],
  checked: readonly Checked[],
  work: Work,
): Promise<Converged | undefined> {
  const unloads = group.some(({ hold }) => hold.resource === "module" && hold.demand.state === "unloaded");
  return unloads ? await clearWays(checked.map(({ ready }) => ready), work) : undefined;
}

/** What is over is given back. */
async function begin(
  over: readonly FiledDemand[],
  holding: Holding,
  work: Work,
): Promise<readonly Converged[]> {
  const { holder, call, ledger, sys, isAlive } = holding;
  // Nothing is begun, and nothing ended, for a daemon that is gone: another one may have gone on with the guest.
  if (!isAlive && isDaemonGone(holding)) return [];
  try {
    if (!isAlive && holder.kind === "domain" && call.facts.lifetimes.includes("domain")) {
      await noteNotRunning(holder, sys);
    }
  } catch (error) {
    ledger.notes.push(reasonOf(error));
  }
  return [...await releaseAll(over, work), ...await restoreAbandoned(over, work)];
}

/**
 * After a failure that decides the call. Where it was to begin a life, nothing is held for it any more, whoever acquired it;
 * a port that is told of again goes on living with what it had.
 */
async function takeAllBack(held: readonly Done[], holding: Holding, work: Work): Promise<readonly Converged[]> {
  const { holder, call } = holding;
  if (goesOn(holding)) return await takeBackEach(held, holding, work);
  return await releaseAll(await demandsOf({ holder, lifetimes: call.facts.lifetimes }, work), work);
}

/** The last acquired first. */
async function takeBackEach(held: readonly Done[], holding: Holding, work: Work): Promise<readonly Converged[]> {
  const results: Converged[] = [];
  for (const acquired of held.toReversed()) {
    const kept = goesOn(holding) ? acquired : { ...acquired, before: undefined };
    const result = await takeBack(kept, acquired.former, work);
    if (result !== undefined) results.push(result);
  }
  return results;
}

/** Once a guest runs, libvirt has a status of it. What only lasts while it is there is told from then on, too. */
async function noteLife({ holder, call, sys }: Holding, work: Work): Promise<void> {
  if (holder.kind !== "domain" || !call.facts.lifetimes.includes("running")) return;
  const demands = await demandsOf({ holder, lifetimes: ["domain", "running"] }, work);
  try {
    if (demands.length > 0) await noteRunning(holder, sys);
  } catch (error) {
    work.notes.push(reasonOf(error));
  }
}

/** Looks for the daemon before and after: it can die while we wait for a lock, or in the middle of a slow write. */
async function acquireForDaemon(
  readies: readonly Ready[],
  holding: Holding,
  work: Work,
): Promise<readonly Acquired[]> {
  const { ledger } = holding;
  if (isOrphaned(holding)) {
    return readies.map((ready) => ({ ready, filed: undefined, before: undefined, converged: orphaned(ready, ledger) }));
  }
  const results = await acquire(readies, work);
  if (!isOrphaned(holding)) return results;
  return results.map((result) => ({ ...result, converged: orphaned(result.ready, ledger) }));
}
