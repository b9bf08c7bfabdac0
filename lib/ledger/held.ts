/**
 * Demands of the ledger as they are by now.
 * @module
 */
import type { Held, Resource } from "../resources/resource.ts";
import type { Sys } from "../sys/sys.ts";
import type { FiledDemand } from "./demand_file.ts";
import { heldOf } from "./goal.ts";

/** Demands with what the host says of them now, where they wait for it or it may change. */
export async function filedNow(
  kind: Resource,
  filed: readonly FiledDemand[],
  sys: Sys,
): Promise<readonly FiledDemand[]> {
  const demands = await kind.renew?.(filed.map(({ record }) => record.demand), sys);
  if (demands === undefined) return filed;
  return filed.map((one, index) => ({ ...one, record: { ...one.record, demand: demands[index] } }));
}

/** Demands as counting sees them now. */
export async function heldNow(
  kind: Resource,
  filed: readonly FiledDemand[],
  sys: Sys,
): Promise<readonly Held<unknown>[]> {
  return (await filedNow(kind, filed, sys)).map(heldOf);
}
