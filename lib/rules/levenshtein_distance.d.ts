/** How many characters must be added, removed or replaced to make one text of the other (`@std/text`). */
export function levenshteinDistance(a: string, b: string): number;
