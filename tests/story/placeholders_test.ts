import { assertEquals } from "../support/assert.ts";
import { matchesText, withPlaceholders } from "../../lib/story/placeholders.ts";

const TEXTS = [
  { actual: "a\nb\nc", expected: "a[WILDCARD]c", want: true },
  { actual: "a\nb\nc", expected: "a[LINE]c", want: false },
  { actual: "took 1.5 ms (x)", expected: "took [LINE] ms (x)", want: true },
  { actual: "line 12:", expected: "line [NUMBER]:", want: true },
  { actual: "line x:", expected: "line [NUMBER]:", want: false },
  { actual: "virt-hooks 1.2.3-rc.1, run", expected: "virt-hooks [VERSION], run", want: true },
  { actual: "virt-hooks 1.2, run", expected: "virt-hooks [VERSION], run", want: false },
  { actual: "axc", expected: "a.c", want: false },
  { actual: "", expected: "", want: true },
  { actual: "more", expected: "", want: false },
] as const;

for (const { actual, expected, want } of TEXTS) {
  Deno.test(`matchesText() says ${want} for ${JSON.stringify(actual)} and ${JSON.stringify(expected)}`, () => {
    assertEquals(matchesText(actual, expected), want);
  });
}

Deno.test("withPlaceholders() leaves out fields that are not expected, and keeps every item of a list", () => {
  const actual = { a: 1, b: { c: "x7", d: 2 }, e: [{ f: 1, g: 2 }, 3] };
  assertEquals(withPlaceholders(actual, { b: { c: "x[NUMBER]" }, e: [{ f: 1 }] }), {
    b: { c: "x[NUMBER]" },
    e: [{ f: 1 }, 3],
  });
});

Deno.test("withPlaceholders() keeps what does not match, for the difference to show", () => {
  assertEquals(withPlaceholders({ a: "x", b: 1 }, { a: "y", c: "[WILDCARD]" }), { a: "x", c: undefined });
});
