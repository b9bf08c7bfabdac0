/**
 * Demands of the ledger as they are by now.
 * @module
 */
import type { Held, Resource } from "../resources/resource.ts";
import type { Sys } from "../sys/sys.ts";
import type { FiledDemand } from "./demand_file.ts";
import { heldOf } from "./goal.ts";

/** Demands as counting sees them, with what the host says of them now. */
export async function heldNow(
  kind: Resource,
  filed: readonly FiledDemand[],
  sys: Sys,
): Promise<readonly Held<unknown>[]> {
  const held = filed.map(heldOf);
  const demands = await kind.renew?.(held.map(({ demand }) => demand), sys);
  return demands === undefined ? held : held.map((one, index) => ({ ...one, demand: demands[index] }));
}
