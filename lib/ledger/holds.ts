/**
 * What calls do with the ledger: acquire, release and ensure the demands of a holder.
 * @module
 */
import type { Lifetime } from "../plan/demand.ts";
import { converge, type Converged, isWell, onePass, type Work } from "./converge.ts";
import { demandNames, type FiledDemand, holderPrefix, readDemands, removeDemand } from "./demand_file.ts";
import type { Reader } from "./file.ts";
import { type Holder, holderId } from "./holder.ts";
import { resourceFolder } from "./layout.ts";
import { makeResourceFolder, resourceNames } from "./ledger.ts";
import { reasonOf } from "./ledger_error.ts";
import { readState } from "./state_file.ts";
import type { Ready } from "./wish.ts";

/** What came of acquiring one wish. */
export interface Acquired {
  readonly ready: Ready;
  readonly converged: Converged;
  /** Set where the demand is in the ledger, even if it is not fulfilled. */
  readonly filed: FiledDemand | undefined;
  /** The demand of an earlier call that it took the place of. */
  readonly before: FiledDemand | undefined;
}

/** Creates a demand and fulfils it. Under the resource's lock, so that two who want different things cannot both come in. */
export async function acquire(ready: Ready, work: Work): Promise<Acquired> {
  const { sys } = work;
  const { folder, name, record } = ready;
  const path = `${resourceFolder(folder).demands}/${name}`;
  const { key } = record;
  try {
    // Without the lock: it may wait for others.
    const refused = await ready.resource.clear?.(record.demand, work.deadlineMs, sys);
    if (refused !== undefined) {
      const { reason: problem, hint } = refused;
      return { ready, filed: undefined, before: undefined, converged: { key, end: "failed", problem, hint } };
    }
    makeResourceFolder(folder, sys);
    const [before] = readDemands(folder, sys.lstat(path) === undefined ? [] : [name], work);
    const former = ready.resource.anew ? await endFormer(ready, before, work) : undefined;
    if (former !== undefined && !isWell(former)) {
      return { ready, filed: undefined, before: undefined, converged: former };
    }
    const pass = await onePass(folder, work, { record, folder, path });
    if (pass === "locked") {
      const problem = `another hook has been at ${key} until no time was left`;
      return { ready, filed: undefined, before, converged: { key, end: "late", problem } };
    }
    // What the second look comes to is not this wish's affair.
    if (pass.lookAgain) await converge(folder, { ...work, mayWait: false });
    const filed = sys.lstat(path) === undefined ? undefined : { record, folder, path };
    return { ready, filed, before, converged: pass.converged };
  } catch (error) {
    return { ready, filed: undefined, before: undefined, converged: { key, end: "failed", problem: reasonOf(error) } };
  }
}

/**
 * Gives back what an earlier life left of a resource that each life begins anew, or says why it cannot. A port is told of again
 * when the daemon starts: what it holds goes on, unless a hook was killed at it or its rule was edited.
 */
async function endFormer(
  { folder, resource, record }: Ready,
  before: FiledDemand | undefined,
  work: Work,
): Promise<Converged | undefined> {
  const state = readState(folder, work);
  const isWhole = state?.pending === undefined && state?.problem === undefined;
  const goesOn = before !== undefined && isWhole && resource.keeps?.(before.record.demand, record.demand) !== false;
  if (state === undefined || goesOn) return undefined;
  if (before !== undefined) removeDemand(before, work.sys);
  const converged = await converge(folder, work);
  const left = "what an earlier start left of it is still there";
  if (!isWell(converged)) return { ...converged, problem: `${left}: ${converged.problem}` };
  if (readState(folder, work) === undefined) return undefined;
  return { key: converged.key, end: "late", problem: `${left}: another hook is at it` };
}

/** Undoes an acquiring: what it took the place of is held again. */
export async function takeBack({ filed, before }: Acquired, work: Work): Promise<Converged | undefined> {
  if (filed === undefined) return undefined;
  if (before === undefined) return await release(filed, work);
  const { folder, record } = before;
  const pass = await onePass(folder, work, before);
  if (pass !== "locked") return { ...pass.converged, key: record.key };
  return { key: record.key, end: "late", problem: "another hook has been at it until no time was left" };
}

