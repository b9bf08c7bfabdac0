/**
 * "Did you mean": the nearest of some names, if one is near.
 * @module
 */
// @ts-types="./closest_string.d.ts"
import { closestString } from "@std/text/closest-string";
// @ts-types="./levenshtein_distance.d.ts"
import { levenshteinDistance } from "@std/text/levenshtein-distance";

/** The nearest name; none when even that one differs in more than half of the word. */
export function nearestName(word: string, names: readonly string[]): string | undefined {
  if (names.length === 0) return undefined;
  const name = closestString(word, [...names]);
  return levenshteinDistance(word, name) <= Math.max(word.length, name.length) / 2 ? name : undefined;
}

/** `did you mean "NAME"?`, or nothing. */
export function didYouMean(word: string, names: readonly string[]): string | undefined {
  const name = nearestName(word, names);
  return name === undefined ? undefined : `did you mean "${name}"?`;
}
