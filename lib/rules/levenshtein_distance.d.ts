/**
 * Returns the number of characters that must be added, removed or replaced to change one text into the other
 * (`@std/text`).
 */
export function levenshteinDistance(a: string, b: string): number;