/** Removes a demand and puts back what nobody else needs. Never throws: what it cannot do, it tells. */
export async function release(filed: FiledDemand, work: Work): Promise<Converged> {
  const { key } = filed.record;
  try {
    removeDemand(filed, work.sys);
  } catch (error) {
    return { key, end: "failed", problem: reasonOf(error) };
  }
  return { ...await converge(filed.folder, work), key };
}

/** Which demands of a holder are meant. */
export interface Selection {
  readonly holder: Holder;
  readonly lifetimes: readonly Lifetime[];
}

/**
 * The demands of a holder in the order in which they were acquired. With a network come those of its ports, with a guest
 * those of its interfaces, as their own end may never be told.
 */
export async function demandsOf(
  { holder, lifetimes }: Selection,
  reader: Reader,
): Promise<readonly FiledDemand[]> {
  const own = await holderPrefix(holder);
  const mayOwnPorts = holder.kind !== "port";
  const id = holderId(holder);
  const mayBeMeant = (name: string): boolean => name.startsWith(own) || (mayOwnPorts && name.startsWith("p-"));
  return demandsNamed(mayBeMeant, reader).filter(({ record }) => {
    if (holderId(record.holder) === id) return lifetimes.includes(record.lifetime);
    return record.holder.kind === "port" && endsWith(record.holder, { holder, lifetimes });
  });
}

/** The demands in the ledger whose names are meant, in the order in which they were acquired. */
export function demandsNamed(isMeant: (name: string) => boolean, reader: Reader): readonly FiledDemand[] {
  const { sys, notes } = reader;
  const found = resourceNames(sys).flatMap((folder) => {
    try {
      return readDemands(folder, demandNames(folder, sys).filter(isMeant), reader);
    } catch (error) {
      // What cannot be read of one resource says nothing of the others.
      notes.push(reasonOf(error));
      return [];
    }
  });
  return found.sort((a, b) => rank(a) - rank(b));
}

/** What lasts while a guest runs is acquired behind all that lasts while it is there. */
const LATER = { domain: 0, network: 0, running: 1, port: 1 } as const satisfies Record<Lifetime, number>;

/** A call has less than a million holds. */
function rank({ record }: FiledDemand): number {
  return LATER[record.lifetime] * 1_000_000 + record.order;
}

function endsWith(port: Holder & { readonly kind: "port" }, { holder, lifetimes }: Selection): boolean {
  if (holder.kind === "network") return port.network === holder.uuid && lifetimes.includes("port");
  return port.owner === holder.uuid && lifetimes.includes("domain");
}

/** Releases demands, the last acquired first, whatever becomes of the others. */
export async function releaseAll(demands: readonly FiledDemand[], work: Work): Promise<readonly Converged[]> {
  const results: Converged[] = [];
  for (const filed of demands.toReversed()) results.push(await release(filed, work));
  return results;
}

/**
 * Puts back what nobody holds any more and nobody put back: the hook that was to do it was killed between the two. What could
 * not be put back is left to reconcile, and what another hook is at, to that one.
 */
export async function restoreAbandoned(work: Work): Promise<readonly Converged[]> {
  const results: Converged[] = [];
  for (const folder of resourceNames(work.sys)) {
    if (isAbandoned(folder, work)) results.push(await converge(folder, { ...work, mayWait: false }));
  }
  return results.filter(({ end }) => end !== "handed-over");
}

function isAbandoned(folder: string, work: Work): boolean {
  const { sys, notes } = work;
  try {
    if (sys.lstat(resourceFolder(folder).state) === undefined || demandNames(folder, sys).length > 0) return false;
    const state = readState(folder, work);
    const free = sys.lock(resourceFolder(folder).busy);
    using _free = free;
    return free !== undefined && state !== undefined && state.problem === undefined;
  } catch (error) {
    notes.push(reasonOf(error));
    return false;
  }
}

/** Brings the resources of demands to what they shall be, in the order in which they were acquired. */
export async function ensureAll(demands: readonly FiledDemand[], work: Work): Promise<readonly Converged[]> {
  const results: Converged[] = [];
  for (const folder of new Set(demands.map((filed) => filed.folder))) results.push(await converge(folder, work));
  return results;
}
