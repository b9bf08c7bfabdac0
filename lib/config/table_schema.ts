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

/** A schema that is made when a value first needs it: of all the keys there are, a file uses few. */
export function lazily<Input, Output>(make: () => v.GenericSchema<Input, Output>): v.GenericSchema<Input, Output> {
  let made: v.GenericSchema<Input, Output> | undefined;
  return v.lazy(() => made ??= make());
}

/** One value, or a list of at least one. */
export function oneOrMany<Item>(
  makeItem: () => v.GenericSchema<unknown, Item>,
): v.GenericSchema<unknown, readonly Item[]> {
  const many = lazily(() => v.pipe(v.array(makeItem()), v.minLength(1, "at least one value in the list")));
  const one = lazily(() => v.pipe(makeItem(), v.transform((value: Item): Item[] => [value])));
  return v.lazy((input) => Array.isArray(input) ? many : one);
}
