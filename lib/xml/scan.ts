/**
 * Where the reading of a document stands: the text, the limits, the open elements, the namespaces in force.
 * @module
 */

import { positionAt, XmlSyntaxError } from "./syntax_error.ts";
import type { XmlAttribute, XmlElement, XmlName, XmlNode, XmlProcessingInstruction } from "./tree.ts";

/** How much a document may be. What is more is refused, so that time and memory have an end. */
export interface ParseLimits {
  readonly maxBytes: number;
  readonly maxDepth: number;
  /** Of one element. */
  readonly maxAttributes: number;
  readonly maxAttributesInAll: number;
  /** Elements, texts, CDATA sections, comments and processing instructions. */
  readonly maxNodes: number;
}

/** An element while it is read. */
export interface ElementDraft extends XmlElement {
  readonly children: XmlNode[];
  readonly processingInstructions: XmlProcessingInstruction[];
  readonly span: { readonly start: number; end: number };
  endTag: { readonly start: number; readonly end: number } | null;
}

/** The state of one reading. */
export interface Scan {
  readonly text: string;
  readonly limits: ParseLimits;
  /** The URIs a prefix is bound to, the innermost last; the default namespace is that of the empty prefix. */
  readonly namespaces: Map<string, string[]>;
  readonly open: ElementDraft[];
  /** Names by how they are written. */
  readonly names: Map<string, XmlName>;
  /** What elements without attributes share. */
  readonly nothing: { readonly record: Readonly<Record<string, string>>; readonly list: readonly never[] };
  at: number;
  nodeCount: number;
  attributeCount: number;
}

export const XML_NAMESPACE = "http://www.w3.org/XML/1998/namespace";

/** @throws {XmlSyntaxError} always, with the place of `offset` */
export function fail(scan: Pick<Scan, "text">, message: string, offset: number): never {
  throw new XmlSyntaxError(`Cannot parse the XML: ${message}`, positionAt(scan.text, offset));
}

/** Notes one more node. */
export function countNode(scan: Scan, offset: number): void {
  scan.nodeCount += 1;
  if (scan.nodeCount > scan.limits.maxNodes) {
    fail(scan, `it has more than ${scan.limits.maxNodes} elements, texts and comments`, offset);
  }
}

/** Puts the namespaces that a start tag declares in force. */
export function declareNamespaces(scan: Scan, attributes: readonly XmlAttribute[]): void {
  for (const attribute of attributes) {
    const prefix = declaredPrefix(attribute);
    if (prefix === null) continue;
    const problem = declarationProblem(prefix, attribute.value);
    if (problem !== null) fail(scan, problem, attribute.span.start);
    const uris = scan.namespaces.get(prefix);
    if (uris === undefined) scan.namespaces.set(prefix, [attribute.value]);
    else uris.push(attribute.value);
  }
}

/** Takes the namespaces that an element declared out of force, at its end. */
export function undeclareNamespaces(scan: Scan, attributes: readonly XmlAttribute[]): void {
  for (const attribute of attributes) {
    const prefix = declaredPrefix(attribute);
    if (prefix !== null) scan.namespaces.get(prefix)?.pop();
  }
}

/** The name with the namespace it belongs to here. */
export function resolveName(scan: Scan, name: XmlName, offset: number, kind: "element" | "attribute"): XmlName {
  const { raw, local, prefix } = name;
  if (prefix === undefined) {
    const uri = kind === "element" ? scan.namespaces.get("")?.at(-1) : undefined;
    return uri === undefined || uri === "" ? name : { raw, local, uri };
  }
  // As in the standard library's tree, a declaration belongs to no namespace.
  if (prefix === "xmlns" && kind === "attribute") return name;
  const uri = prefix === "xml" ? XML_NAMESPACE : scan.namespaces.get(prefix)?.at(-1);
  if (uri === undefined) fail(scan, `the prefix "${prefix}" of "${raw}" is bound to no namespace`, offset);
  return { raw, local, prefix, uri };
}

function declaredPrefix({ name }: XmlAttribute): string | null {
  if (name.raw === "xmlns") return "";
  return name.prefix === "xmlns" ? name.local : null;
}

function declarationProblem(prefix: string, uri: string): string | null {
  if (prefix === "xmlns" || uri === "http://www.w3.org/2000/xmlns/") return 'the prefix "xmlns" cannot be declared';
  if ((prefix === "xml") !== (uri === XML_NAMESPACE)) return 'the prefix "xml" and its namespace belong to each other';
  if (prefix !== "" && uri === "") return `the prefix "${prefix}" cannot be bound to an empty namespace`;
  return null;
}
