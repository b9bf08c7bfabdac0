/**
 * Compares the ledger with the host, without changing either. No lock is taken: a hook that finds one taken may leave its work to
 * the lock's holder.
 * @module
 */
import type { Host } from "../resources/kinds.ts";
import { type Resource, ResourceDataError, type SavedState } from "../resources/resource.ts";
import type { Sys } from "../sys/sys.ts";
import { demandNames, type Holder, readDemands, type StoredDemand } from "./demand_file.ts";
import { assessLiveness, byHolder, type Liveness, NOT_ASSESSED, viewDaemons } from "./liveness.ts";
import type { ReadContext } from "./file.ts";
import { rebaseOriginal, refreshDemands } from "./target.ts";
import { resourceNames } from "./ledger.ts";
import { reasonOf } from "../text/reason_of.ts";
import { resourceFolder } from "./layout.ts";
import { lookAtState, type State } from "./state_file.ts";

/** What surveying works with. */
export interface ReadOnlyLedger extends ReadContext, Host {
  readonly sys: Sys;
}

/** The host's current value next to what the ledger recorded. */
export type Observation =
  | {
    readonly kind: "value";
    readonly resource: Resource;
    readonly saved: SavedState<unknown>;
    readonly actual: unknown;
    /** Why it is not what was written, where that is known to be no change by others. */
    readonly drift?: string | undefined;
  }
  /** There is no such thing any more. */
  | { readonly kind: "gone"; readonly reason: string }
  /** The current value cannot be read. */
  | { readonly kind: "unknown"; readonly reason: string };

/** A resource that has a holder, or could not be restored. */
export interface ResourceSnapshot {
  readonly key: string;
  /** The name of its kind. */
  readonly resource: string;
  readonly folder: string;
  readonly state: State | undefined;
  readonly demands: readonly StoredDemand[];
  readonly observation: Observation;
}

/** Looks at every resource in the ledger, in the order of their keys. */
export async function inspectResources(view: ReadOnlyLedger): Promise<readonly ResourceSnapshot[]> {
  const found: ResourceSnapshot[] = [];
  for (const folder of resourceNames(view.sys)) {
    try {
      const snapshot = await inspectResource(folder, view);
      if (snapshot !== undefined) found.push(snapshot);
    } catch (error) {
      // What cannot be read of one resource says nothing of the others.
      view.notes.push(reasonOf(error));
    }
  }
  return found.sort((a, b) => a.key < b.key ? -1 : 1);
}

/** Inspects the resource of a folder; `undefined` if it has neither a holder nor a state. */
export async function inspectResource(folder: string, view: ReadOnlyLedger): Promise<ResourceSnapshot | undefined> {
  const stored = readDemands(folder, demandNames(folder, view.sys), view);
  const reading = lookAtState(folder, view.sys);
  const state = reading.kind === "data" ? reading.data : undefined;
  const damage = reading.kind === "damaged"
    ? `${resourceFolder(folder).state} cannot be read (${reading.reason})`
    : undefined;
  if (damage !== undefined) view.notes.push(damage);
  const about = state ?? stored[0]?.record;
  if (about === undefined) return undefined;
  const { key, resource } = about;
  const demands = await demandsNow(resource, stored, view);
  const observation: Observation = damage === undefined
    ? await observe({ key, resource, state }, view)
    : { kind: "unknown", reason: `${damage}, so what it was before is unknown` };
  return { key, resource, folder, state, demands, observation };
}

/** What cannot be read stays as it is: the resource's standing says so. */
async function demandsNow(
  name: string,
  stored: readonly StoredDemand[],
  { kinds, sys }: Host,
): Promise<readonly StoredDemand[]> {
  const kind = await kinds.load(name);
  if (kind === undefined) return stored;
  try {
    return await refreshDemands(kind, stored, sys);
  } catch (error) {
    if (!(error instanceof ResourceDataError)) throw error;
    return stored;
  }
}

/** Reads the current value of a resource, which may have no state. */
export async function observe(
  { key, resource: name, state }: Pick<ResourceSnapshot, "key" | "resource" | "state">,
  { kinds, sys }: Host,
): Promise<Observation> {
  const resource = await kinds.load(name);
  if (resource === undefined) {
    return { kind: "unknown", reason: `this version knows no resource of the kind ${name}` };
  }
  try {
    const reading = await resource.read(key, sys, state);
    if (reading.kind === "unreadable") return { kind: "unknown", reason: reading.reason };
    if (reading.kind === "gone") return reading;
    const saved = rebaseOriginal(resource, state, reading.value);
    const drift = await resource.explainDrift?.(saved, reading.value, sys);
    return { kind: "value", resource, saved, actual: reading.value, drift };
  } catch (error) {
    if (!(error instanceof ResourceDataError)) throw error;
    return { kind: "unknown", reason: error.message };
  }
}

/** A holder with what is known of it. */
export interface HolderSnapshot {
  readonly holder: Holder;
  readonly liveness: Liveness;
  readonly demands: readonly [StoredDemand, ...StoredDemand[]];
}

/** How long judging holders may take: someone waits for the answer, and a monitor asks for it every minute. */
const HOLDERS_MS = 30_000;

/** Assesses all holders of these resources; those for which no time was left are `unknown`. */
export async function inspectHolders(
  resources: readonly ResourceSnapshot[],
  sys: Sys,
): Promise<readonly HolderSnapshot[]> {
  const untilMs = sys.elapsedMs() + HOLDERS_MS;
  const daemons = viewDaemons(sys);
  const holders: HolderSnapshot[] = [];
  for (const demands of byHolder(resources.flatMap((snapshot) => snapshot.demands))) {
    const verdict = sys.elapsedMs() < untilMs
      ? await assessLiveness(demands.map(({ record }) => record), daemons, sys)
      : NOT_ASSESSED;
    holders.push({ holder: demands[0].record.holder, liveness: verdict, demands });
  }
  return holders;
}
