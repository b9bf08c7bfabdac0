/**
 * The ledger, opened for a person: an error is printed in one line.
 * @module
 */
import type { Host } from "../resources/kinds.ts";
import type { ConvergeContext } from "../ledger/converge.ts";
import { LEDGER_DIRECTORY, RUN_DIRECTORY } from "../ledger/layout.ts";
import { inspectLedger, type Ledger, type LedgerView, openLedger } from "../ledger/ledger.ts";
import { LedgerError } from "../ledger/file.ts";
import type { ReadOnlyLedger } from "../ledger/inspect.ts";
import type { Sys } from "../sys/sys.ts";
import { CommandError } from "./subcommand.ts";

/** A person may wait for a hook that is at it, but not for ever. */
const PATIENCE_MS = 300_000;

/**
 * Opens the ledger to work on it; `undefined` where there is none.
 * @throws {CommandError} when it cannot be used
 */
export async function openForUpdate(sys: Sys): Promise<Ledger | undefined> {
  return await withLedgerErrors(() => openLedger(sys, { make: false }));
}

/**
 * Opens the ledger to look at it.
 * @throws {CommandError} when it cannot be used
 */
export async function openReadOnly(sys: Sys): Promise<LedgerView> {
  return await withLedgerErrors(() => inspectLedger(sys));
}

/** What working on the ledger takes. */
export function convergeContext({ notes }: Pick<Ledger, "notes">, { kinds, sys }: Host): ConvergeContext {
  return { kinds, sys, notes, deadlineMs: patienceEnd(sys), mayWait: true };
}

/** What looking at the ledger takes. */
export function readOnlyLedger({ notes }: Ledger, { kinds, sys }: Host): ReadOnlyLedger {
  return { kinds, sys, notes, looksOnly: true };
}

/** When nothing is waited for any more, in milliseconds since the program started. */
export function patienceEnd(sys: Pick<Sys, "elapsedMs">): number {
  return sys.elapsedMs() + PATIENCE_MS;
}

/**
 * Does something with the ledger.
 * @throws {CommandError} when it cannot be used
 */
export async function withLedgerErrors<Result>(open: () => Promise<Result>): Promise<Result> {
  try {
    return await open();
  } catch (error) {
    if (!(error instanceof LedgerError)) throw error;
    throw new CommandError(error.message, { hint: `see: ls -ld ${RUN_DIRECTORY} ${LEDGER_DIRECTORY}` });
  }
}
