/**
 * A holder's lock, and whether it was seen running. One call at a time works on a holder's demands: a hook that libvirt has
 * forgotten and the one that follows it, or a hook and reconcile.
 * @module
 */
import type { Sys } from "../sys/sys.ts";
import { demandNames, hashOfHolder } from "./demand_file.ts";
import { removeIfThere } from "./file.ts";
import { type Holder, holderId } from "./holder.ts";
import { hashName, HOLDERS_DIRECTORY } from "./layout.ts";
import { resourceNames } from "./ledger.ts";
import { waitForLock } from "./wait_lock.ts";

/** Takes a holder's lock, or gives up at `untilMs`. */
export async function lockHolder(holder: Holder, untilMs: number, sys: Sys): Promise<Disposable | undefined> {
  return await waitForLock(`${HOLDERS_DIRECTORY}/${await hashName(holderId(holder))}.lock`, untilMs, sys);
}

const MARK = ".running";

async function markPath(holder: Holder): Promise<string> {
  return `${HOLDERS_DIRECTORY}/${await hashName(holderId(holder))}${MARK}`;
}

/** Removes the marks of those who hold nothing: the hook that was to do it was killed. */
export function sweepMarks(sys: Sys): void {
  // In this order: a demand is there before its holder's mark is.
  const marks = (sys.readDirectory(HOLDERS_DIRECTORY) ?? []).filter((name) => name.endsWith(MARK));
  const holding = new Set(resourceNames(sys).flatMap((folder) => demandNames(folder, sys).map(hashOfHolder)));
  for (const mark of marks.filter((name) => !holding.has(name.slice(0, -MARK.length)))) {
    removeIfThere(`${HOLDERS_DIRECTORY}/${mark}`, sys);
  }
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
