/**
 * The one function of `@std/text` that is used here; its package ships no types.
 * @module
 */

/** Finds the word nearest to `givenWord`. */
export function closestString(givenWord: string, possibleWords: readonly string[]): string;
