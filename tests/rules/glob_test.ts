import { canMatchUuid, globCost, matchGlob } from "../../lib/rules/glob.ts";
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

Deno.test("matchGlob() handles a pattern that would take a backtracking matcher years", () => {
  assertEquals(matchGlob(`${"*a".repeat(50)}*b`, "a".repeat(2000)), false);
});

const UUID_GLOBS = [
  { glob: "c7a5fdbd-cdaf-9455-926a-d65c16db1809", can: true },
  { glob: "c7a5fdbdcdaf9455926ad65c16db1809", can: false },
  { glob: "C7A5".toLowerCase(), can: false },
  { glob: "*", can: true },
  { glob: "c7a5*", can: true },
  { glob: "*-*-*-*-*", can: true },
  { glob: "*-*-*-*-*-*", can: false },
  { glob: "c7a5fdbdc*", can: false },
  { glob: "?".repeat(36), can: true },
  { glob: "?".repeat(35), can: false },
  { glob: `${"?".repeat(36)}*`, can: true },
];
for (const { glob, can } of UUID_GLOBS) {
  Deno.test(`canMatchUuid() says ${can} to ${glob}`, () => {
    assertEquals(canMatchUuid(glob), can);
  });
}

Deno.test("globCost() grows with the value and the longest run between stars", () => {
  assertEquals([globCost("*ab*c", "x".repeat(100)), globCost("ab", "x".repeat(100)), globCost("*", "xx")], [200, 2, 2]);
});
