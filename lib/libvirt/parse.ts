/**
 * Documents of libvirt.
 * @module
 */
import { parseDocument } from "../xml/document.ts";
import type { XmlDocument } from "../xml/tree.ts";

/**
 * Parses a document that libvirt sent, or one that is to take its place.
 * @throws {XmlSyntaxError} when it is not well-formed, or more than the limits allow
 */
export function parseLibvirtDocument(input: string | Uint8Array): XmlDocument {
  return parseDocument(input);
}
