/**
 * Counting where all holders must want the same.
 * @module
 */
import type { HeldDemand, Wanted } from "./resource.ts";

/** The one value that all want, or who wants something else. `text` tells what each wants. */
export function unanimous<Demand, Value>(
  held: readonly HeldDemand<Demand>[],
  want: { readonly value: (demand: Demand) => Value; readonly text: (demand: Demand) => string },
): Wanted<Value> {
  const [first, ...rest] = held;
  if (first === undefined) throw new Error("Cannot count demands: there are none");
  const other = rest.find((one) => want.text(one.demand) !== want.text(first.demand));
  if (other === undefined) return { kind: "value", value: want.value(first.demand) };
  const reason = `${first.who} wants ${want.text(first.demand)}, ${other.who} wants ${want.text(other.demand)}`;
  return { kind: "conflict", reason };
}
