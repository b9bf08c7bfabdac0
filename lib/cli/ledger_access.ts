/**
 * The ledger, opened for a person: what is wrong with it is told in one line.
 * @module
 */
import type { Work } from "../ledger/work.ts";
import { LEDGER_DIRECTORY, RUN_DIRECTORY } from "../ledger/layout.ts";
import { type Ledger, type Look, lookAtLedger, openLedger } from "../ledger/ledger.ts";
import { LedgerError } from "../ledger/ledger_error.ts";
import type { Lookout } from "../ledger/survey.ts";
import type { Sys } from "../sys/sys.ts";
import { CommandError } from "./subcommand.ts";

/** A person may wait for a hook that is at it, but not for ever. */
const PATIENCE_MS = 300_000;

/**
 * Opens the ledger to work on it; `undefined` where there is none.
 * @throws {CommandError} when it cannot be used
 */
export async function openForWork(sys: Sys): Promise<Ledger | undefined> {
  return await told(() => openLedger(sys, { make: false }));
}

/**
 * Opens the ledger to look at it.
 * @throws {CommandError} when it cannot be used
 */
export async function openForLook(sys: Sys): Promise<Look> {
  return await told(() => lookAtLedger(sys));
}

/** What working on the ledger takes. */
export function workOn({ notes }: Ledger, sys: Sys): Work {
  return { sys, notes, deadlineMs: patienceEnd(sys), mayWait: true };
}

/** What looking at the ledger takes. */
export function lookoutOn({ notes }: Ledger, sys: Sys): Lookout {
  return { sys, notes, looksOnly: true };
}

/** When nothing is waited for any more, in milliseconds since the program started. */
export function patienceEnd(sys: Pick<Sys, "elapsedMs">): number {
  return sys.elapsedMs() + PATIENCE_MS;
}

/**
 * Does something with the ledger.
 * @throws {CommandError} when it cannot be used
 */
export async function told<Result>(open: () => Promise<Result>): Promise<Result> {
  try {
    return await open();
  } catch (error) {
    if (!(error instanceof LedgerError)) throw error;
    throw new CommandError(error.message, { hint: `see: ls -ld ${RUN_DIRECTORY} ${LEDGER_DIRECTORY}` });
  }
}
