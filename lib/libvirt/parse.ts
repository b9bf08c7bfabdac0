/**
 * Documents of libvirt, parsed under limits of their own.
 * @module
 */
import { parseDocument, type ParseLimits } from "../xml/document.ts";
import type { XmlDocument } from "../xml/tree.ts";

/** A guest with a hundred devices has 2,000 nodes; a hook has a small heap, and several trees of a document in it. */
const LIMITS: Partial<ParseLimits> = { maxNodes: 20_000, maxAttributesInAll: 20_000 };

/**
 * Parses a document that libvirt sent, or one that shall take its place.
 * @throws {XmlSyntaxError} when it is not well-formed, or larger than any guest's
 */
export function parseLibvirtDocument(input: string | Uint8Array): XmlDocument {
  return parseDocument(input, LIMITS);
}
