/**
 * Removing nodes, with the white space that belongs to them.
 * @module
 */

import type { SelectedNode } from "./select.ts";
import type { Draft } from "./splice.ts";
import type { Span, XmlDocument } from "./tree.ts";

/** The nodes that stand in no other node of the list: those go with it. */
export function outermost(nodes: readonly SelectedNode[]): readonly SelectedNode[] {
  const all = new Set(nodes);
  return nodes.filter((node) => {
    for (let above = node.parent; above !== null; above = above.parent) {
      if (all.has(above)) return false;
    }
    return true;
  });
}

/** The splice that removes a node: an attribute with the space before it, an element alone on its lines with these. */
export function removeNode(document: XmlDocument, node: SelectedNode): Draft {
  const { text } = document;
  switch (node.type) {
    case "attribute": {
      const start = node.span.start - trailing(text, node.span.start, /[ \t\r\n]/);
      return { span: { start, end: node.span.end }, text: "", rank: "value" };
    }
    case "text":
    case "cdata":
      return { span: node.span, text: "", rank: "value" };
    case "element":
      return { span: linesOf(text, node.span), text: "", rank: "value" };
  }
}

/** The line break and the white space before an element that is alone on its lines, `""` for any other. */
export function indentBefore(text: string, { start, end }: Span): string {
  const lineStart = start - trailing(text, start, /[ \t]/);
  const breakLength = text.endsWith("\r\n", lineStart) ? 2 : trailing(text, lineStart, /[\r\n]/) > 0 ? 1 : 0;
  const after = /[ \t]*(?:[\r\n]|<\/)/y;
  after.lastIndex = end;
  return breakLength > 0 && after.test(text) ? text.slice(lineStart - breakLength, start) : "";
}

function linesOf(text: string, span: Span): Span {
  const indent = indentBefore(text, span);
  if (indent === "") return span;
  const blanks = /[ \t]*(?=[\r\n])/y;
  blanks.lastIndex = span.end;
  return { start: span.start - indent.length, end: blanks.test(text) ? blanks.lastIndex : span.end };
}

/** How many characters right before an offset are of a kind. */
function trailing(text: string, offset: number, kind: RegExp): number {
  let start = offset;
  while (start > 0 && kind.test(text.charAt(start - 1))) start -= 1;
  return offset - start;
}
