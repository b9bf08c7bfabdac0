/**
 * Reads XML 1.0 with namespaces, strictly: text or UTF-8 bytes in, a tree with places out.
 *
 * No document type, no entity but the five of XML itself, and limits on everything: whatever wrote the document, reading
 * it takes bounded time and memory and touches no file. The open elements are data, so no depth exhausts the stack.
 * @module
 */

import { readInput } from "./input.ts";
import { XML_LIMITS } from "./limits.ts";
import { indexOfForbiddenCharacter } from "./names.ts";
import { fail, type FindNamespace, type ParseLimits, type Scan } from "./scan.ts";
import { scanNodes, type Top } from "./scan_nodes.ts";
import { positionAt } from "./syntax_error.ts";
import type { XmlComment, XmlDeclaration, XmlDocument, XmlElement, XmlNode, XmlProcessingInstruction } from "./tree.ts";

export type { FindNamespace } from "./scan.ts";

const DECLARATION =
  /<\?xml[ \t\r\n]+version[ \t\r\n]*=[ \t\r\n]*(["'])(1\.[0-9]+)\1(?:[ \t\r\n]+encoding[ \t\r\n]*=[ \t\r\n]*(["'])([A-Za-z][\w.-]*)\3)?(?:[ \t\r\n]+standalone[ \t\r\n]*=[ \t\r\n]*(["'])(yes|no)\5)?[ \t\r\n]*\?>/y;

/**
 * Parses a document, given as text or as UTF-8 bytes.
 *
 * @throws {XmlSyntaxError} when it is not well-formed, has a document type, or is more than the limits allow
 */
export function parseDocument(input: string | Uint8Array, limits: Partial<ParseLimits> = {}): XmlDocument {
  const allLimits = { ...XML_LIMITS, ...limits };
  const scan = startScan(readInput(input, allLimits.bytes), allLimits);
  const declaration = scanDeclaration(scan);
  const top: Top = { kind: "document", nodes: [], processingInstructions: [] };
  scanNodes(scan, top);
  const root = top.nodes.find(isElement);
  if (root === undefined) fail(scan, "it has no root element", scan.text.length);
  const comments = top.nodes.filter((node): node is XmlComment => node.type === "comment");
  const outside = [...comments, ...top.processingInstructions].sort((a, b) => a.span.start - b.span.start);
  return { ...(declaration === null ? {} : { declaration }), root, outside, text: scan.text };
}

/** The nodes of a piece of XML that is to stand in an element. */
export interface XmlFragment {
  readonly nodes: readonly XmlNode[];
  readonly processingInstructions: readonly XmlProcessingInstruction[];
}

/**
 * Parses a piece of XML that is to stand inside an element.
 *
 * @param around finds the namespaces in force there
 * @throws {XmlSyntaxError} when it is not well-formed, or a prefix is bound to no namespace; the place is that in the piece
 */
export function parseFragment(text: string, around: FindNamespace): XmlFragment {
  const scan = startScan(readInput(text, XML_LIMITS.bytes), XML_LIMITS, around);
  const top: Top = { kind: "fragment", nodes: [], processingInstructions: [] };
  scanNodes(scan, top);
  return top;
}

function startScan(text: string, limits: ParseLimits, around?: FindNamespace): Scan {
  const forbidden = indexOfForbiddenCharacter(text);
  if (forbidden !== -1) {
    const code = text.charCodeAt(forbidden).toString(16).toUpperCase().padStart(4, "0");
    fail({ text }, `it holds the character U+${code}, which XML does not allow`, forbidden);
  }
  const record: Readonly<Record<string, string>> = Object.freeze(Object.create(null));
  const nothing = { record, list: [] };
  return {
    text,
    limits,
    around,
    namespaces: new Map(),
    open: [],
    names: new Map(),
    nothing,
    at: 0,
    nodeCount: 0,
    attributeCount: 0,
  };
}

function scanDeclaration(scan: Scan): XmlDeclaration | null {
  if (scan.text.startsWith("\uFEFF")) scan.at = 1;
  const start = scan.at;
  if (!/^<\?xml[ \t\r\n]/.test(scan.text.slice(start, start + 6))) return null;
  DECLARATION.lastIndex = start;
  const match = DECLARATION.exec(scan.text);
  if (match === null) fail(scan, "its XML declaration is not well-formed", start);
  const [, , version = "", , encoding, , standalone] = match;
  if (encoding !== undefined) checkEncoding(scan, encoding, start);
  scan.at = DECLARATION.lastIndex;
  return {
    type: "declaration",
    version,
    ...(encoding === undefined ? {} : { encoding }),
    ...(standalone === "yes" || standalone === "no" ? { standalone } : {}),
    ...positionAt(scan.text, start),
    span: { start, end: scan.at },
  };
}

/** A document in ASCII is one in UTF-8 too, as long as it keeps to ASCII. */
function checkEncoding(scan: Scan, encoding: string, offset: number): void {
  if (/^utf-?8$/i.test(encoding)) return;
  if (!/^(?:us-)?ascii$/i.test(encoding)) {
    fail(scan, `it is declared to be in "${encoding}", and only UTF-8 is read`, offset);
  }
  const other = scan.text.slice(offset).search(/[^\0-\x7F]/);
  if (other !== -1) fail(scan, `it is declared to be in "${encoding}" and holds other characters`, offset + other);
}

function isElement(node: XmlNode): node is XmlElement {
  return node.type === "element";
}
