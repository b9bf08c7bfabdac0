/**
 * What this product is composed of. Entry points pass it on; no other module imports it.
 * @module
 */
import type { Kinds } from "./resources/kinds.ts";
import { builtinKinds } from "./resources/registry.ts";

/** The kinds of resources. */
export const builtin: { readonly kinds: Kinds } = { kinds: builtinKinds };
