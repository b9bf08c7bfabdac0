/**
 * Whatever is given, parser, paths and edits either work or throw the errors they promise. Short as it stands; see
 * fuzz_size.ts for long.
 * @module
 */

import * as fc from "fast-check";
import { parseDocument } from "../../lib/xml/document.ts";
import { PathSyntaxError } from "../../lib/xml/path.ts";
import { parsePath } from "../../lib/xml/path_parser.ts";
import { compileRegex, RegexSyntaxError } from "../../lib/xml/regex.ts";
import { select } from "../../lib/xml/select.ts";
import { XmlSyntaxError } from "../../lib/xml/syntax_error.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { fixtureNames, readFixture } from "./fixtures.ts";
import { fuzzSize } from "./fuzz_size.ts";
import { documents, NAMESPACES, paths } from "./generate.ts";
import { mutate } from "./mutate.ts";
import { leafSpans } from "./spans.ts";

const { factor, seed } = fuzzSize();
const RUNS = { numRuns: 3000 * factor, seed };

const captures = fixtureNames().map(readFixture);
const SOUP = [
  "<",
  ">",
  "/",
  "a",
  "p:",
  "=",
  "'",
  '"',
  "&",
  ";",
  "!--",
  "--",
  "![CDATA[",
  "]]",
  "?",
  "xml",
  " ",
  "é",
  "\r",
];

/** Parses; if that works, all spans are in order and lie in the text. */
function check(input: string | Uint8Array): boolean {
  try {
    const document = parseDocument(input);
    let at = 0;
    for (const { start, end } of leafSpans(document)) {
      assert(start >= at && end > start && end <= document.text.length);
      at = end;
    }
    return true;
  } catch (error) {
    assert(error instanceof XmlSyntaxError, String(error));
    assert(error.line >= 1 && error.column >= 1 && error.offset >= 0 && !error.message.includes("\n"), error.message);
    return false;
  }
}

Deno.test("parseDocument() survives damaged documents", () => {
  const seen = { good: 0, bad: 0 };
  fc.assert(
    fc.property(documents, mutate, ({ text }, damage) => {
      seen[check(damage(text)) ? "good" : "bad"] += 1;
    }),
    RUNS,
  );
  assert(seen.good > 100 && seen.bad > 100, `no proof: ${JSON.stringify(seen)}`);
});

Deno.test("parseDocument() survives damaged bytes of captures", () => {
  const damage = fc.record({ at: fc.nat(), byte: fc.integer({ min: 0, max: 255 }), length: fc.nat({ max: 2 }) });
  fc.assert(
    fc.property(fc.constantFrom(...captures), fc.array(damage, { minLength: 1, maxLength: 3 }), (bytes, damages) => {
      const damaged = bytes.slice();
      for (const { at, byte, length } of damages) damaged.fill(byte, at % bytes.length, (at % bytes.length) + length);
      check(damaged);
    }),
    { ...RUNS, numRuns: RUNS.numRuns / 10 },
  );
});

Deno.test("parseDocument() survives anything", () => {
  const soup = fc.string({ unit: fc.constantFrom(...SOUP), maxLength: 40 });
  fc.assert(
    fc.property(fc.oneof(soup, fc.string({ unit: "binary" }), fc.uint8Array()), (input) => void check(input)),
    RUNS,
  );
});

Deno.test("parsePath() survives anything, and what it reads can be followed", () => {
  const soup = fc.string({
    unit: fc.constantFrom(
      "/",
      "//",
      "a",
      "p:",
      "*",
      "@",
      "[",
      "]",
      "(",
      ")",
      "=",
      "'",
      ".",
      "..",
      "1",
      "and",
      "not",
      " ",
      "text()",
    ),
    maxLength: 12,
  });
  const damaged = fc.tuple(paths, mutate).map(([path, damage]) => damage(path));
  let followed = 0;
  fc.assert(
    fc.property(documents, fc.oneof(soup, damaged, fc.string({ unit: "binary" })), ({ text }, path) => {
      try {
        const parsed = parsePath(path, NAMESPACES);
        const nodes = select(parsed, parseDocument(text));
        assertEquals(new Set(nodes).size, nodes.length);
        followed += 1;
      } catch (error) {
        assert(error instanceof PathSyntaxError, String(error));
        assert(error.column >= 1 && error.column <= path.length + 1, error.message);
      }
    }),
    RUNS,
  );
  assert(followed > RUNS.numRuns / 20, `too few paths were followed for a proof: ${followed}`);
});

Deno.test("compileRegex() survives anything, and what it reads can be run", () => {
  const soup = fc.string({ unit: fc.constantFrom(..."ab()[]{}*+?|^$.\\-,12d:épP<>i=!"), maxLength: 10 });
  const value = fc.string({ unit: fc.constantFrom(..."ab1-.é😀\n"), maxLength: 20 });
  let run = 0;
  fc.assert(
    fc.property(fc.oneof(soup, fc.string({ unit: "binary" })), value, (expression, text) => {
      try {
        let at = 0;
        for (const { start, end } of compileRegex({ expression, with: "$&" }, () => false)(text)) {
          assert(start >= at && end >= start && end <= text.length);
          at = end;
        }
        run += 1;
      } catch (error) {
        assert(error instanceof RegexSyntaxError, String(error));
      }
    }),
    RUNS,
  );
  assert(run > RUNS.numRuns / 10, `too few expressions were run for a proof: ${run}`);
});
