/**
 * Expected texts and values with placeholders: `[WILDCARD]` matches anything, `[LINE]` anything within a line,
 * `[NUMBER]` digits, `[VERSION]` a version of the product.
 * @module
 */

const PLACEHOLDERS: Readonly<Record<string, string>> = {
  "[WILDCARD]": "[^]*",
  "[LINE]": "[^\\n]*",
  "[NUMBER]": "[0-9]+",
  "[VERSION]": "[0-9]+\\.[0-9]+\\.[0-9]+(?:[-+][0-9A-Za-z.+-]*[0-9A-Za-z])?",
};

/** Returns whether a text matches an expected text. */
export function matchesText(actual: string, expected: string): boolean {
  const source = expected.split(/(\[WILDCARD\]|\[LINE\]|\[NUMBER\]|\[VERSION\])/)
    .map((part) => PLACEHOLDERS[part] ?? part.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&"))
    .join("");
  return new RegExp(`^${source}$`).test(actual);
}

/**
 * Prepares `actual` for an equality comparison with `expected`: a placeholder replaces what it matches, and fields that
 * an expected object does not have are left out.
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
