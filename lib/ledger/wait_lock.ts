/**
 * Waiting for a lock: polled, since a waiter that gives up must leave nothing behind that takes the lock later.
 * @module
 */
import type { Sys } from "../sys/sys.ts";
import { type ReadContext, reportDamage } from "./file.ts";
import { STARTING_LOCK } from "./layout.ts";
import { LedgerError } from "./ledger_error.ts";

const [FIRST_POLL_MS, LONGEST_POLL_MS] = [2, 50];

/** What waiting needs of the world. */
export type LockSys = Pick<Sys, "lock" | "lstat" | "sleep" | "elapsedMs">;

/**
 * Takes a lock, or gives up at `untilMs` (milliseconds since the program started); then `undefined`.
 * @throws {LedgerError} when what is there is no lock file
 */
export async function waitForLock(path: string, untilMs: number, sys: LockSys): Promise<Disposable | undefined> {
  if (!isLockable(path, sys)) throw new LedgerError(`Cannot lock ${path}: it is not a regular file`);
  let pollMs = FIRST_POLL_MS;
  while (true) {
    const lock = sys.lock(path);
    if (lock !== undefined) return lock;
    if (sys.elapsedMs() + pollMs > untilMs) return undefined;
    await sys.sleep(pollMs);
    pollMs = Math.min(pollMs * 2, LONGEST_POLL_MS);
  }
}

function isLockable(path: string, sys: Pick<Sys, "lstat">): boolean {
  return (sys.lstat(path)?.kind ?? "file") === "file";
}

/**
 * Takes a lock of the ledger, or gives up at `untilMs`; then `undefined`. What is in its place and is no lock file is set aside.
 */
export async function takeLock(
  path: string,
  untilMs: number,
  reader: ReadContext & { readonly sys: Sys },
): Promise<Disposable | undefined> {
  await clearLockPlace(path, untilMs, reader);
  return await waitForLock(path, untilMs, reader.sys);
}

/** One process at a time: the lock that another has made by now stays. */
async function clearLockPlace(
  path: string,
  untilMs: number,
  { sys, notes }: ReadContext & { readonly sys: Sys },
): Promise<void> {
  if (isLockable(path, sys)) return;
  const lock = await waitForLock(STARTING_LOCK, untilMs, sys);
  using _lock = lock;
  if (lock !== undefined && !isLockable(path, sys)) reportDamage(path, "it is not a regular file", { sys, notes });
}
