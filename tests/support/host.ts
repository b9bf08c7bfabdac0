/**
 * A host of a test, with the kinds of resources that the product has.
 * @module
 */
import { builtin } from "../../lib/builtin.ts";
import type { Host } from "../../lib/resources/kinds.ts";
import type { Sys } from "../../lib/sys/sys.ts";

/** Adds the built-in kinds. */
export function hostOf(sys: Sys): Host {
  return { ...builtin, sys };
}
