/**
 * Numbers with what they count.
 * @module
 */

/** `1 rule`, `2 rules`. */
export function formatCount(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}
