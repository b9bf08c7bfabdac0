/**
 * What goes wrong with the ledger itself.
 * @module
 */

/** The ledger, or a part of it, cannot be used: something in its place is not ours. */
export class LedgerError extends Error {
  override readonly name = "LedgerError";
}
