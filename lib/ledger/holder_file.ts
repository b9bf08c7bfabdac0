/**
 * A holder's lock, and whether it was seen running. One call at a time works on a holder's demands: a hook that libvirt has
 * forgotten and the one that follows it, or a hook and reconcile.
 * @module
 */
import type { Sys } from "../sys/sys.ts";
import { demandNames, hashOfHolder, type Holder, holderId } from "./demand_file.ts";
import { type ReadContext, removeIfThere } from "./file.ts";
import { hashName, HOLDERS_DIRECTORY } from "./layout.ts";
import { resourceNames } from "./ledger.ts";
import { takeLock } from "./locks.ts";
import type { ConvergeContext } from "./converge.ts";

const LOCK = ".lock";
const MARK = ".running";

/** Takes a holder's lock, or gives up at `untilMs`. The file goes with the lock: most holders never come back. */
export async function lockHolder(
  holder: Holder,
  untilMs: number,
  reader: ReadContext & { readonly sys: Sys },
): Promise<Disposable | undefined> {
  const path = `${HOLDERS_DIRECTORY}/${await hashName(holderId(holder))}${LOCK}`;
  const lock = await takeLock(path, untilMs, reader);
  return lock === undefined ? undefined : removedWith(lock, path, reader.sys);
}

function removedWith(lock: Disposable, path: string, sys: Sys): Disposable {
  let isHeld = true;
  return {
    [Symbol.dispose]: () => {
      if (!isHeld) return;
      isHeld = false;
      using _lock = lock;
      try {
        removeIfThere(path, sys);
      } catch {
        // It is let go all the same, and reconcile removes the file.
      }
    },
  };
}

async function markPath(holder: Holder): Promise<string> {
  return `${HOLDERS_DIRECTORY}/${await hashName(holderId(holder))}${MARK}`;
}

/** Removes marks of holders that hold nothing, and locks that are free: the hook that was to do it was killed. */
export function sweepHolders({ sys, deadlineMs }: ConvergeContext): void {
  // In this order: a demand is there before its holder's mark is.
  const names = sys.readDirectory(HOLDERS_DIRECTORY) ?? [];
  const holding = new Set(resourceNames(sys).flatMap((folder) => demandNames(folder, sys).map(hashOfHolder)));
  for (const name of names) {
    if (sys.elapsedMs() > deadlineMs) return;
    const path = `${HOLDERS_DIRECTORY}/${name}`;
    if (name.endsWith(MARK) && !holding.has(name.slice(0, -MARK.length))) removeIfThere(path, sys);
    if (name.endsWith(LOCK) && sys.lstat(path)?.kind === "file") sweepLock(path, sys);
  }
}

function sweepLock(path: string, sys: Sys): void {
  const lock = sys.lock(path);
  using _lock = lock;
  if (lock !== undefined) removeIfThere(path, sys);
}

/**
 * Notes that a holder runs: libvirt keeps a status file of it from here on. So once that is gone, the holder is. (Before, in
 * `prepare` and `start`, there is none.) That the file is there says it all.
 */
export async function noteRunning(holder: Holder, sys: Sys): Promise<void> {
  const path = await markPath(holder);
  if (sys.lstat(path) === undefined) sys.createFile(path, "", 0o600);
}

/** Notes that a holder does not run yet, or any more. */
export async function noteNotRunning(holder: Holder, sys: Sys): Promise<void> {
  removeIfThere(await markPath(holder), sys);
}

/** Whether a holder was seen running since it last began. */
export async function wasRunning(holder: Holder, sys: Sys): Promise<boolean> {
  return sys.lstat(await markPath(holder))?.kind === "file";
}
