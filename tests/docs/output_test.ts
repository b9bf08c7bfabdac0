/**
 * Blocks of the documentation that name files of golden stories quote them. `UPDATE_GOLDEN=1` rewrites the blocks.
 */
import { goldenStories } from "../golden/golden_stories.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { type Block, blocksOf, pages, readPage, writePage } from "./pages.ts";
import { mismatch, renewed, type Sources } from "./quote.ts";

const GOLDEN = new URL("../golden/", import.meta.url);
const SOURCES: Sources = { read: (file) => Deno.readTextFileSync(new URL(file, GOLDEN)), stories: goldenStories() };
const UPDATE = Deno.env.get("UPDATE_GOLDEN") === "1";

/** The stories whose texts the golden tests compare with the compiled programs. */
const QUOTED = /^(command|docs)\//;

const blocks: Block[] = [];
for (const page of await pages()) {
  blocks.push(...blocksOf(page, await readPage(page)).filter(({ files: [file = ""] }) => QUOTED.test(file)));
}

Deno.test("the documentation quotes golden stories", () => assert(blocks.length > 10, `${blocks.length} blocks`));

for (const block of blocks) {
  Deno.test(`${block.page}:${block.line} quotes ${block.files.join(", ")}`, async () => {
    if (UPDATE && mismatch(block, SOURCES) !== undefined) await update(block);
    else assertEquals(mismatch(block, SOURCES), undefined);
  });
}

async function update(block: Block): Promise<void> {
  const text = renewed(block, SOURCES);
  if (text === undefined) {
    throw new Error(`Cannot rewrite ${block.page}:${block.line}, which leaves lines out: edit it`);
  }
  const page = await readPage(block.page);
  await writePage(block.page, page.replace(indented(block.text, block), () => indented(text, block)));
}

function indented(text: string, { indent }: Block): string {
  return text.replaceAll(/^(?=.)/gm, indent);
}
