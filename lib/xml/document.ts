/**
 * Reads XML 1.0 with namespaces, strictly: text or UTF-8 bytes in, a tree with places out.
 *
 * No document type, no entity but the five of XML itself, and limits on everything: whoever wrote the document, reading
 * it takes bounded time and memory and touches no file. The open elements are data, so no depth exhausts the stack.
 * @module
 */

import { readInput } from "./input.ts";
import { indexOfForbiddenCharacter } from "./names.ts";
import { fail, type ParseLimits, type Scan } from "./scan.ts";
import { scanNodes, type Top } from "./scan_nodes.ts";
import { positionAt } from "./syntax_error.ts";
import type { XmlComment, XmlDeclaration, XmlDocument, XmlElement, XmlNode, XmlProcessingInstruction } from "./tree.ts";

export type { ParseLimits } from "./scan.ts";

/** What a document may be when the caller says nothing else. A tree of that many nodes takes less than 100 MB. */
export const PARSE_LIMITS: ParseLimits = {
  maxBytes: 8 * 1024 * 1024,
  maxDepth: 200,
  maxAttributes: 256,
  maxAttributesInAll: 50_000,
  maxNodes: 100_000,
};

const DECLARATION =
  /<\?xml[ \t\r\n]+version[ \t\r\n]*=[ \t\r\n]*(["'])(1\.[0-9]+)\1(?:[ \t\r\n]+encoding[ \t\r\n]*=[ \t\r\n]*(["'])([A-Za-z][\w.-]*)\3)?(?:[ \t\r\n]+standalone[ \t\r\n]*=[ \t\r\n]*(["'])(yes|no)\5)?[ \t\r\n]*\?>/y;

/**
 * Parses a document, given as text or as UTF-8 bytes.
 *
 * @throws {XmlSyntaxError} when it is not well-formed, has a document type, or is more than the limits allow
 */
export function parseDocument(input: string | Uint8Array, limits: Partial<ParseLimits> = {}): XmlDocument {
  const allLimits = { ...PARSE_LIMITS, ...limits };
  const scan = startScan(readInput(input, allLimits.maxBytes), allLimits);
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
 * @param namespaces those in force there, by prefix; the default namespace by the empty prefix
 * @throws {XmlSyntaxError} when it is not well-formed; the place is that in the piece
 */
export function parseFragment(text: string, namespaces: ReadonlyMap<string, string>): XmlFragment {
  const scan = startScan(readInput(text, PARSE_LIMITS.maxBytes), PARSE_LIMITS);
  for (const [prefix, uri] of namespaces) scan.namespaces.set(prefix, [uri]);
  const top: Top = { kind: "fragment", nodes: [], processingInstructions: [] };
  scanNodes(scan, top);
  return top;
}

function startScan(text: string, limits: ParseLimits): Scan {
  const forbidden = indexOfForbiddenCharacter(text);
  if (forbidden !== -1) {
    const code = text.charCodeAt(forbidden).toString(16).toUpperCase().padStart(4, "0");
    fail({ text }, `it holds the character U+${code}, which XML does not allow`, forbidden);
  }
  const record: Readonly<Record<string, string>> = Object.freeze(Object.create(null));
  const nothing = { record, list: Object.freeze([]) };
  return {
    text,
    limits,
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
  if (encoding !== undefined && !/^(?:utf-?8|us-ascii)$/i.test(encoding)) {
    fail(scan, `it is declared to be in "${encoding}", and only UTF-8 is read`, start);
  }
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

function isElement(node: XmlNode): node is XmlElement {
  return node.type === "element";
}
