import * as fc from "fast-check";
import { PatternSyntaxError } from "../../lib/xml/pattern.ts";
import { findMatches, plainReplacement, regexReplacement } from "../../lib/xml/replacement.ts";
import { assert, assertEquals, assertThrows } from "../support/assert.ts";
import { fuzzSize } from "./fuzz_size.ts";

const REFUSED = [
  { expression: "", column: 1, says: "there is nothing to look for" },
  { expression: "a(b", column: 2, says: "a group is not closed" },
  { expression: "a)", column: 2, says: 'a ")" closes no group' },
  { expression: "[a", column: 1, says: 'a "[" is not closed' },
  { expression: "[z-a]", column: 2, says: '"z-a" is no range' },
  { expression: "[\\d-z]", column: 2, says: '"\\d-z" is no range' },
  { expression: "*a", column: 1, says: '"*" has nothing to repeat' },
  { expression: "a**", column: 3, says: '"*" has nothing to repeat' },
  { expression: "a|+", column: 3, says: '"+" has nothing to repeat' },
  { expression: "a{2,1}", column: 2, says: "the smaller number comes first" },
  { expression: "a{2000}", column: 2, says: "at most 1000 times can be asked for" },
  { expression: "(a{900}){900}", column: 1, says: "its repetitions make it too long" },
  { expression: "a{,2}", column: 2, says: '"{" has nothing to repeat' },
  { expression: "a}", column: 2, says: '"}" must be written "\\}"' },
  { expression: "^*", column: 1, says: "what can match nothing cannot be repeated" },
  { expression: "b(a*)?", column: 2, says: "what can match nothing cannot be repeated" },
  { expression: "(?=a)", column: 1, says: "this kind of group is not supported" },
  { expression: "(?<n>a)", column: 1, says: "this kind of group is not supported" },
  { expression: "(a)\\1", column: 4, says: '"\\1" is not supported' },
  { expression: "\\bq", column: 1, says: '"\\b" is not supported' },
  { expression: "a\\", column: 3, says: "it ends too early" },
  { expression: "(".repeat(40) + ")".repeat(40), column: 33, says: "groups are nested deeper than 32" },
  { expression: "\uD800", column: 1, says: "it holds half a character" },
];
for (const { expression, column, says } of REFUSED) {
  Deno.test(`regexReplacement() refuses ${JSON.stringify(expression)}`, () => {
    const error = assertThrows(
      () => regexReplacement(expression, ""),
      PatternSyntaxError,
      `at column ${column}: ${says}`,
    );
    assertEquals(error.column, column);
  });
}

for (const text of ["$", "$0", "$3", "a$x", "$<n>", "\0"]) {
  Deno.test(`regexReplacement() refuses to write ${JSON.stringify(text)} instead`, () => {
    assertThrows(() => regexReplacement("(a)(b)", text), PatternSyntaxError);
  });
}

Deno.test("plainReplacement() takes all characters as they are", () => {
  assertEquals(findMatches(plainReplacement("$1.*", "$&"), "a$1.*"), [{ start: 1, end: 5, text: "$&" }]);
  assertThrows(() => plainReplacement("", "x"), PatternSyntaxError, "there is nothing to look for");
  assertThrows(() => plainReplacement("\0", "x"), PatternSyntaxError, "it holds a character that XML does not allow");
  assertThrows(
    () => plainReplacement("x", "\uDC00"),
    PatternSyntaxError,
    "it holds a character that XML does not allow",
  );
});

const { expression } = fc.letrec<{ expression: string; atom: string; item: string }>((tie) => ({
  atom: fc.oneof(
    { depthSize: "medium" },
    { weight: 4, arbitrary: fc.constantFrom("a", "b", "é", "😀", ".", "-", "\\.", "\\/") },
    fc.constantFrom(
      "[ab]",
      "[^a]",
      "[a-c😀]",
      "[\\d-]",
      "[^\\s.]",
      "\\w",
      "\\W",
      "\\d",
      "\\D",
      "\\s",
      "\\S",
      "[]",
      "[^]",
      "^",
      "$",
    ),
    tie("expression").map((body) => `(${body})`),
    tie("expression").map((body) => `(?:${body})`),
  ),
  item: fc.tuple(
    tie("atom"),
    fc.oneof(
      { weight: 2, arbitrary: fc.constant("") },
      fc.constantFrom("*", "+", "?", "{2}", "{0,2}", "{1,}", "*?", "+?", "??", "{1,2}?"),
    ),
  ).map(([atom, repeat]) => atom === "^" || atom === "$" ? atom : atom + repeat),
  expression: fc.oneof(
    { depthSize: "medium" },
    { weight: 4, arbitrary: fc.array(tie("item"), { minLength: 1, maxLength: 4 }).map((items) => items.join("")) },
    fc.tuple(tie("expression"), tie("expression")).map((options) => options.join("|")),
  ),
}));
const value = fc.array(fc.constantFrom("a", "b", "c", "é", "😀", ".", "-", "1", " ", "\n", "/"), { maxLength: 12 })
  .map((characters) => characters.join(""));

/** Whether an expression repeats what can match nothing: random ones often do. */
function isRefused(source: string): boolean {
  try {
    regexReplacement(source, "");
    return false;
  } catch (error) {
    if (error instanceof PatternSyntaxError && error.message.includes("what can match nothing")) return true;
    throw error;
  }
}

Deno.test("expressions match what JavaScript's match", () => {
  const { factor, seed } = fuzzSize();
  let matched = 0;
  fc.assert(
    fc.property(expression, value, (source, text) => {
      fc.pre(!isRefused(source));
      // The engine of JavaScript may backtrack for long, but not over twelve characters.
      const want = [...text.matchAll(new RegExp(source, "gu"))];
      const found = findMatches(regexReplacement(source, "$&"), text);
      assertEquals(found.map(({ start, text }) => [start, text]), want.map((match) => [match.index, match[0]]));
      matched += found.length;
      const groupCount = want[0]?.length ?? 1;
      for (let group = 1; group < Math.min(groupCount, 10); group += 1) {
        const texts = findMatches(regexReplacement(source, `$${group}`), text).map((match) => match.text);
        assertEquals(texts, want.map((match) => match[group] ?? ""));
      }
    }),
    { numRuns: 3000 * factor, seed },
  );
  assert(matched > 1500, `too little was matched for a proof: ${matched}`);
});

const HOSTILE = [
  { expression: "(a+)+$", value: `${"a".repeat(10_000)}b` },
  { expression: "(a|a)*c", value: "a".repeat(10_000) },
  { expression: "(?:/[^/]+)+x", value: "/a".repeat(5_000) },
  { expression: "(.*)(.*)(.*)(.*)x", value: "a".repeat(10_000) },
];
for (const { expression: source, value: text } of HOSTILE) {
  Deno.test(`findMatches() ends for ${source} on a value made to keep it busy`, () => {
    const start = performance.now();
    assertEquals(findMatches(regexReplacement(source, ""), text), []);
    const tookMs = performance.now() - start;
    assert(tookMs < 5_000, `it took ${tookMs} ms`);
  });
}

Deno.test("findMatches() gives up on a value that takes too many steps", () => {
  // Each of the many matches looks through the whole rest of the value for the longer one.
  const replacement = regexReplacement("a(?:.*b)?", "");
  assertThrows(() => findMatches(replacement, "a".repeat(20_000)), RangeError, "Cannot run the expression");
});
