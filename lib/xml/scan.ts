/**
 * The progress of reading a document: the text, the limits, the open elements, the namespaces in force.
 * @module
 */

import { positionAt, XmlSyntaxError } from "./syntax_error.ts";
import type { XmlAttribute, XmlElement, XmlName, XmlNode, XmlProcessingInstruction } from "./tree.ts";

/** How much a document may be. What is more is refused, so that time and memory have an end. */
export type ParseLimits = Readonly<Record<"bytes" | "depth" | "nodes" | "attributes", number>>;

/** An element while it is read. */
export interface ElementDraft extends XmlElement {
  children: XmlNode[];
  processingInstructions: XmlProcessingInstruction[];
  span: { readonly start: number; end: number };
  endTag: { readonly start: number; readonly end: number } | null;
}

/** The URI that a prefix is bound to, the empty prefix to the default namespace. */
export type FindNamespace = (prefix: string) => string | undefined;

/** The state of one reading. */
export interface Scan {
  readonly text: string;
  readonly limits: ParseLimits;
  /** The namespace that a prefix has around a fragment, where an unbound prefix is a mistake; `undefined` for a document. */
  readonly around: FindNamespace | undefined;
  /** The URIs a prefix is bound to, the innermost last; the default namespace is that of the empty prefix. */
  readonly namespaces: Map<string, string[]>;
  readonly open: ElementDraft[];
  /** Names by how they are written. */
  readonly names: Map<string, XmlName>;
  /** What elements share that have no attributes, no children, no processing instructions. Nothing is put into it. */
  readonly nothing: { readonly record: Readonly<Record<string, string>>; readonly list: never[] };
  at: number;
  nodeCount: number;
  attributeCount: number;
}

export const XML_NAMESPACE = "http://www.w3.org/XML/1998/namespace";
const XMLNS_NAMESPACE = "http://www.w3.org/2000/xmlns/";

/** @throws {XmlSyntaxError} always, with the place of `offset` */
export function fail(scan: Pick<Scan, "text">, message: string, offset: number): never {
  throw new XmlSyntaxError(`Cannot parse the XML: ${message}`, positionAt(scan.text, offset));
}

/** A list without the room to grow that the engine gives it, which is most of the memory of a short one. */
export function compact<T>(list: T[]): T[] {
  return list.length < ROOM_TO_GROW ? list.slice() : list;
}

const ROOM_TO_GROW = 16;

/** Notes one more node. */
export function countNode(scan: Scan, offset: number): void {
  scan.nodeCount += 1;
  if (scan.nodeCount > scan.limits.nodes) {
    fail(scan, `it has more than ${scan.limits.nodes} elements, texts and comments`, offset);
  }
}

/** Puts the namespaces that a start tag declares in force. */
export function declareNamespaces(scan: Scan, attributes: readonly XmlAttribute[]): void {
  for (const attribute of attributes) {
    const prefix = declaredPrefix(attribute);
    if (prefix === null) continue;
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

/**
 * The name with the namespace it belongs to here. A prefix that is bound to none is a part of the name, as libxml2 has it
 * (`xmlSAX2StartElementNs`): libvirt keeps such names in a guest's metadata.
 */
export function resolveName(scan: Scan, name: XmlName, offset: number, kind: "element" | "attribute"): XmlName {
  const { raw, local, prefix } = name;
  if (prefix === undefined) {
    const uri = kind === "element" ? findNamespace(scan, "") : undefined;
    return uri === undefined || uri === "" ? name : { raw, local, uri };
  }
  // As in the standard library's tree, a declaration belongs to no namespace.
  if (prefix === "xmlns" && kind === "attribute") return name;
  const uri = prefix === "xml" ? XML_NAMESPACE : findNamespace(scan, prefix);
  if (uri !== undefined) return { raw, local, prefix, uri };
  if (scan.around !== undefined) fail(scan, `the prefix "${prefix}" of "${raw}" is bound to no namespace`, offset);
  return { raw, local: raw };
}

function findNamespace({ namespaces, around }: Scan, prefix: string): string | undefined {
  return namespaces.get(prefix)?.at(-1) ?? around?.(prefix);
}

/** The prefix that an attribute binds, `null` where it binds none. */
function declaredPrefix({ name, value }: XmlAttribute): string | null {
  if (name.raw !== "xmlns" && name.prefix !== "xmlns") return null;
  const prefix = name.raw === "xmlns" ? "" : name.local;
  return canBind(prefix, value) ? prefix : null;
}

/** Whether a declaration may bind a prefix to a URI. libxml2 leaves out what may not (`xmlParseStartTag2`). */
export function canBind(prefix: string, uri: string): boolean {
  if (uri === XML_NAMESPACE || uri === XMLNS_NAMESPACE) return false;
  return prefix === "" || (prefix !== "xml" && prefix !== "xmlns" && uri !== "");
}
