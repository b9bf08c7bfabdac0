import { parseStory } from "../../lib/story/story.ts";
import { assertEquals, assertThrows } from "../support/assert.ts";

const CALL = `{ "program": "qemu", "args": [], "exitCode": 0, "history": null`;

Deno.test("parseStory() fills in what a story leaves out", () => {
  const { calls: [call], files, processes } = parseStory(`{ "about": "a", "calls": [${CALL} }] }`, "story.json");
  assertEquals([call?.stdin, call?.files, call?.remove, files, processes], ["null", [], [], [], []]);
});

const MISTAKES = [
  [`{`, "Cannot read story.json: "],
  [`{ "about": "a", "calls": [] }`, "Cannot read story.json: at calls: "],
  [`{ "about": "a", "calls": [${CALL}, "sya": "" }] }`, "Cannot read story.json: at calls.0.sya: "],
] as const;

for (const [text, start] of MISTAKES) {
  Deno.test(`parseStory() refuses ${text}`, () => {
    assertThrows(() => parseStory(text, "story.json"), Error, start);
  });
}
