/**
 * What is thrown when a text is not the XML we read, and where that is.
 * @module
 */

import type { XmlPosition } from "./tree.ts";

/** Thrown when a text is not well-formed XML, or is more than we read. The message ends with the place. */
export class XmlSyntaxError extends SyntaxError {
  readonly line: number;
  readonly column: number;
  readonly offset: number;

  constructor(message: string, position: XmlPosition) {
    super(`${message} at line ${position.line}, column ${position.column}`);
    this.name = "XmlSyntaxError";
    this.line = position.line;
    this.column = position.column;
    this.offset = position.offset;
  }
}

/**
 * What is wrong and where, without what the text says there: a program that forgets to escape a password puts it where a name is
 * read. From the first quote to the last, since what is quoted may hold quotes itself.
 */
export function withoutNames(error: XmlSyntaxError): string {
  return error.message.replace(/".*"/s, '"…"');
}

/** Turns an offset into line and column. `\n`, `\r\n` and a lone `\r` end a line; a byte order mark has no column. */
export function positionAt(text: string, offset: number): XmlPosition {
  return positionFinder(text)(offset);
}

/** Turns offsets into lines and columns. Offsets in the order of the text cost one reading of it altogether. */
export function positionFinder(text: string): (offset: number) => XmlPosition {
  const textStart = text.startsWith("\uFEFF") ? 1 : 0;
  let [counted, line, lineStart] = [0, 1, textStart];
  return (offset) => {
    if (offset < counted) [counted, line, lineStart] = [0, 1, textStart];
    while (counted < offset) {
      const piece = text.slice(counted, Math.min(counted + COUNTED_LENGTH, offset));
      const last = Math.max(piece.lastIndexOf("\n"), piece.lastIndexOf("\r"));
      if (last !== -1) {
        // The LF of a CR LF whose CR is counted already ends no other line.
        const isSecondHalf = piece.startsWith("\n") && text[counted - 1] === "\r";
        line += lineEnds(piece) - (isSecondHalf ? 1 : 0);
        lineStart = counted + last + 1;
      }
      counted += piece.length;
    }
    return { line, column: Math.max(0, offset - lineStart) + 1, offset };
  };
}

/** So many characters are looked at together: what the engine notes of the line ends in them stays small. */
const COUNTED_LENGTH = 65_536;

function lineEnds(text: string): number {
  return text.split(text.includes("\r") ? /\r\n?|\n/ : "\n").length - 1;
}
