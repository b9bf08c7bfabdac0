/**
 * Values between the text and the tree: decoding references and line ends, and escaping for the place a value goes to.
 * @module
 */

import { XmlLimitError } from "./limit_error.ts";
import { XML_LIMITS } from "./limits.ts";

/** Where in a document a value is; each place has its own rules. */
export type Place = "attribute" | "text" | "cdata";

/** One unit of a value: the raw text from `start` to `end` (in the raw value) means `value`. */
export interface Piece {
  readonly value: string;
  readonly start: number;
  readonly end: number;
}

const SPECIAL = {
  attribute: /&[^;&]*;?|\r\n?|[\t\n]/g,
  text: /&[^;&]*;?|\r\n?/g,
  cdata: /\r\n?|\]\]><!\[CDATA\[/g,
} as const;
const ENTITIES: Readonly<Record<string, string>> = {
  "&amp;": "&",
  "&lt;": "<",
  "&gt;": ">",
  "&quot;": '"',
  "&apos;": "'",
};
const REFERENCE_LENGTH_MAX = 100;
const CHARACTER_REFERENCE = /^&#(?:([0-9]+)|x([0-9A-Fa-f]+));$/;

/**
 * Decodes a raw value.
 *
 * @throws whatever `fail` throws, called with what is wrong and its offset in the raw value
 */
export function decodeValue(raw: string, place: Place, fail: (message: string, offset: number) => never): string {
  return convert(
    raw,
    cutBetweenSpecials,
    (piece, start) =>
      piece.replace(
        SPECIAL[place],
        (special: string, offset: number): string =>
          decodeSpecial(special, place) ?? fail(describeReference(special), start + offset),
      ),
  );
}

/** A text with every line end as `\n`. */
export function normaliseLineEnds(text: string): string {
  if (!text.includes("\r")) return text;
  return convert(text, cutBetweenSpecials, (piece) => piece.replace(/\r\n?/g, "\n"));
}

/** Finding many things in a text at once takes many times its memory, so a long one is converted piece by piece. */
const PIECE_LENGTH = 16_384;
const CDATA_JOINT = "]]><![CDATA[";

/**
 * Converts a text piece by piece.
 *
 * @param cut a place at or behind an offset where the text can be cut
 * @throws {XmlLimitError} when the result is longer than any document
 */
function convert(
  text: string,
  cut: (text: string, offset: number) => number,
  convertPiece: (piece: string, start: number) => string,
): string {
  if (text.length <= PIECE_LENGTH) return convertPiece(text, 0);
  const pieces: string[] = [];
  let length = 0;
  for (let start = 0; start < text.length;) {
    const end = start + PIECE_LENGTH < text.length ? cut(text, start + PIECE_LENGTH) : text.length;
    const piece = convertPiece(text.slice(start, end), start);
    length += piece.length;
    if (length > XML_LIMITS.bytes) throw new XmlLimitError(`A value is longer than ${XML_LIMITS.bytes} characters`);
    pieces.push(piece);
    start = end;
  }
  return pieces.join("");
}

/** Behind a reference, a line end or the marks between two CDATA sections that the offset would cut. */
function cutBetweenSpecials(text: string, offset: number): number {
  const start = offset - PIECE_LENGTH;
  const piece = text.slice(start, offset + CDATA_JOINT.length - 1);
  const joint = start + piece.lastIndexOf(CDATA_JOINT);
  if (joint >= start && joint < offset && joint + CDATA_JOINT.length > offset) return joint + CDATA_JOINT.length;
  if (text[offset - 1] === "\r" && text[offset] === "\n") return offset + 1;
  const reference = piece.lastIndexOf("&", PIECE_LENGTH - 1);
  const end = reference === -1 ? -1 : text.indexOf(";", start + reference);
  return end >= offset ? end + 1 : offset;
}

/** The pieces of a raw value that is known to be sound, in order: what is special one by one, the rest in runs. */
export function* rawPieces(raw: string, place: Place): Generator<Piece> {
  let at = 0;
  for (const match of raw.matchAll(SPECIAL[place])) {
    const end = match.index + match[0].length;
    if (match.index > at) yield { value: raw.slice(at, match.index), start: at, end: match.index };
    yield { value: decodeSpecial(match[0], place) ?? match[0], start: match.index, end };
    at = end;
  }
  if (raw.length > at) yield { value: raw.slice(at), start: at, end: raw.length };
}

function decodeSpecial(special: string, place: Place): string | undefined {
  if (special.startsWith("]")) return "";
  if (!special.startsWith("&")) return place === "attribute" ? " " : "\n";
  const entity = ENTITIES[special];
  if (entity !== undefined) return entity;
  const match = CHARACTER_REFERENCE.exec(special);
  if (match === null) return undefined;
  const code = match[1] === undefined ? parseInt(match[2] ?? "", 16) : parseInt(match[1], 10);
  return isCharacter(code) ? String.fromCodePoint(code) : undefined;
}

function isCharacter(code: number): boolean {
  return code === 0x9 || code === 0xA || code === 0xD || (code >= 0x20 && code <= 0xD7FF) ||
    (code >= 0xE000 && code <= 0xFFFD) || (code >= 0x10000 && code <= 0x10FFFF);
}

function describeReference(reference: string): string {
  if (reference.length > REFERENCE_LENGTH_MAX) return `an "&" begins no entity and must be written "&amp;"`;
  if (/^&[^\s;&<#]+;$/.test(reference)) return `the entity "${reference}" is not defined`;
  if (CHARACTER_REFERENCE.test(reference)) return `"${reference}" stands for a character that XML does not allow`;
  return 'an "&" begins no entity and must be written "&amp;"';
}

/** Escapes a value for an attribute between the given quotes. */
export function encodeAttribute(value: string, quote: string): string {
  return convert(value, cutAnywhere, (piece) =>
    piece.replace(/[&<"'\t\n\r]/g, (character) => {
      switch (character) {
        case "&":
          return "&amp;";
        case "<":
          return "&lt;";
        case '"':
          return quote === '"' ? "&quot;" : '"';
        case "'":
          return quote === "'" ? "&apos;" : "'";
        default:
          return `&#${character.charCodeAt(0)};`;
      }
    }));
}

/** Escapes a value for text between tags. */
export function encodeText(value: string): string {
  return convert(
    value,
    cutAnywhere,
    (piece) => piece.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll("\r", "&#13;"),
  );
}

/** Writes a value for the inside of a CDATA section, which is left and opened again around what it cannot hold. */
export function encodeCData(value: string): string {
  return convert(
    value,
    cutBehindBrackets,
    (piece) => piece.replaceAll("]]>", "]]]]><![CDATA[>").replaceAll("\r", "]]>&#13;<![CDATA["),
  );
}

function cutAnywhere(_text: string, offset: number): number {
  return offset;
}

function cutBehindBrackets(text: string, offset: number): number {
  let end = offset;
  while (text[end - 1] === "]" || text[end - 1] === ">") end += 1;
  return Math.min(end, text.length);
}
