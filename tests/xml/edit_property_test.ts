/**
 * Edits of random documents do what the same edits of a plain model do, and nothing else.
 * @module
 */

import * as fc from "fast-check";
import { parseDocument } from "../../lib/xml/document.ts";
import { type Edit, editDocument, planEdits, XmlEditError } from "../../lib/xml/edit.ts";
import { parsePath } from "../../lib/xml/path_parser.ts";
import { select, type SelectedNode } from "../../lib/xml/select.ts";
import type { XmlDocument } from "../../lib/xml/tree.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { fuzzSize } from "./fuzz_size.ts";
import { documents, NAMESPACES } from "./generate.ts";
import { insertBeside, type Model, type ModelElement, modelOf, normalForm, removePart } from "./tree_model.ts";

const { factor, seed } = fuzzSize();
const RUNS = { numRuns: 1500 * factor, seed };

const PATHS = [
  "//@x",
  "//@*[.='v']",
  "//a/@p:x",
  "//*[not(*)]",
  "//*[not(*)][1]",
  "//a[not(*)][text()]",
  "//text()",
  "//b/text()[1]",
  "//*[*]/text()[last()]",
  "//a",
  "//b[1]",
  "//*[last()]",
  "/*/*",
  "/*",
  "//p:*",
];
const path = fc.constantFrom(...PATHS).map((text) => parsePath(text, NAMESPACES));
const value = fc.oneof(
  fc.constantFrom("", "v", "w", "<a>", "&amp;", `'"`, "]]>", "]]", ">", "é😀", "a\tb\nc", " "),
  fc.string({ unit: fc.constantFrom("]", ">", "<", "&", "'", '"', "v", "\n", "\t", "é", "😀"), maxLength: 8 }),
);
const set = fc.record({ kind: fc.constant("set" as const), path, value });
const replace = fc.record({
  kind: fc.constant("replace" as const),
  path,
  search: fc.constantFrom("v", "w", "vw", "&", "<a", "]", ">", "\n", " ", "é", "😀"),
  with: value,
});
const remove = fc.record({ kind: fc.constant("remove" as const), path });
const INSERTED = "<new/>";
const insert = fc.record({
  kind: fc.constant("insert" as const),
  path,
  place: fc.constantFrom("first", "last", "before", "after"),
  xml: fc.constant(INSERTED),
});
const edit: fc.Arbitrary<Edit> = fc.oneof(set, replace, remove, insert);

/** What is left of the cases in which an edit does not suit what its path selects: `null`. */
function tryEdit(document: XmlDocument, edits: readonly Edit[]): string | null {
  try {
    return editDocument(document, edits);
  } catch (error) {
    if (error instanceof XmlEditError) return null;
    throw error;
  }
}

Deno.test("no edit changes no byte", () => {
  fc.assert(
    fc.property(documents, ({ text }) => {
      const bytes = new TextEncoder().encode(text);
      assertEquals(new TextEncoder().encode(editDocument(parseDocument(bytes), [])), bytes);
    }),
    RUNS,
  );
});

Deno.test("an edit changes what it must in a model of the document", () => {
  let edited = 0;
  fc.assert(
    fc.property(documents, edit, ({ text }, edit) => {
      const document = parseDocument(text);
      const result = tryEdit(document, [edit]);
      if (result === null) return;
      const model = modelOf(document);
      for (const node of select(edit.path, document)) editModel(model, node, edit);
      // The white space around what is removed or inserted is another test's concern.
      const isSpaced = edit.kind === "remove" || edit.kind === "insert";
      const space = (value: string): string => isSpaced ? value.replace(/\s/g, "") : value;
      assertEquals(normalForm(modelOf(parseDocument(result)).root, space), normalForm(model.root, space), result);
      if (result !== text) edited += 1;
    }),
    RUNS,
  );
  assert(edited > RUNS.numRuns / 4, `too few documents were edited for a proof: ${edited}`);
});

