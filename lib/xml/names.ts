/**
 * Names in XML, and which characters a document may hold.
 * @module
 */

// Most names are ASCII, and the short expressions are several times faster than the full ones.
const ASCII_NAME = /^[A-Za-z_][\w.-]*(?::[A-Za-z_][\w.-]*)?$/;
const ASCII_PART = /^[A-Za-z_][\w.-]*$/;
const PART =
  /^[A-Z_a-z\u{C0}-\u{D6}\u{D8}-\u{F6}\u{F8}-\u{2FF}\u{370}-\u{37D}\u{37F}-\u{1FFF}\u{200C}-\u{200D}\u{2070}-\u{218F}\u{2C00}-\u{2FEF}\u{3001}-\u{D7FF}\u{F900}-\u{FDCF}\u{FDF0}-\u{FFFD}\u{10000}-\u{EFFFF}][-.0-9A-Z_a-z\u{B7}\u{C0}-\u{D6}\u{D8}-\u{F6}\u{F8}-\u{37D}\u{37F}-\u{1FFF}\u{200C}-\u{200D}\u{203F}-\u{2040}\u{2070}-\u{218F}\u{2C00}-\u{2FEF}\u{3001}-\u{D7FF}\u{F900}-\u{FDCF}\u{FDF0}-\u{FFFD}\u{10000}-\u{EFFFF}]*$/u;
// Control characters are what is looked for here.
// deno-lint-ignore no-control-regex
const FORBIDDEN_CHARACTER = /[\x00-\x08\x0B\x0C\x0E-\x1F\uFFFE\uFFFF]/;

/** Whether a text is a name without a colon. */
export function isNamePart(text: string): boolean {
  return ASCII_PART.test(text) || PART.test(text);
}

/** Whether a text is a name with at most one colon, with a name on either side of it. */
export function isName(text: string): boolean {
  if (ASCII_NAME.test(text)) return true;
  const colon = text.indexOf(":");
  return colon === -1 ? PART.test(text) : PART.test(text.slice(0, colon)) && PART.test(text.slice(colon + 1));
}

/** The offset of the first character that no XML document may hold, -1 if there is none. */
export function indexOfForbiddenCharacter(text: string): number {
  const control = text.search(FORBIDDEN_CHARACTER);
  if (text.isWellFormed()) return control;
  const surrogate = text.search(/\p{Surrogate}/u);
  return control === -1 ? surrogate : Math.min(control, surrogate);
}
