/**
 * Brings the host to what the living hold: removes the demands of the dead, converges everything.
 * @module
 */
import { ensureResource } from "./update.ts";
import type { ConvergeContext, Converged } from "./converge.ts";
import { assessLiveness, byHolder, type DaemonView, type Liveness, NOT_ASSESSED, viewDaemons } from "./liveness.ts";
import { type Holder, holderId, type StoredDemand } from "./demand_file.ts";
import type { ReadContext } from "./file.ts";
import { lockHolder, noteNotRunning, sweepHolders } from "./holder_file.ts";
import { demandsNamed, demandsOf, releaseAll } from "./holds.ts";
import { resourceNames } from "./ledger.ts";
import { isForgotten } from "./locks.ts";
import { reasonOf } from "../text/reason_of.ts";

/** What reconciling takes besides its time. */
export interface ReconcileOptions {
  /** Which holders are judged; the others are left alone. */
  readonly includes: (holder: Holder) => boolean;
  /** Whether holders of which nothing shows that they live are released too. */
  readonly stale: boolean;
}

/** What became of one holder. */
export interface AssessedHolder {
  readonly holder: Holder;
  readonly verdict: Liveness;
  readonly released: boolean;
  readonly results: readonly Converged[];
}

/** The result of reconciling. */
export interface Reconciled {
  readonly holders: readonly AssessedHolder[];
  /** The result for each resource. */
  readonly resources: readonly Converged[];
}

/** Every lifetime: a holder that is gone holds nothing any more. */
export const ALL_LIFETIMES = ["domain", "running", "network", "port"] as const;

/** Of the time that is left, how much judging and releasing holders may take: the rest is kept for what the living hold. */
const HOLDERS_SHARE = 0.75;

/** Releases the dead, then converges all, as far as time is left; what was not looked at is told as `late`. */
export async function reconcile(options: ReconcileOptions, context: ConvergeContext): Promise<Reconciled> {
  const nowMs = context.sys.elapsedMs();
  const untilMs = nowMs + (context.deadlineMs - nowMs) * HOLDERS_SHARE;
  const daemons = viewDaemons(context.sys);
  const holders: AssessedHolder[] = [];
  for (const demands of byHolder(allDemands(context))) {
    const [{ record: { holder } }] = demands;
    if (!options.includes(holder)) continue;
    const hasTime = context.sys.elapsedMs() < untilMs;
    holders.push(
      hasTime ? await reconcileSafely(demands, options, { work: context, daemons }) : left(holder, NOT_ASSESSED),
    );
  }
  const resources = [...notLookedAt("holder", holders.filter(isUnseen).length, holders.length)];
  const folders = resourceNames(context.sys);
  for (const [index, folder] of folders.entries()) {
    if (context.sys.elapsedMs() >= context.deadlineMs) {
      // An empty folder that a killed hook left holds nothing: it has time until the next call.
      const unseen = folders.slice(index).filter((name) => !isForgotten(name, context.sys));
      resources.push(...notLookedAt("resource", unseen.length, folders.length));
      break;
    }
    resources.push(await ensureResource(folder, context));
  }
  removeLeftoverFiles(context);
  return { holders, resources };
}

/** A holder that keeps what it holds. */
function left(holder: Holder, verdict: Liveness): AssessedHolder {
  return { holder, verdict, released: false, results: [] };
}

function isUnseen({ verdict }: AssessedHolder): boolean {
  return verdict.kind === "unknown" && verdict.isLate === true;
}

function notLookedAt(what: "holder" | "resource", count: number, total: number): readonly Converged[] {
  if (count === 0) return [];
  const problem = `no time was left to look at ${count} of ${total} ${what}s`;
  return [{ key: "the ledger", end: "late", problem }];
}

function removeLeftoverFiles(context: ConvergeContext): void {
  try {
    sweepHolders(context);
  } catch (error) {
    context.notes.push(reasonOf(error));
  }
}

/** Whether a holder with this liveness is released. */
export function isOver(verdict: Liveness, { stale }: Pick<ReconcileOptions, "stale">): boolean {
  return verdict.kind === "dead" || (stale && verdict.kind === "stale");
}

/** Every demand in the ledger. */
export function allDemands(reader: ReadContext): readonly StoredDemand[] {
  return demandsNamed(() => true, reader);
}

interface Pass {
  readonly work: ConvergeContext;
  readonly daemons: DaemonView;
}

/** What cannot be told of one holder does not keep the others from being judged. */
async function reconcileSafely(
  demands: readonly [StoredDemand, ...StoredDemand[]],
  options: ReconcileOptions,
  pass: Pass,
): Promise<AssessedHolder> {
  const [{ record: { holder } }] = demands;
  try {
    const verdict = await assessLiveness(demands.map(({ record }) => record), pass.daemons, pass.work.sys);
    return isOver(verdict, options) ? await releaseDead(holder, options, pass) : left(holder, verdict);
  } catch (error) {
    return left(holder, { kind: "unknown", because: reasonOf(error) });
  }
}

/** Assesses the holder again under its lock: no hook acquires for it while its demands are read and removed. */
async function releaseDead(
  holder: Holder,
  options: ReconcileOptions,
  { work: context, daemons }: Pass,
): Promise<AssessedHolder> {
  const lock = await lockHolder(holder, 0, context);
  using _lock = lock;
  if (lock === undefined) return left(holder, { kind: "unknown", because: "a hook call for it is under way" });
  const all = await demandsOf({ holder, lifetimes: ALL_LIFETIMES }, context);
  const own = all.filter(({ record }) => holderId(record.holder) === holderId(holder));
  const verdict = await assessLiveness(own.map(({ record }) => record), daemons, context.sys);
  if (!isOver(verdict, options)) return left(holder, verdict);
  const results = await releaseAll(all, context);
  await noteNotRunning(holder, context.sys);
  return { holder, verdict, released: true, results };
}
