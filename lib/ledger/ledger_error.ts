/**
 * What goes wrong with the ledger itself.
 * @module
 */

/** The ledger, or a part of it, cannot be used: something in its place is not ours. */
export class LedgerError extends Error {
  override readonly name = "LedgerError";
}

/** What an error says, whatever was thrown. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
