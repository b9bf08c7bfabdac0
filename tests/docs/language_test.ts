/**
 * The pages can be read in a terminal, keep to plain technical English, and link to places that exist.
 * @module
 */
import { assertEquals } from "../support/assert.ts";
import { pages, readPage } from "./pages.ts";

const WIDTH_MAX = 120;

/** Words that name no actor, or that the field does not use. */
const WORDS = [
  ...["nobody", "somebody", "anybody", "everybody", "whoever", "whom", "shall", "stands", "stood"],
  ...["house", "room", "door", "desk", "wish", "errand", "company", "reception", "workshop", "kin"],
  ...["came of", "become of", "of ours", "lives", "who holds", "who has", "who is", "who uses", "who wants"],
];

const BANNED = new RegExp(`\\b(${WORDS.join("|")})\\b`, "i");

const all = [...await pages(), "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"];

/** The lines of a page outside code blocks, with their numbers. */
function proseLines(text: string): readonly (readonly [number, string])[] {
  let inCode = false;
  const lines: (readonly [number, string])[] = [];
  for (const [index, line] of text.split("\n").entries()) {
    if (/^ *```/.test(line)) inCode = !inCode;
    else if (!inCode) lines.push([index + 1, line]);
  }
  return lines;
}

for (const page of all) {
  const lines = proseLines(await readPage(page));

  Deno.test(`${page} has no line over ${WIDTH_MAX} columns`, () => {
    assertEquals(lines.filter(([, line]) => [...line].length > WIDTH_MAX).map(([number]) => number), []);
  });

  Deno.test(`${page} is written in plain technical English`, () => {
    // Text in backticks is a name or a message.
    const found = lines.flatMap(([number, line]) => {
      const word = BANNED.exec(line.replaceAll(/`[^`]*`/g, "``"))?.[1];
      return word === undefined ? [] : [`${number}: ${word}`];
    });
    assertEquals(found, []);
  });
}

/** The anchor that GitHub gives a heading. */
function anchorOf(heading: string): string {
  return heading.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1").toLowerCase().replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
    .replaceAll(" ", "-");
}

Deno.test("every link to a heading leads to one", async () => {
  const broken: string[] = [];
  for (const page of all) {
    for (const [, file = "", anchor = ""] of (await readPage(page)).matchAll(/\]\(([^)#\s:]*)#([^)\s]+)\)/g)) {
      const target = file === "" ? page : new URL(file, `file:///${page}`).pathname.slice(1);
      const headings = proseLines(await readPage(target)).flatMap(([, line]) => /^#+ (.*)$/.exec(line)?.[1] ?? []);
      if (!headings.map(anchorOf).includes(anchor)) broken.push(`${page} → ${file}#${anchor}`);
    }
  }
  assertEquals(broken, []);
});
