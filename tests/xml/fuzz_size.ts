/**
 * How long random tests run. `VIRT_HOOKS_FUZZ=50 deno test -A tests/xml/` runs them fifty times as long, from a seed of
 * its own that a failure names; without it they are short and always the same.
 * @module
 */

const VARIABLE = "VIRT_HOOKS_FUZZ";

/** By how much more than usual is tried, and from which seed. */
export interface FuzzSize {
  readonly factor: number;
  readonly seed: number;
}

export function fuzzSize(): FuzzSize {
  const value = Deno.env.get(VARIABLE);
  if (value === undefined || value === "") return { factor: 1, seed: 20_260_821 };
  if (!/^[1-9][0-9]{0,4}$/.test(value)) throw new Error(`Cannot fuzz: ${VARIABLE} is "${value}", expected 1 to 99999`);
  return { factor: Number(value), seed: crypto.getRandomValues(new Int32Array(1))[0] ?? 0 };
}
