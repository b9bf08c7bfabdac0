/**
 * Values between the text and the tree: decoding references and line ends, and escaping for the place a value goes to.
 * @module
 */

/** Where in a document a value stands; each place has its own rules. */
export type Place = "attribute" | "text" | "cdata";

/** One unit of a value: the raw text from `start` to `end` (in the raw value) stands for `value`. */
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
  return raw.replace(SPECIAL[place], (special: string, offset: number): string => {
    return decodeSpecial(special, place) ?? fail(describeReference(special), offset);
  });
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
  return value.replace(/[&<"'\t\n\r]/g, (character) => {
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
  });
}

/** Escapes a value for text between tags. */
export function encodeText(value: string): string {
  return value.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll("\r", "&#13;");
}

/** Writes a value for the inside of a CDATA section, which is left and opened again around what it cannot hold. */
export function encodeCData(value: string): string {
  return value.replaceAll("]]>", "]]]]><![CDATA[>").replaceAll("\r", "]]>&#13;<![CDATA[");
}
