import * as fc from "fast-check";
import { compileRegex, RegexSyntaxError } from "../../lib/xml/regex.ts";
import type { Match } from "../../lib/xml/replacement.ts";
import { assert, assertEquals, assertThrows } from "../support/assert.ts";
import { fuzzSize } from "./fuzz_size.ts";

/** What an expression finds in a value, with all the time in the world. */
function find(value: string, expression: string, replaceWith = "$&"): readonly Match[] {
  return compileRegex({ expression, with: replaceWith }, () => false)(value);
}

const REFUSED = [
  { expression: "a(b", says: '"a(b": missing closing );' },
  { expression: "a)", says: '"a)": unexpected );' },
  { expression: "[a", says: '"[a": missing closing ];' },
  { expression: "x[z-a]", says: '"x[z-a]": invalid character class range: "z-a";' },
  { expression: "*a", says: '"*a": missing argument to repetition operator: "*";' },
  { expression: "a**", says: '"a**": invalid nested repetition operator: "**";' },
  { expression: "a{2,1}", says: '"a{2,1}": invalid repeat count: "{2,1}";' },
  { expression: "(a{900}){900}", says: '"(a{900}){900}": invalid repeat count: "{900}";' },
  { expression: "(?=a)", says: '"(?=a)": invalid or unsupported Perl syntax: "(?=";' },
  { expression: "(?<=a)b", says: '"(?<=a)b": invalid named capture;' },
  { expression: "(a)\\1", says: '"(a)\\1": invalid escape sequence: "\\1";' },
  { expression: "a\\", says: '"a\\": trailing backslash at end of expression;' },
  { expression: "(".repeat(2000) + ")".repeat(2000), says: `"${"(".repeat(60)}…": expression nests too deeply;` },
];
for (const { expression, says } of REFUSED) {
  Deno.test(`compileRegex() refuses ${JSON.stringify(expression.slice(0, 20))}`, () => {
    const error = assertThrows(() => find("", expression), RegexSyntaxError);
    assertEquals(error.part, "expression");
    assertEquals(
      error.message,
      `Cannot parse the expression ${says} the syntax is that of RE2, without back-references and look-around`,
    );
  });
}

const REFUSED_TEXTS = [
  { text: "$", says: 'the expression has no group for "$" at column 1' },
  { text: "$0", says: 'the expression has no group for "$0" at column 1' },
  { text: "a$3", says: 'the expression has no group for "$3" at column 2' },
  { text: "a$$$x", says: 'the expression has no group for "$x" at column 4' },
  { text: "$<n>", says: 'the expression has no group for "$<" at column 1' },
  { text: "a\0", says: "XML does not allow the character at column 2" },
];
for (const { text, says } of REFUSED_TEXTS) {
  Deno.test(`compileRegex() refuses to write ${JSON.stringify(text)} instead`, () => {
    const error = assertThrows(() => find("", "(a)(?P<n>b)", text), RegexSyntaxError);
    assertEquals([error.part, error.message], ["with", `Cannot write "${text}" instead: ${says}`]);
  });
}

/** Each match as it is written between square brackets, the rest of the value around them. */
const FOUND = [
  { name: "an empty match everywhere", value: "ab", expression: "", want: "[]a[]b[]" },
  { name: "an empty match not within a character of two units", value: "😀a", expression: "x*", want: "[]😀[]a[]" },
  { name: "an empty match after a match", value: "baac", expression: "a*", want: "[]b[aa][]c[]" },
  { name: "the start, not of lines", value: "a\nb", expression: "^", want: "[]a\nb" },
  { name: "the start of lines when asked for", value: "a\nb", expression: "(?m)^", want: "[]a\n[]b" },
  { name: "the end, not before the last line end", value: "a\n", expression: "$", want: "a\n[]" },
  { name: "all but a line end for a dot", value: "😀\n\r", expression: ".", want: "[😀]\n[\r]" },
  { name: "a class by characters, not units", value: "😁😀", expression: "[a😀]", want: "😁[😀]" },
  { name: "what is no letter by characters", value: "a😀", expression: "[^a]", want: "a[😀]" },
  { name: "letters by their kind", value: "aÉ1", expression: "\\p{Lu}", want: "a[É]1" },
  { name: "either case when asked for", value: "kK", expression: "(?i)k", want: "[k][K]" },
  { name: "words", value: "a-b", expression: "\\b\\w", want: "[a]-[b]" },
  { name: "as little as told", value: "<a><b>", expression: "<.*?>", want: "[<a>][<b>]" },
];
for (const { name, value, expression, want } of FOUND) {
  Deno.test(`compileRegex() finds ${name}`, () => {
    let written = "";
    let at = 0;
    for (const { start, end, text } of find(value, expression, "[$&]")) {
      written += value.slice(at, start) + text;
      at = end;
    }
    assertEquals(written + value.slice(at), want);
  });
}

