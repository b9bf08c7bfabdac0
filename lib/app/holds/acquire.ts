/**
 * Holds of a plan that were checked are acquired in order; after a failure that decides the call, all are given back, the last
 * one first.
 * @module
 */
import { type ConvergeContext, type Converged, succeeded } from "../../ledger/converge.ts";
import type { StoredDemand } from "../../ledger/demand_file.ts";
import { noteNotRunning, noteRunning } from "../../ledger/holder_file.ts";
import {
  acquire,
  type Acquired,
  demandsOf,
  endEarlierLife,
  evictUsers,
  groupByFolder,
  notAcquired,
  releaseAll,
  restoreOrphaned,
  rollback,
} from "../../ledger/holds.ts";
import { reasonOf } from "../../text/reason_of.ts";
import type { ResolvedHold } from "../../ledger/resolve.ts";
import { type CheckedHold, convergedPart, goesOn, previousHolds, stepOf } from "./check.ts";
import { GIVE_BACK_SHARE, type HolderSession, isDaemonGone, isOrphaned, refuseOrphaned } from "./session.ts";
import { isFatal, type Step } from "../outcome.ts";

/** The result of acquiring. */
export interface AcquireResult {
  readonly steps: readonly Step[];
  /** What was given back first. */
  readonly released: readonly Converged[];
  /** What was acquired and given back after a failure, the last acquired first. */
  readonly rolledBack: readonly Converged[];
}

/**
 * Acquires what was checked, and first releases what the holder has and the plan lacks. `later`: holds that were checked, and that
 * a later call of this life acquires. `isSeparate`: holds of one resource are acquired one after the other, so that each step has its
 * own change.
 */
export async function acquireHolds(
  checked: readonly CheckedHold[],
  session: HolderSession,
  { later = [], isSeparate = false }: { readonly later?: readonly CheckedHold[]; readonly isSeparate?: boolean } = {},
): Promise<AcquireResult> {
  const { kinds, sys, ledger, deadlineMs } = session;
  const rollbackContext: ConvergeContext = { kinds, sys, notes: ledger.notes, deadlineMs, mayWait: true };
  const ledgerContext: ConvergeContext = { ...rollbackContext, deadlineMs: deadlineMs * (1 - GIVE_BACK_SHARE) };
  const steps: Step[] = [];
  const held: AcquiredHold[] = [];
  const { obsolete, replaced } = await previousHolds(checked, session);
  const rolledBack: Converged[] = [];
  const released = [...await releaseObsolete(obsolete, session, rollbackContext)];
  for (const step of await endEarlierLives(later, session, { ledgerContext, released })) {
    steps.push(step);
    if (isFatal(step)) return { steps, released, rolledBack };
  }
  const items = checked.map((one) => ({ ...one, folder: one.resolved.folder }));
  for (const group of isSeparate ? items.map((one) => [one] as const) : groupByFolder(items)) {
    const former = replaced.filter(({ folder }) => folder === group[0].folder);
    const done = await acquireGroup(group, former, { ledgerContext, session, checked });
    released.push(...done.flatMap(({ ended }) => ended ?? []));
    for (const [index, one] of done.entries()) {
      steps.push(one.step);
      if (succeeded(one.converged)) {
        held.push(one);
      } else if (isFatal(one.step) || isOrphaned(session)) {
        rolledBack.push(...await rollbackAll([...held, ...done.slice(index)], session, rollbackContext));
        return { steps, released, rolledBack };
      } else {
        rolledBack.push(...await rollbackEach([one], session, rollbackContext));
      }
    }
  }
  await noteLife(session, ledgerContext);
  return { steps, released, rolledBack };
}

/**
 * Ends what an earlier life left of holds that are acquired once the guest runs: where that fails then, the start cannot be refused
 * any more.
 * @returns a step for each that cannot be ended
 */
async function endEarlierLives(
  later: readonly CheckedHold[],
  session: HolderSession,
  { ledgerContext, released }: { readonly ledgerContext: ConvergeContext; readonly released: Converged[] },
): Promise<readonly Step[]> {
  const steps: Step[] = [];
  for (const { hold, resolved } of isOrphaned(session) || goesOn(session) ? [] : later) {
    const startedMs = session.sys.elapsedMs();
    const ended = await endEarlierLife(resolved, ledgerContext);
    if (ended === undefined) continue;
    if (succeeded(ended)) released.push(ended);
    else steps.push(stepOf(hold, convergedPart(hold, ended), session.sys.elapsedMs() - startedMs));
  }
  return steps;
}

/** An acquired hold with its step. */
interface AcquiredHold extends Acquired {
  readonly step: Step;
}

