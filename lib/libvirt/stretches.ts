/**
 * Stretches of a text, and other text in their place.
 * @module
 */

/** A stretch of a text: from `start` up to, but not with, `end`. */
export interface Stretch {
  readonly start: number;
  readonly end: number;
}

/** The same stretches in order, with those that touch put together. */
export function mergeStretches(stretches: readonly Stretch[]): readonly Stretch[] {
  const merged: Stretch[] = [];
  for (const stretch of stretches.toSorted((a, b) => a.start - b.start || a.end - b.end)) {
    const last = merged.at(-1);
    if (last === undefined || last.end < stretch.start) merged.push(stretch);
    else merged[merged.length - 1] = { start: last.start, end: Math.max(last.end, stretch.end) };
  }
  return merged;
}

/** The text with something else in the place of stretches that are in order. */
export function replaceStretches(text: string, stretches: readonly Stretch[], replacement: string): string {
  let result = "";
  let at = 0;
  for (const { start, end } of stretches) {
    result += text.slice(at, start) + replacement;
    at = end;
  }
  return result + text.slice(at);
}
