/**
 * What a hook was given: a guest, a network with what concerns it, or something that a newer libvirt may send.
 * @module
 */

import type { XmlDocument, XmlElement } from "../xml/tree.ts";
import { isNamed } from "./elements.ts";

/** A document by its root. */
export type DocumentKind =
  | { readonly kind: "domain"; readonly domain: XmlElement }
  | { readonly kind: "hookData"; readonly hookData: XmlElement }
  | { readonly kind: "other"; readonly root: XmlElement };

/** Tells what a document is: `<domain>` of the guests' drivers, `<hookData>` of the network driver, or another. */
export function documentKind(document: XmlDocument): DocumentKind {
  const { root } = document;
  if (isNamed(root, "domain")) return { kind: "domain", domain: root };
  if (isNamed(root, "hookData")) return { kind: "hookData", hookData: root };
  return { kind: "other", root };
}
