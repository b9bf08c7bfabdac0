import { findText } from "../../lib/xml/replacement.ts";
import { assertEquals } from "../support/assert.ts";

Deno.test("findText() takes all characters as they are", () => {
  assertEquals(findText("a$1.*", { search: "$1.*", with: "$&" }), [{ start: 1, end: 5, text: "$&" }]);
});

Deno.test("findText() finds what does not overlap, from the start", () => {
  assertEquals(findText("aaa", { search: "aa", with: "a" }), [{ start: 0, end: 2, text: "a" }]);
});
