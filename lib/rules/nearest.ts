/**
 * "Did you mean" hints: finds the most similar name.
 * @module
 */
// @ts-types="./closest_string.d.ts"
import { closestString } from "@std/text/closest-string";
// @ts-types="./levenshtein_distance.d.ts"
import { levenshteinDistance } from "@std/text/levenshtein-distance";

/** Returns the most similar name; `undefined` if even that one differs in more than half of its characters. */
export function nearestName(word: string, names: readonly string[]): string | undefined {
  if (names.length === 0) return undefined;
  const name = closestString(word, [...names]);
  return levenshteinDistance(word, name) <= Math.max(word.length, name.length) / 2 ? name : undefined;
}

/** Returns `did you mean "NAME"?`, or `undefined`. */
export function didYouMean(word: string, names: readonly string[]): string | undefined {
  const name = nearestName(word, names);
  return name === undefined ? undefined : `did you mean "${name}"?`;
}
