/** The function of `@std/yaml` that the tests use; the package has no types. */
export function parse(content: string): unknown;
