/**
 * What we make of documents and paths is what libxml2 makes of them, by which libvirt reads its XML.
 * @module
 */

import * as fc from "fast-check";
import { parseDocument } from "../../lib/xml/document.ts";
import { parsePath } from "../../lib/xml/path_parser.ts";
import { select, type SelectedNode } from "../../lib/xml/select.ts";
import { XmlSyntaxError } from "../../lib/xml/syntax_error.ts";
import { getAttribute } from "../../lib/xml/tree.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { fixtureNames, readFixture } from "./fixtures.ts";
import { fuzzSize } from "./fuzz_size.ts";
import { documents, NAMESPACES, paths } from "./generate.ts";
import { mutate } from "./mutate.ts";
import { findFaults, selectByLibxml2, xmllintTest } from "./xmllint.ts";

const { factor, seed } = fuzzSize();
const DOCUMENT_COUNT = 120 * factor;
const PATHS_PER_DOCUMENT = 30;
const MUTANT_COUNT = 2000 * factor;

xmllintTest("select() selects what libxml2 selects", async () => {
  const texts = fc.sample(documents, { seed, numRuns: DOCUMENT_COUNT });
  const allPaths = fc.sample(paths, { seed, numRuns: DOCUMENT_COUNT * PATHS_PER_DOCUMENT });
  let found = 0;
  for (const [index, { text }] of texts.entries()) {
    const own = allPaths.slice(index * PATHS_PER_DOCUMENT, (index + 1) * PATHS_PER_DOCUMENT);
    found += await comparePaths(text, own);
  }
  assert(found > DOCUMENT_COUNT * PATHS_PER_DOCUMENT, `too few nodes were selected for a proof: ${found}`);
});

xmllintTest("select() selects in the captures what libxml2 selects", async () => {
  const asked = [
    "//*",
    "//@*",
    "//text()",
    "//@file/..",
    "/domain/devices/disk[1]/source/@file",
    "/domain/devices/interface[mac/@address][last()]/source/@*",
    "//interface[@type='network' or source[@bridge]]/model/@type",
    "//*[starts-with(@type, 'v')][2]",
    "//address[@type='pci' and not(@slot='0x03')]/../@*",
    "//h:*/@*",
    "/*/*/text()[contains(., '1')]",
  ];
  for (const name of fixtureNames()) {
    const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(readFixture(name));
    await comparePaths(text, asked, { h: "http://example.org/hooks/1" });
  }
});

async function comparePaths(
  text: string,
  asked: readonly string[],
  namespaces: Readonly<Record<string, string>> = NAMESPACES,
): Promise<number> {
  const document = parseDocument(text);
  // Attributes and texts may look alike: that their parents are the same ones too tells them apart.
  const all = asked.flatMap((path) => [path, `${path}/..`]);
  const answers = await selectByLibxml2(text, all, namespaces);
  let found = 0;
  for (const [index, path] of all.entries()) {
    const selected = select(parsePath(path, namespaces), document);
    assertEquals(selected.map(describe), [...answers[index] ?? []], `seed ${seed}: ${path} in ${text}`);
    found += selected.length;
  }
  return found;
}

/** As the shell of xmllint shows it: blanks as spaces, what is not ASCII as bytes, 40 bytes at most. */
function describe(node: SelectedNode): string {
  switch (node.type) {
    case "element":
      return `element ${getAttribute(node, "i") ?? undefined}`;
    case "attribute":
      return `attribute ${abbreviate(node.name.local)}=${abbreviate(node.value)}`;
    case "text":
    case "cdata":
      return `text ${abbreviate(node.text)}`;
  }
}

function abbreviate(value: string): string {
  const bytes = [...new TextEncoder().encode(value)];
  const shown = bytes.slice(0, 40).map((byte) => {
    if (/\s/.test(String.fromCharCode(byte))) return " ";
    return byte < 0x80 ? String.fromCharCode(byte) : `#${byte.toString(16).toUpperCase()}`;
  });
  return shown.join("") + (bytes.length > 40 ? "..." : "");
}

/** What we refuse and libxml2 does not: document types, half characters (no file can hold them), version "1.". */
function isJudged(text: string): boolean {
  return !text.includes("<!DOCTYPE") && text.isWellFormed() && !/^\uFEFF?<\?xml\s[^>]*["']1\.["']/.test(text);
}

xmllintTest("parseDocument() refuses what libxml2 finds fault with, and nothing else", async () => {
  const originals = fc.sample(documents, { seed, numRuns: MUTANT_COUNT / 10 }).map(({ text }) => text);
  const mutants = fc.sample(fc.tuple(documents, mutate), { seed, numRuns: MUTANT_COUNT })
    .map(([{ text }, mutation]) => mutation(text))
    .filter(isJudged);
  const texts = [...originals, ...mutants];
  const faults = new Map<number, string>();
  for (let start = 0; start < texts.length; start += 2000) {
    for (const [index, fault] of await findFaults(texts.slice(start, start + 2000))) faults.set(start + index, fault);
  }
  const refused = new Map<number, string>();
  for (const [index, text] of texts.entries()) {
    try {
      parseDocument(text);
    } catch (error) {
      if (!(error instanceof XmlSyntaxError)) throw error;
      refused.set(index, error.message);
    }
  }
  for (const [index, text] of texts.entries()) {
    assertEquals(
      refused.has(index),
      faults.has(index),
      `seed ${seed}: ${JSON.stringify(text)}\nours: ${refused.get(index) ?? "good"}\nlibxml2: ${
        faults.get(index) ?? "good"
      }`,
    );
  }
  const accepted = texts.length - refused.size - originals.length;
  assert(accepted > MUTANT_COUNT / 20 && refused.size > MUTANT_COUNT / 2, `no proof: ${refused.size} were refused`);
});
