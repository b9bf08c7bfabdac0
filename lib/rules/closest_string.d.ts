/**
 * Returns the candidate most similar to `word` by edit distance (`@std/text`).
 * @throws {Error} if there is no candidate
 */
export function closestString(word: string, candidates: string[]): string;
