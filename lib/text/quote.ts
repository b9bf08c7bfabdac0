/**
 * Text for one line of a terminal, a log or a history entry.
 * @module
 */

/** Quotes text that a reader could take for more than one word, with control characters escaped. */
export function quote(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `"${visible(text).replaceAll('"', '\\"')}"`;
}

/**
 * Controls (C0, DEL, C1), line and paragraph separators, halves of surrogate pairs, and what shows nothing or turns the
 * direction of text: soft hyphen, zero-width characters, bidirectional controls, tags.
 */
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\u034f\u115f\u1160\u3164\uffa0]/gu;

/** Escapes every character that shows nothing, or ends the line, as `\xNN`, `\uNNNN` or `\u{N…}`. */
export function visible(text: string): string {
  return text.replace(INVISIBLE, (character) => {
    const code = character.codePointAt(0) ?? 0;
    if (code < 0x100) return `\\x${code.toString(16).padStart(2, "0")}`;
    return code < 0x10000 ? unicodeEscape(code) : `\\u{${code.toString(16)}}`;
  });
}

/** Escapes the same characters in JSON text as `\uNNNN`; the JSON keeps its value. */
export function visibleJson(json: string): string {
  return json.replace(
    INVISIBLE,
    (character) =>
      Array.from({ length: character.length }, (_, at) => unicodeEscape(character.charCodeAt(at))).join(""),
  );
}

function unicodeEscape(code: number): string {
  return `\\u${code.toString(16).padStart(4, "0")}`;
}
