import { issueLine } from "../../lib/rules/mistake.ts";
import { readRules } from "../../lib/rules/read.ts";
import { assert, assertEquals } from "../support/assert.ts";

const ROOT = new URL("../../", import.meta.url);

/** Every page with rules in it, relative to the top. */
async function pages(): Promise<readonly string[]> {
  return ["README.md", ...await pagesBelow("docs/")].toSorted();
}

async function pagesBelow(folder: string): Promise<readonly string[]> {
  const names: string[] = [];
  for await (const entry of Deno.readDir(new URL(folder, ROOT))) {
    if (entry.isDirectory) names.push(...await pagesBelow(`${folder}${entry.name}/`));
    else if (entry.name.endsWith(".md")) names.push(`${folder}${entry.name}`);
  }
  return names;
}

function tomlBlocks(text: string): readonly string[] {
  return [...text.matchAll(/^```toml\n([^]*?)^```$/gm)].map(([, block]) => block ?? "");
}

const blocks: { readonly page: string; readonly number: number; readonly block: string }[] = [];
for (const page of await pages()) {
  const text = await Deno.readTextFile(new URL(page, ROOT));
  blocks.push(...tomlBlocks(text).map((block, index) => ({ page, number: index + 1, block })));
}

Deno.test("the documentation has rules in it", () => {
  assert(blocks.length > 5, `Only ${blocks.length} blocks of rules were found`);
});

for (const { page, number, block } of blocks) {
  Deno.test(`the rules in ${page}, block ${number}, have no mistakes`, async () => {
    const reading = await readRules([{ path: page, text: block }]);
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
