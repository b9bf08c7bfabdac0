/**
 * The pages of the documentation and the fenced blocks in them.
 * @module
 */

const ROOT = new URL("../../", import.meta.url);

/** A fenced block: ```` ```LANGUAGE FILE… ````, its text, and the number of its first line of text. */
export interface Block {
  readonly page: string;
  readonly line: number;
  readonly language: string;
  /** The files of golden stories that the block quotes, below `tests/golden/`. */
  readonly files: readonly string[];
  readonly text: string;
  /** The blanks before each line, which `text` does not have. */
  readonly indent: string;
}

/** Lists every page, relative to the top of the repository, in name order. */
export async function pages(): Promise<readonly string[]> {
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

/** Reads a page. */
export async function readPage(page: string): Promise<string> {
  return await Deno.readTextFile(new URL(page, ROOT));
}

/** Overwrites a page. */
export async function writePage(page: string, text: string): Promise<void> {
  await Deno.writeTextFile(new URL(page, ROOT), text);
}

/** Lists the fenced blocks of a page in order. */
export function blocksOf(page: string, text: string): readonly Block[] {
  return [...text.matchAll(/^( *)```(\w*)([^\n]*)\n([^]*?)^\1```$/gm)].map((match) => {
    const [, indent = "", language = "", info = "", body = ""] = match;
    return {
      page,
      line: text.slice(0, match.index).split("\n").length + 1,
      language,
      files: info.split(" ").filter((word) => word !== ""),
      text: body.replaceAll(new RegExp(`^${indent}`, "gm"), ""),
      indent,
    };
  });
}
