/**
 * Brings the host to what the living hold: removes the demands of the dead, converges everything.
 * @module
 */
import { converge } from "./converge.ts";
import type { Converged, Work } from "./work.ts";
import type { FiledDemand } from "./demand_file.ts";
import { byHolder, judge, type Verdict } from "./evidence.ts";
import type { Reader } from "./file.ts";
import type { Holder } from "./holder.ts";
import { lockHolder, noteNotRunning, sweepHolders } from "./holder_file.ts";
import { demandsNamed, demandsOf, releaseAll } from "./holds.ts";
import { resourceNames } from "./ledger.ts";
import { isForgotten } from "./resource_lock.ts";
import { reasonOf } from "./ledger_error.ts";

/** What reconciling takes besides its time. */
export interface ReconcileOptions {
  /** Which holders are judged; the others are left alone. */
  readonly includes: (holder: Holder) => boolean;
  /** Whether holders of which nothing shows that they live are released too. */
  readonly stale: boolean;
}

/** What became of one holder. */
export interface Judged {
  readonly holder: Holder;
  readonly verdict: Verdict;
  readonly released: boolean;
  readonly results: readonly Converged[];
}

/** What came of reconciling. */
export interface Reconciled {
  readonly holders: readonly Judged[];
  /** What came of every resource at the end. */
  readonly resources: readonly Converged[];
}

/** Every lifetime: whoever is over holds nothing any more. */
export const ALL_LIFETIMES = ["domain", "running", "network", "port"] as const;

/** Releases the dead, then converges all. */
export async function reconcile(options: ReconcileOptions, work: Work): Promise<Reconciled> {
  const holders: Judged[] = [];
  for (const [{ record }] of byHolder(allDemands(work))) {
    if (options.includes(record.holder)) holders.push(await reconcileSafely(record.holder, options, work));
  }
  const resources: Converged[] = [];
  for (const folder of resourceNames(work.sys)) {
    // What killed hooks left behind has time until the next call.
    const isLate = work.sys.elapsedMs() > work.deadlineMs;
    if (!isLate || !isForgotten(folder, work.sys)) resources.push(await converge(folder, work));
  }
  tidy(work);
  return { holders, resources };
}

function tidy(work: Work): void {
  try {
    sweepHolders(work);
  } catch (error) {
    work.notes.push(reasonOf(error));
  }
}

/** Whether a holder of whom this is known is released. */
export function isOver(verdict: Verdict, { stale }: Pick<ReconcileOptions, "stale">): boolean {
  return verdict.kind === "dead" || (stale && verdict.kind === "stale");
}

/** Every demand in the ledger. */
export function allDemands(reader: Reader): readonly FiledDemand[] {
  return demandsNamed(() => true, reader);
}

/** What cannot be told of one holder does not keep the others from being judged. */
async function reconcileSafely(holder: Holder, options: ReconcileOptions, work: Work): Promise<Judged> {
  try {
    return await reconcileHolder(holder, options, work);
  } catch (error) {
    return { holder, verdict: { kind: "unknown", because: reasonOf(error) }, released: false, results: [] };
  }
}

/** Judges under the holder's lock: nobody begins to hold while its demands are looked at and removed. */
async function reconcileHolder(holder: Holder, options: ReconcileOptions, work: Work): Promise<Judged> {
  const lock = await lockHolder(holder, 0, work);
  using _lock = lock;
  if (lock === undefined) {
    const because = "a hook call for it is under way";
    return { holder, verdict: { kind: "unknown", because }, released: false, results: [] };
  }
  const all = await demandsOf({ holder, lifetimes: ALL_LIFETIMES }, work);
  const own = all.filter(({ record }) => record.holder.kind === holder.kind && record.holder.uuid === holder.uuid);
  const verdict = await judge(own.map(({ record }) => record), work.sys);
  if (!isOver(verdict, options)) return { holder, verdict, released: false, results: [] };
  const results = await releaseAll(all, work);
  await noteNotRunning(holder, work.sys);
  return { holder, verdict, released: true, results };
}
