/**
 * Numbers with what they count.
 * @module
 */

/** `1 rule`, `2 rules`. */
export function formatCount(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}

/** ` (and 2 more failures)` behind the first one; nothing where there are no more. */
export function moreFailures(count: number): string {
  return count === 0 ? "" : ` (and ${formatCount(count, "more failure")})`;
}
