/**
 * What this program is called and which version it is.
 * @module
 */

/** The name in front of every message. */
export const PRODUCT = "virt-hooks";
/** The version. It is written in `deno.json` alone: the build puts it in the place of this one, that of the sources. */
export const VERSION = "0.0.0-source";
