/** The candidate nearest to `word` by edit distance (`@std/text`). Throws when there is no candidate. */
export function closestString(word: string, candidates: string[]): string;
