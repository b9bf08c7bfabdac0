/**
 * Shapes that rules are made of, as schemas whose messages say what was expected.
 * @module
 */
import * as v from "valibot";
import { listing } from "./listing.ts";

/** A table that takes these keys and no other. */
export function tableSchema<const Entries extends v.ObjectEntries>(
  entries: Entries,
  what: string,
): v.StrictObjectSchema<Entries, v.ErrorMessage<v.StrictObjectIssue>> {
  const keys = listing("one of the keys", Object.keys(entries));
  return v.strictObject(entries, (issue) => issue.expected === "never" ? keys : what);
}

/** One value, or a list of at least one. */
export function oneOrMany<Item>(item: v.GenericSchema<unknown, Item>): v.GenericSchema<unknown, readonly Item[]> {
  const many = v.pipe(v.array(item), v.minLength(1, "at least one value in the list"));
  const one = v.pipe(item, v.transform((value: Item): Item[] => [value]));
  return v.lazy((input) => Array.isArray(input) ? many : one);
}
