/**
 * Demands of the ledger as counting sees them.
 * @module
 */
import type { Held, Resource } from "../resources/resource.ts";
import type { Sys } from "../sys/sys.ts";
import type { FiledDemand } from "./demand_file.ts";
import { describeHolder } from "./holder.ts";

/** A demand as it was made. */
export function heldOf({ record }: FiledDemand): Held<unknown> {
  return { who: `${describeHolder(record.holder)} (rule ${JSON.stringify(record.rule)})`, demand: record.demand };
}

/** Demands as they are by now. */
export async function heldNow(
  kind: Resource,
  filed: readonly FiledDemand[],
  sys: Sys,
): Promise<readonly Held<unknown>[]> {
  const held = filed.map(heldOf);
  const demands = await kind.renew?.(held.map(({ demand }) => demand), sys);
  return demands === undefined ? held : held.map((one, index) => ({ ...one, demand: demands[index] }));
}