/** Holds of one resource. */
async function acquireGroup(
  group: readonly CheckedHold[],
  former: readonly StoredDemand[],
  { ledgerContext, session, checked }: {
    readonly ledgerContext: ConvergeContext;
    readonly session: HolderSession;
    readonly checked: readonly CheckedHold[];
  },
): Promise<readonly AcquiredHold[]> {
  const { sys, ledger } = session;
  const startedMs = sys.elapsedMs();
  const resolvedHolds = group.map(({ resolved }) => resolved);
  const refused = await evictFirst(group, checked, ledgerContext);
  const results = refused === undefined
    ? await acquireForDaemon(resolvedHolds, former, { session, ledgerContext })
    : resolvedHolds.map((resolved) => notAcquired(resolved, refused));
  const durationMs = (sys.elapsedMs() - startedMs) / group.length;
  // Ten forwards to one guest have the same to say of it.
  ledger.notes.push(...new Set(resolvedHolds.flatMap(({ note }) => note === undefined ? [] : [note])));
  return results.flatMap((result, index): AcquiredHold[] => {
    const hold = group[index]?.hold;
    if (hold === undefined) return [];
    return [{ ...result, step: stepOf(hold, convergedPart(hold, result.converged), durationMs) }];
  });
}

/**
 * Evicts users of all resources first if a module is to be unloaded, since a module can only be unloaded when its devices are not in
 * use: programs that use a device of the guest are waited for or ended, as its hold says.
 */
async function evictFirst(
  group: readonly CheckedHold[],
  checked: readonly CheckedHold[],
  ledgerContext: ConvergeContext,
): Promise<Converged | undefined> {
  const unloads = group.some(({ hold }) => hold.resource === "module" && hold.demand.state === "unloaded");
  return unloads ? await evictUsers(checked.map(({ resolved }) => resolved), ledgerContext) : undefined;
}

/** Releases demands of earlier lives and of rules that no longer apply. */
async function releaseObsolete(
  over: readonly StoredDemand[],
  session: HolderSession,
  ledgerContext: ConvergeContext,
): Promise<readonly Converged[]> {
  const { holder, call, ledger, sys, isAlive } = session;
  // Nothing is begun, and nothing ended, for a daemon that is gone: another one may have gone on with the guest.
  if (!isAlive && isDaemonGone(session)) return [];
  try {
    if (!isAlive && holder.kind === "domain" && call.facts.lifetimes.includes("domain")) {
      await noteNotRunning(holder, sys);
    }
  } catch (error) {
    ledger.notes.push(reasonOf(error));
  }
  return [...await releaseAll(over, ledgerContext), ...await restoreOrphaned(over, ledgerContext)];
}

/**
 * Rolls back after a failure that decides the call. If the call was to start a life, all demands of the holder are released,
 * whichever call acquired them; a port that libvirt reports again keeps what it had.
 */
async function rollbackAll(
  held: readonly AcquiredHold[],
  session: HolderSession,
  ledgerContext: ConvergeContext,
): Promise<readonly Converged[]> {
  const { holder, call } = session;
  if (goesOn(session)) return await rollbackEach(held, session, ledgerContext);
  return await releaseAll(await demandsOf({ holder, lifetimes: call.facts.lifetimes }, ledgerContext), ledgerContext);
}

/** The last acquired first. A life that goes on has again what the holds replaced. */
async function rollbackEach(
  held: readonly AcquiredHold[],
  session: HolderSession,
  ledgerContext: ConvergeContext,
): Promise<readonly Converged[]> {
  const results: Converged[] = [];
  const inOrder = held.toReversed().map((one) => ({ ...one, folder: one.resolved.folder }));
  for (const group of groupByFolder(inOrder)) {
    const replaced = goesOn(session) ? group.flatMap((one) => one.replaced) : [];
    const unique = [...new Map(replaced.map((stored) => [stored.path, stored])).values()];
    const result = await rollback(group, unique, ledgerContext);
    if (result !== undefined) results.push(result);
  }
  return results;
}

/** Once a guest runs, libvirt has a status of it. What only lasts while it is there is told from then on, too. */
async function noteLife({ holder, call, sys }: HolderSession, ledgerContext: ConvergeContext): Promise<void> {
  if (holder.kind !== "domain" || !call.facts.lifetimes.includes("running")) return;
  const demands = await demandsOf({ holder, lifetimes: ["domain", "running"] }, ledgerContext);
  try {
    if (demands.length > 0) await noteRunning(holder, sys);
  } catch (error) {
    ledgerContext.notes.push(reasonOf(error));
  }
}

/** Looks for the daemon before and after: it can die while the hook waits for a lock, or in the middle of a slow write. */
async function acquireForDaemon(
  resolvedHolds: readonly ResolvedHold[],
  former: readonly StoredDemand[],
  { session, ledgerContext }: { readonly session: HolderSession; readonly ledgerContext: ConvergeContext },
): Promise<readonly Acquired[]> {
  const { ledger } = session;
  if (isOrphaned(session)) {
    return resolvedHolds.map((resolved) => notAcquired(resolved, refuseOrphaned(resolved, ledger)));
  }
  const results = await acquire(resolvedHolds, former, ledgerContext);
  if (!isOrphaned(session)) return results;
  return results.map((result) => ({ ...result, converged: refuseOrphaned(result.resolved, ledger) }));
}
