/**
 * What giving demands back would change.
 * @module
 */
import type { StoredDemand } from "../ledger/demand_file.ts";
import { predict } from "../ledger/predict.ts";
import { heldOf } from "../ledger/target.ts";
import type { ResourceSnapshot } from "../ledger/inspect.ts";
import { visible } from "../text/quote.ts";
import type { CliContext } from "./subcommand.ts";
import { convergedText } from "./terminal/format_holder.ts";

/** A line for each resource that these demands are on. */
export function givenBack(
  demands: readonly StoredDemand[],
  resources: readonly ResourceSnapshot[],
  context: Pick<CliContext, "paint">,
): readonly string[] {
  const gone = new Set(demands.map(({ path }) => path));
  return resources.filter((snapshot) => snapshot.demands.some(({ path }) => gone.has(path))).map((snapshot) => {
    const others = snapshot.demands.filter(({ path }) => !gone.has(path)).map(heldOf);
    const line = convergedText(predict(snapshot, others), context);
    return others.length === 0
      ? line
      : `${line}, as others hold it: ${others.map(({ who }) => visible(who)).join(", ")}`;
  });
}
