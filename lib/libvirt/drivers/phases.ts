/**
 * The phases of a life, as far as operations share their facts.
 * @module
 */

/** Milliseconds. */
export const SECOND = 1000;

/** A guest (or a network) that does not exist yet. */
export const starting = { subOperation: "begin", onFailure: "aborts", filter: false } as const;
/** A guest that runs already. */
export const alive = { subOperation: "begin", onFailure: "kills", filter: false } as const;
/** What is gone cannot be refused. */
export const ending = { subOperation: "end", onFailure: "ignored", filter: false } as const;
/** libvirt goes on with what we print. */
export const filtering = {
  subOperation: "begin",
  verb: "filter",
  lifetimes: [],
  onFailure: "aborts",
  filter: true,
} as const;