function editModel(model: Model, node: SelectedNode, edit: Edit): void {
  const part = model.parts.get(node);
  assert(part !== undefined && part.kind !== "other");
  switch (edit.kind) {
    case "set":
      if (part.kind === "element") setText(part, edit.value);
      else part.value = edit.value;
      break;
    case "replace":
      if (part.kind === "element") replaceText(part, edit.search, edit.with);
      else part.value = part.value.replaceAll(edit.search, () => edit.with);
      break;
    case "remove":
      removePart(model.root, part);
      break;
    case "insert": {
      const inserted: ModelElement = { kind: "element", name: "new", attributes: [], children: [] };
      if (edit.place === "before" || edit.place === "after") insertBeside(model.root, part, edit.place, inserted);
      else if (part.kind === "element" && edit.place === "first") part.children.unshift(inserted);
      else if (part.kind === "element") part.children.push(inserted);
    }
  }
}

/** The first text of an element becomes the value, the others go. */
function setText(element: ModelElement, value: string): void {
  const texts = element.children.filter((child) => child.kind === "text");
  const [first] = texts;
  if (texts.map((text) => text.value).join("") === value) return;
  for (const text of texts) text.value = text === first ? value : "";
  if (first === undefined) element.children.unshift({ kind: "text", value });
}

/** Character by character: what replaces an occurrence stands in the text where the occurrence begins. */
function replaceText(element: ModelElement, search: string, replaceWith: string): void {
  const texts = element.children.filter((child) => child.kind === "text");
  const all = texts.map((text) => text.value).join("");
  const cut = new Map<number, number>();
  for (let at = all.indexOf(search); at !== -1; at = all.indexOf(search, at + search.length)) {
    // A text that is replaced by itself stays as it is written.
    if (search !== replaceWith) cut.set(at, at + search.length);
  }
  let offset = 0;
  let skipTo = 0;
  for (const text of texts) {
    let result = "";
    for (const unit of text.value.split("")) {
      const end = cut.get(offset);
      if (end !== undefined) {
        result += replaceWith;
        skipTo = end;
      }
      if (offset >= skipTo) result += unit;
      offset += 1;
    }
    text.value = result;
  }
}

// A path that asks for what the edit changes may select something else afterwards.
const lastingPath = fc.constantFrom("//@*", "//a/@p:x", "//*[not(*)]", "//*[not(*)][1]", "//p:*[@x]", "//text()")
  .map((text) => parsePath(text, NAMESPACES));
const lastingSet = fc.record({ kind: fc.constant("set" as const), path: lastingPath, value });

Deno.test("setting twice is setting once", () => {
  let changed = 0;
  fc.assert(
    fc.property(documents, lastingSet, ({ text }, edit) => {
      const once = tryEdit(parseDocument(text), [edit]);
      if (once === null) return;
      assertEquals(tryEdit(parseDocument(once), [edit]), once);
      if (once !== text) changed += 1;
    }),
    RUNS,
  );
  assert(changed > RUNS.numRuns / 2, `too few documents were changed for a proof: ${changed}`);
});

Deno.test("several edits change exactly their spans, and the document stays well-formed", () => {
  let together = 0;
  fc.assert(
    fc.property(documents, fc.array(edit, { minLength: 2, maxLength: 4 }), ({ text }, edits) => {
      const document = parseDocument(text);
      const result = tryEdit(document, edits);
      if (result === null) return;
      parseDocument(result);
      let at = 0;
      let rest = result;
      for (const { span, text: written } of planEdits(document, edits)) {
        assert(span.start >= at && span.end >= span.start, "the spans are in order");
        const kept = text.slice(at, span.start) + written;
        assert(rest.startsWith(kept), "what is between the spans stays");
        rest = rest.slice(kept.length);
        at = span.end;
      }
      assertEquals(rest, text.slice(at));
      if (result !== text) together += 1;
    }),
    RUNS,
  );
  assert(together > RUNS.numRuns / 10, `too few documents were edited for a proof: ${together}`);
});
