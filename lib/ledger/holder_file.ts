/**
 * A holder's lock, and whether it was seen running. One call at a time works on a holder's demands: a hook that libvirt has
 * forgotten and the one that follows it, or a hook and reconcile.
 * @module
 */
import * as v from "valibot";
import type { Sys } from "../sys/sys.ts";
import { HALF_WRITTEN, readFile, removeIfThere, writeFile } from "./file.ts";
import { type Holder, holderId, holderSchema } from "./holder.ts";
import { hashName, HOLDERS_DIRECTORY } from "./layout.ts";
import { waitForLock } from "./wait_lock.ts";

/** Takes a holder's lock, or gives up at `untilMs`. */
export async function lockHolder(holder: Holder, untilMs: number, sys: Sys): Promise<Disposable | undefined> {
  return await waitForLock(`${HOLDERS_DIRECTORY}/${await hashName(holderId(holder))}.lock`, untilMs, sys);
}

const RUNNING = ".running";
const seenSchema = v.object({ holder: holderSchema });

async function seenPath(holder: Holder): Promise<string> {
  return `${HOLDERS_DIRECTORY}/${await hashName(holderId(holder))}${RUNNING}`;
}

/**
 * Notes that a holder runs: libvirt keeps a status file of it from here on. So once that is gone, the holder is. (Before, in
 * `prepare` and `start`, there is none.)
 */
export async function noteRunning(holder: Holder, sys: Sys): Promise<void> {
  const path = await seenPath(holder);
  if (sys.lstat(path) === undefined) writeFile(path, { holder }, sys);
}

/** Notes that a holder does not run yet, or any more; what a killed hook left half noted goes with it. */
export async function noteNotRunning(holder: Holder, sys: Sys): Promise<void> {
  const path = await seenPath(holder);
  removeIfThere(path, sys);
  const name = path.slice(path.lastIndexOf("/") + 1);
  const halves = (sys.readDirectory(HOLDERS_DIRECTORY) ?? []).filter((one) =>
    one.startsWith(name) && one.endsWith(HALF_WRITTEN)
  );
  for (const half of halves) removeIfThere(`${HOLDERS_DIRECTORY}/${half}`, sys);
}

/** Whether a holder was seen running since it last began. */
export async function wasRunning(holder: Holder, sys: Sys): Promise<boolean> {
  return readFile(await seenPath(holder), seenSchema, sys).kind === "data";
}

/** The holders that are noted as running. */
export function runningHolders(sys: Sys): readonly Holder[] {
  const names = (sys.readDirectory(HOLDERS_DIRECTORY) ?? []).filter((name) => name.endsWith(RUNNING));
  return names.flatMap((name) => {
    const reading = readFile(`${HOLDERS_DIRECTORY}/${name}`, seenSchema, sys);
    return reading.kind === "data" ? [reading.data.holder] : [];
  });
}
