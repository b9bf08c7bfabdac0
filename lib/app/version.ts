/**
 * What this program is called and which version it is: the one in `deno.json`, which a test compares.
 * @module
 */

/** The name in front of every message. */
export const PRODUCT = "virt-hooks";
/** The version. */
export const VERSION = "0.1.0";
