import { issueLine } from "../../lib/rules/mistake.ts";
import { readRules } from "../../lib/rules/read.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { type Block, blocksOf, pages, readPage } from "./pages.ts";

const ROOT = new URL("../../", import.meta.url);

const blocks: Block[] = [];
for (const page of await pages()) {
  blocks.push(...blocksOf(page, await readPage(page)).filter(({ language }) => language === "toml"));
}

Deno.test("the documentation has rules in it", () => {
  assert(blocks.length > 5, `Only ${blocks.length} blocks of rules were found`);
});

for (const { page, line, text } of blocks) {
  Deno.test(`the rules at ${page}:${line} have no mistakes`, async () => {
    const reading = await readRules([{ path: page, text }]);
    assertEquals(reading.kind === "broken" ? reading.issues.map(issueLine) : [], []);
  });
}

Deno.test("every link from one page to another leads somewhere", async () => {
  const broken: string[] = [];
  for (const page of [...await pages(), "lib/README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"]) {
    const here = new URL(page, ROOT);
    for (const [, target] of (await Deno.readTextFile(here)).matchAll(/\]\(([^)#\s]+)[^)]*\)/g)) {
      if (target === undefined || /^[a-z]+:/.test(target)) continue;
      const there = await Deno.stat(new URL(target, here)).catch(() => undefined);
      if (there === undefined) broken.push(`${page} → ${target}`);
    }
  }
  assertEquals(broken, []);
});
