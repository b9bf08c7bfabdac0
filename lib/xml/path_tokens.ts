/**
 * Cuts the text of a path into tokens.
 * @module
 */

import { isNamePart } from "./names.ts";
import { PathSyntaxError } from "./path.ts";

/** A token and its offset in the path. A `name` may have a prefix and may be `prefix:*`. */
export interface Token {
  readonly kind: "name" | "literal" | "number" | "mark" | "end";
  /** As written; of a literal the text between its quotes. */
  readonly text: string;
  readonly offset: number;
}

const TOKEN =
  /[ \t\r\n]*(?:("[^"]*"|'[^']*')|(\/\/|\.\.|::|!=|<=|>=|[/@*[\]()=,|<>+$!-]|\.(?![0-9]))|([^ \t\r\n/@*[\]()=,|<>+$!:"']+)(?::(?!:)([^ \t\r\n/@*[\]()=,|<>+$!:"']+|\*))?)/y;
const LENGTH_MAX = 4096;

/**
 * The tokens of a path, the last of them of kind `end`.
 *
 * @throws {PathSyntaxError} at what begins no token
 */
export function tokenisePath(path: string): readonly Token[] {
  if (path.length > LENGTH_MAX) {
    throw new PathSyntaxError(`${path.slice(0, 60)}…`, LENGTH_MAX + 1, `it is longer than ${LENGTH_MAX} characters`);
  }
  const tokens: Token[] = [];
  const length = path.replace(/[ \t\r\n]+$/, "").length;
  let at = 0;
  while (at < length) {
    TOKEN.lastIndex = at;
    const match = TOKEN.exec(path);
    if (match === null) failAtCharacter(path, at);
    at = TOKEN.lastIndex;
    const [, literal, mark, name, local] = match;
    if (literal !== undefined) {
      tokens.push({ kind: "literal", text: literal.slice(1, -1), offset: at - literal.length });
    } else if (mark !== undefined) {
      tokens.push({ kind: "mark", text: mark, offset: at - mark.length });
    } else if (name !== undefined) {
      const text = local === undefined ? name : `${name}:${local}`;
      tokens.push({ kind: nameOrNumber(path, text, at - text.length), text, offset: at - text.length });
    }
  }
  tokens.push({ kind: "end", text: "", offset: path.length });
  return tokens;
}

function nameOrNumber(path: string, text: string, offset: number): "name" | "number" {
  if (/^[0-9]+$/.test(text)) return "number";
  const parts = text.endsWith(":*") ? [text.slice(0, -2)] : text.split(":");
  if (!parts.every(isNamePart)) throw new PathSyntaxError(path, offset + 1, `"${text}" is not a name`);
  return "name";
}

function failAtCharacter(path: string, at: number): never {
  const offset = at + path.slice(at).search(/[^ \t\r\n]/);
  const character = path.charAt(offset);
  const isQuote = character === '"' || character === "'";
  throw new PathSyntaxError(path, offset + 1, isQuote ? "a quote is not closed" : `"${character}" is not supported`);
}
