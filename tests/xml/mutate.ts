/**
 * Small damages to a document, for tests that ask whether they are noticed.
 * @module
 */

import * as fc from "fast-check";

const PIECES = [
  "<",
  ">",
  "&",
  "/",
  "'",
  '"',
  "=",
  " ",
  ":",
  "]]>",
  "--",
  "<!--",
  "-->",
  "<![CDATA[",
  "<?",
  "?>",
  "<?xml ",
  "&amp;",
  "&#65;",
  "&#x1;",
  "&nope;",
  "</a>",
  "<a>",
  "<a/>",
  " x='1'",
  " p:x=''",
  " xmlns:q='urn:p'",
  " q:x=''",
  " xmlns=''",
  "q:",
  "é",
  "·",
  "-",
  ".",
  "1",
  "\u0007",
  "\uFFFE",
  "😀",
  "\r\n",
  "x",
  "%",
  ";",
  "#",
  "!",
  "[",
];

/** A function that damages a text in one or two places: takes some characters out, puts a piece of markup in. */
export const mutate: fc.Arbitrary<(text: string) => string> = fc.array(
  fc.record({
    at: fc.double({ min: 0, max: 1, noNaN: true }),
    remove: fc.integer({ min: 0, max: 3 }),
    insert: fc.oneof(fc.constant(""), fc.constantFrom(...PIECES)),
  }),
  { minLength: 1, maxLength: 2 },
).map((damages) => (text) => {
  let result = text;
  for (const { at, remove, insert } of damages) {
    const offset = Math.floor(at * result.length);
    result = result.slice(0, offset) + insert + result.slice(offset + remove);
  }
  return result;
});
