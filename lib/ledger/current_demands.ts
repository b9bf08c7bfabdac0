/**
 * Demands of the ledger as they are by now.
 * @module
 */
import type { HeldDemand, Resource } from "../resources/resource.ts";
import type { Sys } from "../sys/sys.ts";
import type { StoredDemand } from "./demand_file.ts";
import { heldOf } from "./target.ts";

/** Demands with what the host says of them now, where they wait for it or it may change. */
export async function refreshDemands(
  kind: Resource,
  stored: readonly StoredDemand[],
  sys: Sys,
): Promise<readonly StoredDemand[]> {
  const demands = await kind.refresh?.(stored.map(({ record }) => record.demand), sys);
  if (demands === undefined) return stored;
  return stored.map((one, index) => ({ ...one, record: { ...one.record, demand: demands[index] } }));
}

/** Demands as counting sees them now. */
export async function currentDemands(
  kind: Resource,
  stored: readonly StoredDemand[],
  sys: Sys,
): Promise<readonly HeldDemand<unknown>[]> {
  return (await refreshDemands(kind, stored, sys)).map(heldOf);
}
