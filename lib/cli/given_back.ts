/**
 * What giving demands back would change.
 * @module
 */
import type { FiledDemand } from "../ledger/demand_file.ts";
import { foresee } from "../ledger/foresee.ts";
import { heldOf } from "../ledger/goal.ts";
import type { Surveyed } from "../ledger/survey.ts";
import { visible } from "../text/quote.ts";
import type { Desk } from "./subcommand.ts";
import { convergedText } from "./terminal/format_holder.ts";

/** A line for each resource that these demands are on. */
export function givenBack(
  demands: readonly FiledDemand[],
  resources: readonly Surveyed[],
  desk: Pick<Desk, "paint">,
): readonly string[] {
  const gone = new Set(demands.map(({ path }) => path));
  return resources.filter((surveyed) => surveyed.demands.some(({ path }) => gone.has(path))).map((surveyed) => {
    const others = surveyed.demands.filter(({ path }) => !gone.has(path)).map(heldOf);
    const line = convergedText(foresee(surveyed, others), desk);
    return others.length === 0
      ? line
      : `${line}, as others hold it: ${others.map(({ who }) => visible(who)).join(", ")}`;
  });
}
