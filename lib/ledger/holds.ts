/**
 * What calls do with the ledger: acquire, release and ensure the demands of a holder.
 * @module
 */
import type { Lifetime } from "../plan/demand.ts";
import type { Sys } from "../sys/sys.ts";
import { converge, type Converged, convergeLocked, isWell, type Work } from "./converge.ts";
import { demandNames, type FiledDemand, holderPrefix, readDemands, removeDemand, writeDemand } from "./demand_file.ts";
import { type Holder, holderId } from "./holder.ts";
import { resourceFolder } from "./layout.ts";
import { makeResourceFolder, resourceNames } from "./ledger.ts";
import { conflictOf, type Ready } from "./wish.ts";
import { waitForLock } from "./wait_lock.ts";

/** What came of acquiring one wish. */
export interface Acquired {
  readonly ready: Ready;
  readonly converged: Converged;
  /** Set where the demand was made, even if it could not be fulfilled. */
  readonly filed: FiledDemand | undefined;
}

/** Creates a demand and fulfils it. Under the resource's lock, so that two who want different things cannot both come in. */
export async function acquire(ready: Ready, work: Work): Promise<Acquired> {
  const { sys, notes } = work;
  const { folder, record } = ready;
  const { key } = record;
  // Without the lock: it may wait for others.
  const refused = await ready.resource.clear?.(record.demand, work.deadlineMs, sys);
  if (refused !== undefined) {
    const { reason, hint } = refused;
    return { ready, filed: undefined, converged: { key, end: "failed", problem: reason, hint } };
  }
  makeResourceFolder(folder, sys);
  const lock = await waitForLock(resourceFolder(folder).lock, work.deadlineMs, sys);
  if (lock === undefined) {
    const problem = `another hook has been at ${key} until no time was left`;
    return { ready, filed: undefined, converged: { key, end: "late", problem } };
  }
  const held = { lock };
  let filed: FiledDemand;
  let pass: Awaited<ReturnType<typeof convergeLocked>>;
  try {
    const conflict = await conflictOf(ready, [], { sys, notes });
    if (conflict !== undefined) {
      return { ready, filed: undefined, converged: { key, end: "failed", problem: conflict } };
    }
    filed = await writeDemand(folder, record, sys);
    pass = await convergeLocked(folder, { ...work, held });
  } finally {
    held.lock[Symbol.dispose]();
  }
  const { converged, seen } = pass;
  const changed = JSON.stringify(demandNames(folder, sys)) !== JSON.stringify(seen);
  if (changed && isWell(converged)) await converge(folder, { ...work, mayWait: false });
  return { ready, filed, converged };
}

/** Removes a demand and puts back what nobody else needs. */
export async function release(filed: FiledDemand, work: Work): Promise<Converged> {
  removeDemand(filed, work.sys);
  return { ...await converge(filed.folder, work), key: filed.record.key };
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
  { sys, notes }: { readonly sys: Sys; readonly notes: string[] },
): Promise<readonly FiledDemand[]> {
  const own = await holderPrefix(holder);
  const mayOwnPorts = holder.kind !== "port";
  const id = holderId(holder);
  const found = resourceNames(sys).flatMap((folder) => {
    const names = demandNames(folder, sys).filter((name) =>
      name.startsWith(own) || (mayOwnPorts && name.startsWith("p-"))
    );
    return readDemands(folder, names, sys, notes);
  });
  return found.filter(({ record }) => {
    if (holderId(record.holder) === id) return lifetimes.includes(record.lifetime);
    return record.holder.kind === "port" && endsWith(record.holder, { holder, lifetimes });
  }).sort((a, b) => a.record.order - b.record.order);
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

/** Brings the resources of demands to what they shall be, in the order in which they were acquired. */
export async function ensureAll(demands: readonly FiledDemand[], work: Work): Promise<readonly Converged[]> {
  const results: Converged[] = [];
  for (const folder of new Set(demands.map((filed) => filed.folder))) results.push(await converge(folder, work));
  return results;
}
