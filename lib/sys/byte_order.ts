/**
 * Names in the order of their bytes.
 * @module
 */

/** The only characters that JavaScript's own order, which is ten times as fast, puts elsewhere than that of bytes. */
const SURROGATES = /[\ud800-\udfff]/;

/** Puts names in the order of their bytes in UTF-8. */
export function inByteOrder(names: readonly string[]): readonly string[] {
  return names.some((name) => SURROGATES.test(name)) ? names.toSorted(byBytes) : names.toSorted();
}

function byBytes(a: string, b: string): number {
  const encoder = new TextEncoder();
  const [left, right] = [encoder.encode(a), encoder.encode(b)];
  const different = left.findIndex((byte, index) => byte !== right[index]);
  if (different === -1) return left.length - right.length;
  return (left[different] ?? 0) - (right[different] ?? -1);
}
