/**
 * Numbers as libvirt reads them.
 * @module
 */

/** What `strtoull` skips: white space and a sign. libvirt lets nothing follow the digits (`virStrToLong_ullp`). */
const BEFORE = /^[ \t\n\v\f\r]*\+?(?=[0-9])/;

/** A whole decimal number that is not negative; `undefined` for any other text and above `max`. */
export function parseDecimal(text: string | undefined, max = Number.MAX_SAFE_INTEGER): number | undefined {
  const digits = text?.replace(BEFORE, "") ?? "";
  if (!/^[0-9]+$/.test(digits)) return undefined;
  return atMost(Number(digits), max);
}

/** A whole number as C reads it: `0x1f`, `037` and `31` are the same. */
export function parseCNumber(text: string | undefined, max: number): number | undefined {
  const digits = text?.replace(BEFORE, "").toLowerCase() ?? "";
  if (/^0x[0-9a-f]+$/.test(digits)) return atMost(Number(digits), max);
  if (/^0[0-7]+$/.test(digits)) return atMost(parseInt(digits, 8), max);
  return /^(?:0|[1-9][0-9]*)$/.test(digits) ? atMost(Number(digits), max) : undefined;
}

function atMost(value: number, max: number): number | undefined {
  return value <= max ? value : undefined;
}
