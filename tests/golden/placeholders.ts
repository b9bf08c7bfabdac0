/**
 * Expected texts and values with placeholders: `[WILDCARD]` stands for anything, `[LINE]` for anything within a line,
 * `[NUMBER]` for digits, `[VERSION]` for a version of the product.
 * @module
 */

const PLACEHOLDERS: Readonly<Record<string, string>> = {
  "[WILDCARD]": "[^]*",
  "[LINE]": "[^\\n]*",
  "[NUMBER]": "[0-9]+",
  "[VERSION]": "[0-9]+\\.[0-9]+\\.[0-9]+(?:[-+][0-9A-Za-z.+-]*[0-9A-Za-z])?",
};

/** Tells whether a text is what is expected. */
export function matchesText(actual: string, expected: string): boolean {
  const source = expected.split(/(\[WILDCARD\]|\[LINE\]|\[NUMBER\]|\[VERSION\])/)
    .map((part) => PLACEHOLDERS[part] ?? part.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&"))
    .join("");
  return new RegExp(`^${source}$`).test(actual);
}

/**
 * Gives `actual` as it is to be compared with `expected` for equality: where a placeholder matches, the placeholder
 * stands for what it matched, and fields of an object that are not expected are left out.
 */
export function withPlaceholders(actual: unknown, expected: unknown): unknown {
  if (actual === undefined) return actual;
  if (typeof expected === "string") {
    return matchesText(typeof actual === "string" ? actual : JSON.stringify(actual), expected) ? expected : actual;
  }
  if (Array.isArray(expected) && Array.isArray(actual)) {
    return actual.map((item, index) => withPlaceholders(item, expected[index]));
  }
  if (isRecord(expected) && isRecord(actual)) {
    return Object.fromEntries(
      Object.keys(expected).map((key) => [key, withPlaceholders(actual[key], expected[key])]),
    );
  }
  return actual;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
