/**
 * A resource's folder and its lock, which come and go together. The folder is made before the lock is taken, and removed by a
 * holder of the lock once nothing is remembered in it. So whoever takes the lock finds out whether the folder is still there, and
 * demands are filed only under the lock.
 * @module
 */
import type { Sys } from "../sys/sys.ts";
import { demandNames } from "./demand_file.ts";
import { removeIfThere } from "./file.ts";
import { type ResourceFolder, resourceFolder } from "./layout.ts";
import { attemptMake } from "./ledger.ts";
import { takeLock } from "./wait_lock.ts";
import type { ConvergeContext } from "./context.ts";

/** Another process removes the folder between two steps of ours at most a few times in a row. */
const ATTEMPTS_MAX = 100;

/**
 * Takes the lock of a resource. `late`: another process holds it, and the time to wait is over. `gone`: there is no such folder, so
 * nothing is remembered of the resource; with `make` the folder is made.
 */
export async function lockResource(
  name: string,
  { make }: { readonly make: boolean },
  context: ConvergeContext,
): Promise<Disposable | "late" | "gone"> {
  const { sys, deadlineMs, mayWait } = context;
  const place = resourceFolder(name);
  for (let attempt = 1;; attempt++) {
    try {
      if (make) attemptMake(place.folder, sys);
      const lock = await takeLock(place.lock, mayWait ? deadlineMs : 0, context);
      if (lock === undefined) return "late";
      if (make) makeDemands(place, lock, sys);
      return lock;
    } catch (error) {
      if (sys.lstat(place.folder) !== undefined || attempt === ATTEMPTS_MAX) throw error;
      // The last holder of the lock has removed it in between.
      if (!make) return "gone";
    }
  }
}

function makeDemands({ demands }: ResourceFolder, lock: Disposable, sys: Sys): void {
  try {
    attemptMake(demands, sys);
  } catch (error) {
    lock[Symbol.dispose]();
    throw error;
  }
}

/** Whether nothing is remembered of a resource, and no demand wants it. */
export function isForgotten(name: string, sys: Pick<Sys, "lstat" | "readDirectory">): boolean {
  const { state, demands } = resourceFolder(name);
  if (sys.lstat(state) !== undefined) return false;
  return sys.lstat(demands)?.kind === "directory"
    ? demandNames(name, sys).length === 0
    : sys.lstat(demands) === undefined;
}

/** Removes the folder of a resource of which nothing is remembered. Under its lock, which goes with it. */
export function removeForgotten(name: string, sys: Sys): void {
  const { folder, demands, child, busy, lock } = resourceFolder(name);
  try {
    if (!isForgotten(name, sys)) return;
    const free = sys.lock(busy);
    using _free = free;
    // A program is still run for it.
    if (free === undefined) return;
    for (const path of [demands, child, busy, lock, folder]) removeIfThere(path, sys);
  } catch {
    // Another process has put its lock in the folder, or something in it is not ours. The next call tries again.
  }
}
