/**
 * "One of these names" in what a mistake expected, written and read back, so that the nearest name can be offered.
 * @module
 */

/** `what: a, b, c`. */
export function listing(what: string, names: readonly string[]): string {
  return `${what}: ${names.join(", ")}`;
}

/** The names in a text made by {@linkcode listing}; none for any other text. */
export function listedNames(text: string): readonly string[] {
  const [, names] = /^one of [^:]*: (.+)$/.exec(text) ?? [];
  return names?.split(", ") ?? [];
}
