/**
 * Edits of a document, as data: what a path selects is set, replaced in, removed, or gets XML beside or into it.
 *
 * All edits of a list look at the original document. Each becomes splices of its text; every other byte stays.
 * @module
 */

import { type InsertPlace, insertXml } from "./edit_insert.ts";
import { outermost, removeNode } from "./edit_remove.ts";
import { replaceInValue, setValue } from "./edit_value.ts";
import type { Path } from "./path.ts";
import { editCounter, type FindMatches, findText } from "./replacement.ts";
import { select, type SelectedNode } from "./select.ts";
import { applySplices, type Draft, type EditDraft, orderSplices, type Splice, XmlEditError } from "./splice.ts";
import type { XmlDocument } from "./tree.ts";

export type { InsertPlace } from "./edit_insert.ts";
export { type Splice, XmlEditError } from "./splice.ts";

/** What is done to each node that the path selects; a path that selects nothing changes nothing. */
export type Edit =
  | { readonly kind: "set"; readonly path: Path; readonly value: string }
  | { readonly kind: "replace"; readonly path: Path; readonly search: string; readonly with: string }
  /** Compiled by the caller that has loaded the engine (`regex.ts`); others do not load it. */
  | { readonly kind: "regex"; readonly path: Path; readonly find: FindMatches }
  | { readonly kind: "remove"; readonly path: Path }
  | { readonly kind: "insert"; readonly path: Path; readonly place: InsertPlace; readonly xml: string };

/**
 * The splices that do all edits, in the order of the text. None: the document is already as wanted.
 *
 * @throws {XmlEditError} when an edit does not suit what its path selects, or two edits change the same text
 * @throws {XmlSyntaxError} when XML to insert is not well-formed; the place is that in the XML to insert
 * @throws {XmlLimitError} when the document makes a path or an expression take too long
 */
export function planEdits(document: XmlDocument, edits: readonly Edit[]): readonly Splice[] {
  const drafts: EditDraft[] = [];
  for (const [index, edit] of edits.entries()) {
    const selected = select(edit.path, document);
    const nodes = edit.kind === "remove" ? outermost(selected) : selected;
    const count = editCounter();
    for (const node of nodes) {
      const fail = (problem: string): never => {
        throw new XmlEditError(problem, index, { document, offset: node.span.start });
      };
      for (const draft of planEdit(document, node, { edit, fail })) {
        count(draft.text.length);
        drafts.push({ ...draft, edit: index });
      }
    }
  }
  return orderSplices(document, drafts);
}

/**
 * The text of a document with all edits done. It is well-formed if the edits are; who prints it parses it again.
 *
 * @throws as {@linkcode planEdits} does
 */
export function editDocument(document: XmlDocument, edits: readonly Edit[]): string {
  return applySplices(document.text, planEdits(document, edits));
}

function planEdit(
  document: XmlDocument,
  node: SelectedNode,
  { edit, fail }: { readonly edit: Edit; readonly fail: (problem: string) => never },
): readonly Draft[] {
  switch (edit.kind) {
    case "set":
      return setValue(document, node, { value: edit.value, fail });
    case "replace":
      if (edit.search === "") fail("there is no text to look for");
      return replaceInValue(document, node, { find: (value) => findText(value, edit), fail });
    case "regex":
      return replaceInValue(document, node, { find: edit.find, fail });
    case "remove":
      if (node.type === "element" && node.parent === null) fail("the root element cannot be removed");
      return [removeNode(document, node)];
    case "insert":
      return edit.xml === "" ? [] : [insertXml(document, node, { place: edit.place, xml: edit.xml, fail })];
  }
}
