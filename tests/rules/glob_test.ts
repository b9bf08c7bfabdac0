import { matchGlob } from "../../lib/rules/glob.ts";
import { assertEquals } from "../support/assert.ts";

const CASES = [
  { glob: "web-1", name: "web-1", matches: true },
  { glob: "web-1", name: "web-12", matches: false },
  { glob: "web-*", name: "web-", matches: true },
  { glob: "web-*", name: "web", matches: false },
  { glob: "*", name: "", matches: true },
  { glob: "*a*b*", name: "xxaxxbxx", matches: true },
  { glob: "*a*b", name: "ab-ab-a", matches: false },
  { glob: "w?b", name: "wäb", matches: true },
  { glob: "w?b", name: "w💡b", matches: true },
  { glob: "w?b", name: "wb", matches: false },
  { glob: "a\\*b", name: "a*b", matches: true },
  { glob: "a\\*b", name: "axb", matches: false },
  { glob: "a\\?", name: "a?", matches: true },
  { glob: "[ab]", name: "a", matches: false },
  { glob: "[ab]", name: "[ab]", matches: true },
  { glob: ".*", name: "abc", matches: false },
  { glob: "Web", name: "web", matches: false },
  { glob: "a\nb*", name: "a\nbc", matches: true },
];

for (const { glob, name, matches } of CASES) {
  Deno.test(`matchGlob() says ${matches} to ${JSON.stringify(glob)} and ${JSON.stringify(name)}`, () => {
    assertEquals(matchGlob(glob, name), matches);
  });
}

Deno.test("matchGlob() answers a pattern that would take a backtracking matcher years", () => {
  assertEquals(matchGlob(`${"*a".repeat(50)}*b`, "a".repeat(2000)), false);
});
