/**
 * Combines demands of kinds whose holders must all require the same value.
 * @module
 */
import type { HeldDemand, Wanted } from "./resource.ts";

/**
 * Returns the value that all demands require, or a conflict that names two holders. `text` describes a demand; two
 * demands with the same text agree.
 */
export function unanimous<Demand, Value>(
  held: readonly HeldDemand<Demand>[],
  options: { readonly value: (demand: Demand) => Value; readonly text: (demand: Demand) => string },
): Wanted<Value> {
  const [first, ...rest] = held;
  if (first === undefined) throw new Error("Cannot combine demands: there are none");
  const dissenting = rest.find((one) => options.text(one.demand) !== options.text(first.demand));
  if (dissenting === undefined) return { kind: "value", value: options.value(first.demand) };
  const reason = `${first.holder} wants ${options.text(first.demand)}, ${dissenting.holder} wants ${
    options.text(dissenting.demand)
  }`;
  return { kind: "conflict", reason };
}
