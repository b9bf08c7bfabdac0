/**
 * What tools print as JSON.
 * @module
 */
import * as v from "valibot";

/** JSON of one shape; `undefined` for any other text. */
export function parseJson<Output>(schema: v.GenericSchema<unknown, Output>, text: string): Output | undefined {
  try {
    const result = v.safeParse(schema, JSON.parse(text));
    return result.success ? result.output : undefined;
  } catch {
    // Not JSON at all.
    return undefined;
  }
}