Deno.test("compileRegex() fills in groups, nothing for one that took no part, and dollars", () => {
  assertEquals(find("xb", "(a)?(b)", "$1|$2|$&|$$1"), [{ start: 1, end: 2, text: "|b|b|$1" }]);
  assertEquals(find("ab", "(?P<first>a)(b)", "$2$1$10"), [{ start: 0, end: 2, text: "baa0" }]);
});

/**
 * Expressions that mean the same to JavaScript. What is repeated takes a character at least and captures nothing: where
 * it does not, JavaScript has rules of its own.
 */
const atom = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom("a", "b", "é", "😀", ".", "-", "\\.", "\\/") },
  fc.constantFrom("[ab]", "[^a]", "[a-c😀]", "[\\d-]", "[^\\s.]", "\\w", "\\W", "\\d", "\\D", "\\s", "\\S"),
);
const repeat = fc.oneof(
  { weight: 2, arbitrary: fc.constant("") },
  fc.constantFrom("*", "+", "?", "{2}", "{0,2}", "{1,}", "*?", "+?", "??", "{1,2}?"),
);
const item = fc.tuple(atom, repeat).map((parts) => parts.join(""));
const solid = fc.tuple(atom, fc.array(item, { maxLength: 2 })).map(([first, rest]) => first + rest.join(""));
const solids = fc.array(solid, { minLength: 1, maxLength: 2 }).map((options) => options.join("|"));
const part = fc.oneof(
  { weight: 3, arbitrary: item },
  fc.tuple(solids, repeat).map(([body, repeat]) => `(?:${body})${repeat}`),
  fc.array(item, { maxLength: 2 }).map((items) => `(${items.join("")})`),
  fc.constantFrom("^", "$"),
);
const expression = fc.array(
  fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => parts.join("")),
  { minLength: 1, maxLength: 2 },
).map((options) => options.join("|"));
const value = fc.array(fc.constantFrom("a", "b", "c", "é", "😀", ".", "-", "1", " ", "\n", "/"), { maxLength: 12 })
  .map((characters) => characters.join(""));

Deno.test("common expressions match what JavaScript's match, with their groups", () => {
  const { factor, seed } = fuzzSize();
  let matched = 0;
  fc.assert(
    fc.property(expression, value, (source, text) => {
      // The engine of JavaScript may go back for long, but not over twelve characters.
      const want = [...text.matchAll(new RegExp(source, "gu"))];
      const groupCount = new RegExp(`${source}|`, "u").exec("")?.length ?? 1;
      const groups = Array.from({ length: Math.min(groupCount, 10) - 1 }, (_, index) => index + 1);
      const found = find(text, source, ["$&", ...groups.map((group) => `$${group}`)].join("|"));
      assertEquals(
        found.map(({ start, end, text: written }) => [start, end, written]),
        want.map((match) => {
          const texts = [match[0], ...groups.map((group) => match[group] ?? "")];
          return [match.index, match.index + match[0].length, texts.join("|")];
        }),
      );
      matched += found.length;
    }),
    { numRuns: 2000 * factor, seed },
  );
  assert(matched > 1000, `too little was matched for a proof: ${matched}`);
});

const HOSTILE = [
  { expression: "(a+)+$", value: `${"a".repeat(100_000)}b` },
  { expression: "(a|a)*[bc]", value: "a".repeat(100_000) },
  { expression: "(?:/[^/]+)+[x-z]", value: "/a".repeat(50_000) },
  { expression: "(.*)(.*)(.*)(.*)[xy]$", value: "a".repeat(100_000) },
];
for (const { expression: source, value: text } of HOSTILE) {
  Deno.test(`compileRegex() ends for ${source} on a value made to keep it busy`, () => {
    const start = performance.now();
    assertEquals(find(text, source), []);
    const tookMs = performance.now() - start;
    assert(tookMs < 5_000, `it took ${tookMs} ms`);
  });
}

Deno.test("compileRegex() gives up when it is late, also between two matches", () => {
  let asked = 0;
  // Each of the many matches looks through the whole rest of the value for the longer one.
  const regex = { expression: "a(?:.*b)?", with: "" };
  const findAll = compileRegex(regex, () => (asked += 1) > 100);
  assertThrows(
    () => findAll("a".repeat(20_000)),
    RangeError,
    "Cannot run the expression: the value takes it too long",
  );
  assertEquals(asked, 101);
  assertThrows(() => compileRegex(regex, () => true)("b"), RangeError, "takes it too long");
});

Deno.test("compileRegex() does not begin what one search could not end soon", () => {
  const long = "a".repeat(200_000);
  assertThrows(
    () => find(long, "(?:a?){1000}b"),
    RangeError,
    "Cannot run the expression: the value is too long for it",
  );
  assertEquals(find(long.slice(0, 1000), "(?:a?){1000}b"), []);
});
