/**
 * From bytes to text, under a limit.
 * @module
 */

import { positionAt, XmlSyntaxError } from "./syntax_error.ts";

/**
 * The text of an input, with its byte order mark, so that offsets are those of the original.
 *
 * @throws {XmlSyntaxError} when it is more than `maxBytes`, or bytes that are not UTF-8
 */
export function readInput(input: string | Uint8Array, maxBytes: number): string {
  if (typeof input === "string") {
    if (isLonger(input, maxBytes)) failTooLong(new TextEncoder().encode(input.slice(0, maxBytes)), maxBytes);
    return input;
  }
  if (input.length > maxBytes) failTooLong(input, maxBytes);
  try {
    return decode(input, false);
  } catch {
    const before = decode(input.subarray(0, validLength(input)), true);
    throw new XmlSyntaxError("Cannot parse the XML: it is not UTF-8", positionAt(before, before.length));
  }
}

function isLonger(text: string, maxBytes: number): boolean {
  if (text.length > maxBytes) return true;
  // No code unit takes more than three bytes.
  return text.length * 3 > maxBytes && new TextEncoder().encode(text).length > maxBytes;
}

function failTooLong(bytes: Uint8Array, maxBytes: number): never {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  const beginning = decoder.decode(bytes.subarray(0, maxBytes), { stream: true });
  const message = `Cannot parse the XML: it is longer than ${maxBytes} bytes`;
  throw new XmlSyntaxError(message, positionAt(beginning, beginning.length));
}

function decode(bytes: Uint8Array, stream: boolean): string {
  return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes, { stream });
}

/** How many bytes from the start are sound: the decoder does not say where it failed, so it is asked by halving. */
function validLength(bytes: Uint8Array): number {
  let sound = 0;
  let broken = bytes.length;
  while (broken - sound > 1) {
    const middle = (sound + broken) >> 1;
    try {
      decode(bytes.subarray(0, middle), true);
      sound = middle;
    } catch {
      broken = middle;
    }
  }
  return sound;
}
