/**
 * The values of a document, each with its secrets, and the way from a value back to its bytes.
 * @module
 */

import { isNamespaceDeclaration, type XmlDocument, type XmlElement, type XmlNode } from "../xml/tree.ts";
import { type Piece, type Place, rawPieces } from "../xml/value.ts";
import { isNamed } from "./elements.ts";
import { type SecretPlace, secretPlaces, secretsInComment } from "./secret_places.ts";
import type { Stretch } from "./stretches.ts";

/** A value: of an attribute, of an element's own text, of a comment or a processing instruction. */
export interface DocumentValue {
  /** Decoded. */
  readonly text: string;
  /** The secrets in it, in no order; they can overlap. */
  readonly secrets: readonly Stretch[];
  /** Where it is; an element's text can be in pieces. */
  readonly parts: readonly ValuePart[];
}

interface ValuePart {
  /** In the document. */
  readonly start: number;
  readonly raw: string;
  readonly text: string;
  /** `verbatim`: the text is not decoded. */
  readonly place: Place | "verbatim";
}

interface ValueWalk {
  readonly document: XmlDocument;
  readonly values: DocumentValue[];
}

/** What is known of the elements above. */
interface Above {
  readonly inMetadata: boolean;
  /** Places whose texts include those of the elements in them. */
  readonly textPlaces: readonly SecretPlace[];
}

/** A longer value that may hold secrets is one secret. No program takes options as long. */
const SEARCHED_LENGTH_MAX = 131_072;
const CDATA_START = "<![CDATA[".length;
const CDATA_END = "]]>".length;
const COMMENT_START = "<!--".length;
const COMMENT_END = "-->".length;

/** All values of a document but the namespaces it declares. */
export function documentValues(document: XmlDocument): readonly DocumentValue[] {
  const walk: ValueWalk = { document, values: [] };
  for (const node of document.outside) addVerbatim(walk, node);
  walkElement(walk, document.root, { inMetadata: false, textPlaces: [] });
  return walk.values;
}

/**
 * The stretches of a document in which stretches of a value stand.
 *
 * @param stretches in order, none touching another
 */
export function stretchesInDocument(value: DocumentValue, stretches: readonly Stretch[]): readonly Stretch[] {
  const found: Stretch[] = [];
  let next = 0;
  let offset = 0;
  for (const part of value.parts) {
    let from: number | undefined;
    for (const piece of piecesOf(part)) {
      const after = offset + piece.value.length;
      // A piece that is not as long as its value is one reference, one line end: it is hidden as a whole.
      const isPlain = piece.value.length === piece.end - piece.start;
      for (let stretch = stretches[next]; stretch !== undefined && stretch.start < after; stretch = stretches[next]) {
        from ??= part.start + piece.start + (isPlain ? Math.max(stretch.start - offset, 0) : 0);
        if (stretch.end > after) break;
        found.push({ start: from, end: part.start + (isPlain ? piece.start + stretch.end - offset : piece.end) });
        from = undefined;
        next += 1;
      }
      offset = after;
    }
    if (from !== undefined) found.push({ start: from, end: part.start + part.raw.length });
  }
  return found;
}

function walkElement(walk: ValueWalk, element: XmlElement, above: Above): void {
  const places = secretPlaces.filter((place) =>
    (above.inMetadata || place.inMetadata !== true) && place.holds(element)
  );
  for (const attribute of element.attributeNodes) {
    if (isNamespaceDeclaration(attribute)) continue;
    const { start, end } = attribute.valueSpan;
    const raw = walk.document.text.slice(start, end);
    const part: ValuePart = { start, raw, text: attribute.value, place: "attribute" };
    const holding = places.filter(({ at }) => at !== "text" && at.attributes(attribute.name.local));
    addValue(walk, [part], holding);
  }
  // Once each: an element within one of its own kind has no other secrets.
  const textPlaces = [...new Set([...above.textPlaces, ...places.filter(({ at }) => at === "text")])];
  addValue(walk, element.children.flatMap((child) => textPart(walk.document, child)), textPlaces);
  const below: Above = { inMetadata: above.inMetadata || isNamed(element, "metadata"), textPlaces };
  for (const child of element.children) {
    if (child.type === "element") walkElement(walk, child, below);
    else if (child.type === "comment") addVerbatim(walk, child);
  }
  for (const instruction of element.processingInstructions) addVerbatim(walk, instruction);
}

function addValue(walk: ValueWalk, parts: readonly ValuePart[], places: readonly SecretPlace[]): void {
  const text = parts.map((part) => part.text).join("");
  if (text === "") return;
  const isSearched = places.length === 0 || text.length <= SEARCHED_LENGTH_MAX;
  const secrets = isSearched ? places.flatMap(({ find }) => find(text)) : [{ start: 0, end: text.length }];
  walk.values.push({ text, secrets, parts });
}

function addVerbatim(walk: ValueWalk, node: XmlDocument["outside"][number]): void {
  const { start, end } = node.type === "comment"
    ? { start: node.span.start + COMMENT_START, end: node.span.end - COMMENT_END }
    : { start: node.span.start + `<?${node.target}`.length, end: node.span.end - "?>".length };
  const raw = walk.document.text.slice(start, end);
  if (raw !== "") {
    walk.values.push({
      text: raw,
      secrets: secretsInComment(raw),
      parts: [{ start, raw, text: raw, place: "verbatim" }],
    });
  }
}

function textPart(document: XmlDocument, node: XmlNode): readonly ValuePart[] {
  if (node.type !== "text" && node.type !== "cdata") return [];
  const isCData = node.type === "cdata";
  const start = node.span.start + (isCData ? CDATA_START : 0);
  const raw = document.text.slice(start, node.span.end - (isCData ? CDATA_END : 0));
  return [{ start, raw, text: node.text, place: isCData ? "cdata" : "text" }];
}

function piecesOf({ raw, text, place }: ValuePart): Iterable<Piece> {
  return place === "verbatim" ? [{ value: text, start: 0, end: raw.length }] : rawPieces(raw, place);
}
