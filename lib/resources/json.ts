/**
 * Parses the JSON output of tools.
 * @module
 */
import * as v from "valibot";

/** Parses JSON of the given schema. Returns `undefined` for any other text. */
export function parseJson<Output>(schema: v.GenericSchema<unknown, Output>, text: string): Output | undefined {
  try {
    const result = v.safeParse(schema, JSON.parse(text));
    return result.success ? result.output : undefined;
  } catch {
    // The text is not JSON.
    return undefined;
  }
}
