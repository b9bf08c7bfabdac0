/**
 * The spans of a tree, for tests that ask whether they cover the text.
 * @module
 */

import type { Span, XmlDocument, XmlElement } from "../../lib/xml/tree.ts";

/** Tags, texts and all else that holds nothing, in the order of the text. */
export function leafSpans({ declaration, root, outside }: XmlDocument): readonly Span[] {
  const spans: Span[] = [...(declaration === undefined ? [] : [declaration.span]), ...outside.map(({ span }) => span)];
  const open: XmlElement[] = [root];
  for (let element = open.pop(); element !== undefined; element = open.pop()) {
    spans.push(element.startTag, ...element.processingInstructions.map(({ span }) => span));
    if (element.endTag !== null) spans.push(element.endTag);
    for (const child of element.children) {
      if (child.type === "element") open.push(child);
      else spans.push(child.span);
    }
  }
  return spans.sort((a, b) => a.start - b.start);
}
