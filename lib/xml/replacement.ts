/**
 * Where a value is to be changed, and to what. Regular expressions have a file of their own.
 * @module
 */

/** A place in a value and what is to stand there. */
export interface Match {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/**
 * Finds all places to change in a value, in order, none overlapping another. Throws an `XmlLimitError` when the value makes
 * that take too long.
 */
export type FindMatches = (value: string) => readonly Match[];

/** Each occurrence of a text, which is not empty, as a place for another. */
export function findText(
  value: string,
  { search, with: text }: { readonly search: string; readonly with: string },
): readonly Match[] {
  const matches: Match[] = [];
  for (let start = value.indexOf(search); start !== -1; start = value.indexOf(search, start + search.length)) {
    matches.push({ start, end: start + search.length, text });
  }
  return matches;
}
