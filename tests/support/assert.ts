/**
 * The assertions of the standard library, with types.
 * @module
 */
// @ts-types="./std_assert.d.ts"
export { assert, assertEquals, assertMatch, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
