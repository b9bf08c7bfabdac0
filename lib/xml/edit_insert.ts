/**
 * Inserting XML into an element or beside a node.
 * @module
 */

import { type FindNamespace, parseFragment } from "./document.ts";
import { indentBefore } from "./edit_remove.ts";
import { canBind } from "./scan.ts";
import type { SelectedNode } from "./select.ts";
import type { Draft } from "./splice.ts";
import type { XmlAttribute, XmlDocument, XmlElement, XmlNode } from "./tree.ts";

/** Where inserted XML goes: into an element, or beside a node. */
export type InsertPlace = "first" | "last" | "before" | "after";

/**
 * The splice that inserts XML. Beside an element that is alone on its lines the new text gets lines of its own.
 *
 * @throws {XmlSyntaxError} when the XML is not well-formed there; the place is that in the inserted text
 */
export function insertXml(
  document: XmlDocument,
  node: SelectedNode,
  insertion: { readonly place: InsertPlace; readonly xml: string; readonly fail: (problem: string) => never },
): Draft {
  const { place, xml, fail } = insertion;
  if (node.type === "attribute") return fail("XML cannot be inserted at an attribute");
  if (place === "before" || place === "after") {
    if (node.parent === null) return fail("an element cannot be inserted beside the root element");
    parseFragment(xml, namespacesIn(node.parent));
    return placeBeside(document, node, place, xml);
  }
  if (node.type !== "element") return fail("XML cannot be inserted into a text");
  parseFragment(xml, namespacesIn(node));
  return placeInside(document, node, place, xml);
}

/** Finds the namespaces in force in an element. */
function namespacesIn(element: XmlElement): FindNamespace {
  return (prefix) => {
    const declaration = prefix === "" ? "xmlns" : `xmlns:${prefix}`;
    for (let at: XmlElement | null = element; at !== null; at = at.parent) {
      const uri = at.attributes[declaration];
      if (uri !== undefined && canBind(prefix, uri)) return uri;
    }
    return undefined;
  };
}

function placeBeside(
  document: XmlDocument,
  node: Exclude<SelectedNode, XmlAttribute>,
  place: "before" | "after",
  xml: string,
): Draft {
  const { start, end } = node.span;
  const indent = node.type === "element" ? indentBefore(document.text, node.span) : "";
  return place === "before"
    ? { span: { start, end: start }, text: xml + indent, rank: place }
    : { span: { start: end, end }, text: indent + xml, rank: place };
}

function placeInside(document: XmlDocument, element: XmlElement, place: "first" | "last", xml: string): Draft {
  const { startTag, endTag, children, name } = element;
  if (endTag === null) {
    return { span: { start: startTag.end - 2, end: startTag.end }, text: xml, rank: place, opens: name.raw };
  }
  const isMarkup = (child: XmlNode): boolean => child.type === "element" || child.type === "comment";
  const neighbour = place === "first" ? children.find(isMarkup) : children.findLast(isMarkup);
  const edge = place === "first" ? startTag.end : endTag.start;
  if (neighbour !== undefined) {
    const [from, to] = place === "first" ? [edge, neighbour.span.start] : [neighbour.span.end, edge];
    const indent = indentBefore(document.text, neighbour.span);
    if (indent !== "" && /^[ \t\r\n]*$/.test(document.text.slice(from, to))) {
      return { span: { start: from, end: from }, text: indent + xml, rank: place };
    }
  }
  return { span: { start: edge, end: edge }, text: xml, rank: place };
}
