/**
 * What calls do with the ledger: acquire, release and ensure the demands of a holder.
 * @module
 */
import type { Lifetime } from "../plan/demand.ts";
import type { Sys } from "../sys/sys.ts";
import { converge, type Converged, convergeLocked, isWell, type LockedWork, type Work } from "./converge.ts";
import { demandNames, type FiledDemand, holderPrefix, readDemands, removeDemand, writeDemand } from "./demand_file.ts";
import { removeIfThere } from "./file.ts";
import { type Holder, holderId } from "./holder.ts";
import { resourceFolder } from "./layout.ts";
import { makeResourceFolder, resourceNames } from "./ledger.ts";
import { readState } from "./state_file.ts";
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
  makeResourceFolder(folder, sys);
  const lock = await waitForLock(resourceFolder(folder).lock, work.deadlineMs, sys);
  if (lock === undefined) {
    const problem = `another hook has been at ${key} until no time was left`;
    return { ready, filed: undefined, converged: { key, end: "late", problem } };
  }
  const held: LockedWork["held"] = { lock };
  let filed: FiledDemand;
  let pass: Awaited<ReturnType<typeof convergeLocked>>;
  try {
    const former = beginsAnew(ready, work) ? await endFormer(ready, { ...work, held }) : undefined;
    if (former !== undefined && !isWell(former)) return { ready, filed: undefined, converged: former };
    const conflict = await conflictOf(ready, [], { sys, notes });
    if (conflict !== undefined) {
      return { ready, filed: undefined, converged: { key, end: "failed", problem: conflict } };
    }
    filed = await writeDemand(folder, record, sys);
    pass = await convergeLocked(folder, { ...work, held });
  } finally {
    held.lock?.[Symbol.dispose]();
  }
  const { converged, seen } = pass;
  const changed = JSON.stringify(demandNames(folder, sys)) !== JSON.stringify(seen);
  if (changed && isWell(converged)) await converge(folder, { ...work, mayWait: false });
  return { ready, filed, converged };
}

/**
 * Whether nothing of the resource may be left from before. Of a port libvirt tells again when its daemon starts, and its UUID is
 * another one in each life of its guest: what it holds goes on, unless it is not as it should be.
 */
function beginsAnew({ resource, record, folder }: Ready, { sys, notes }: Work): boolean {
  if (resource.anew !== true) return false;
  const state = readState(folder, sys, notes);
  const isWhole = state !== undefined && state.pending === undefined && state.problem === undefined;
  return record.holder.kind !== "port" || !isWhole;
}

/** Gives back what an earlier life of the holder left, of which no release was told or which could not be undone then. */
async function endFormer({ folder, name }: Ready, work: LockedWork): Promise<Converged> {
  removeIfThere(`${resourceFolder(folder).demands}/${name}`, work.sys);
  const { converged } = await convergeLocked(folder, work);
  const problem = `what an earlier start left of it is still there: ${converged.problem}`;
  return converged.problem === undefined ? converged : { ...converged, problem };
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
