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

/** Whether a text is a name, with any colons. */
export function isName(text: string): boolean {
  if (ASCII_NAME.test(text)) return true;
  // Every character of a name may stand behind "_".
  return (text.startsWith(":") || startsName(text)) && PART.test(`_${text.replaceAll(":", "")}`);
}

/** A name as libxml2 splits it. */
export interface SplitName {
  readonly prefix?: string;
  readonly local: string;
}

/**
 * Splits a name at its first colon, `null` if it is no name. A name that has no proper prefix stays whole, one with more
 * colons keeps them in its second half (`xmlParseQName`): libxml2 reads on where a document breaks the rules of namespaces,
 * and libvirt keeps such names in a guest's metadata.
 */
export function splitName(raw: string): SplitName | null {
  const isPlain = ASCII_NAME.test(raw);
  if (!isPlain && !isName(raw)) return null;
  const colon = raw.indexOf(":");
  if (colon === -1) return { local: raw };
  const [prefix, local] = [raw.slice(0, colon), raw.slice(colon + 1)];
  if (isPlain) return { prefix, local };
  if (prefix === "" || !startsName(local)) return { local: raw };
  const second = local.indexOf(":");
  const rest = second === -1 ? "" : local.slice(second + 1);
  return rest === "" || isName(rest) ? { prefix, local } : null;
}

function startsName(text: string): boolean {
  return PART.test(String.fromCodePoint(text.codePointAt(0) ?? 0));
}

/** The offset of the first character that no XML document may hold, -1 if there is none. */
export function indexOfForbiddenCharacter(text: string): number {
  const control = text.search(FORBIDDEN_CHARACTER);
  if (text.isWellFormed()) return control;
  const surrogate = text.search(/\p{Surrogate}/u);
  return control === -1 ? surrogate : Math.min(control, surrogate);
}
