import { findText } from "../../lib/xml/replacement.ts";
import { assertEquals, assertThrows } from "../support/assert.ts";

Deno.test("findText() takes all characters as they are", () => {
  assertEquals(findText("a$1.*", { search: "$1.*", with: "$&" }), [{ start: 1, end: 5, text: "$&" }]);
});

Deno.test("findText() finds what does not overlap, from the start", () => {
  assertEquals(findText("aaa", { search: "aa", with: "a" }), [{ start: 0, end: 2, text: "a" }]);
});

Deno.test("findText() ends where an edit would change too many places, or write too much", () => {
  const value = "a".repeat(20_000);
  assertThrows(() => findText(value, { search: "a", with: "" }), RangeError, "the edit changes more than 10000 places");
  assertThrows(
    () => findText(value.slice(0, 9000), { search: "a", with: "b".repeat(1000) }),
    RangeError,
    "the edit writes more than 8388608 characters",
  );
  assertEquals(findText(value, { search: "a", with: "a" }), []);
});
