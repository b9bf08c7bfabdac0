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

/** Turns an offset into line and column. `\n`, `\r\n` and a lone `\r` end a line; a byte order mark has no column. */
export function positionAt(text: string, offset: number): XmlPosition {
  let line = 1;
  let lineStart = text.startsWith("\uFEFF") ? 1 : 0;
  for (const end of text.slice(0, offset).matchAll(/\r\n?|\n/g)) {
    line += 1;
    lineStart = end.index + end[0].length;
  }
  return { line, column: Math.max(0, offset - lineStart) + 1, offset };
}
