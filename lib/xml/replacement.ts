/**
 * Where a value is to be changed, and to what. Regular expressions have a file of their own.
 * @module
 */

import { XmlLimitError } from "./limit_error.ts";
import { XML_LIMITS } from "./limits.ts";

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
  if (search === text) return [];
  const matches: Match[] = [];
  const count = editCounter();
  for (let start = value.indexOf(search); start !== -1; start = value.indexOf(search, start + search.length)) {
    count(text.length);
    matches.push({ start, end: start + search.length, text });
  }
  return matches;
}

/**
 * Counts the places that an edit changes, each with how many characters it writes there.
 *
 * @throws {XmlLimitError} when called for more than an edit may change, or more text than a document may have
 */
export function editCounter(): (characters: number) => void {
  let [places, characters] = [0, 0];
  return (added) => {
    places += 1;
    characters += added;
    if (places > XML_LIMITS.editedPlaces) {
      throw new XmlLimitError(`Cannot edit the XML: the edit changes more than ${XML_LIMITS.editedPlaces} places`);
    }
    if (characters > XML_LIMITS.bytes) {
      throw new XmlLimitError(`Cannot edit the XML: the edit writes more than ${XML_LIMITS.bytes} characters`);
    }
  };
}
