/**
 * Locks: of files, of a resource's folder, which comes and goes with its lock, and the child that writes for a hook.
 * @module
 */
import * as v from "valibot";
import type { ConvergeContext } from "./converge.ts";
import { demandNames } from "./demand_file.ts";
import { LedgerError, type ReadContext, readFile, removeIfThere, reportDamage, writeFile } from "./file.ts";
import { type ResourceFolder, resourceFolder, STARTING_LOCK } from "./layout.ts";
import { attemptMake } from "./ledger.ts";
import { parseProcStat, procStatPath } from "../sys/proc_stat.ts";
import type { Sys } from "../sys/sys.ts";
import { TOOLS } from "../sys/tools.ts";

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

const childSchema = v.object({ pid: v.number(), program: v.string() });

/** A program that takes longer is stuck, or another has its number by now. */
const WAIT_MS_MAX = 2_000;
const [FIRST_LOOK_MS, LONGEST_LOOK_MS] = [2, 50];
/** The kernel keeps so much of a program's name. */
const NAME_LENGTH_MAX = 15;
/** The states of one that has ended. */
const ENDED = ["Z", "X"];

/**
 * Returns a `Sys` that records every child before it is given its input. A child whose hook is killed before that never receives
 * input, so it writes nothing.
 */
export function trackChildren(folder: string, sys: Sys): Sys {
  const path = resourceFolder(folder).child;
  function note(pid: number, [tool]: readonly [string, ...string[]]): void {
    writeFile(path, { pid, program: tool.slice(tool.lastIndexOf("/") + 1) }, sys);
  }
  return {
    ...sys,
    kernel: {
      ...sys.kernel,
      write: (file, text, timeoutMs) => sys.kernel.write(file, text, timeoutMs, (pid) => note(pid, [TOOLS.dd])),
    },
    run: (command) =>
      sys.run({
        ...command,
        onStart: (pid) => {
          note(pid, command.argv);
          command.onStart?.(pid);
        },
      }),
  };
}

/** Forgets the program: it has ended. */
export function forgetChild(folder: string, sys: Sys): void {
  removeIfThere(resourceFolder(folder).child, sys);
}

/** Waits for the program of a hook that was killed, with an end. */
export async function waitForTrackedChild(folder: string, sys: Sys): Promise<void> {
  const reading = readFile(resourceFolder(folder).child, childSchema, sys);
  if (reading.kind === "missing") return;
  if (reading.kind === "data") await awaitEnd(reading.data, sys);
  forgetChild(folder, sys);
}

async function awaitEnd(child: v.InferOutput<typeof childSchema>, sys: Sys): Promise<void> {
  const untilMs = sys.elapsedMs() + WAIT_MS_MAX;
  for (let waitMs = FIRST_LOOK_MS; sys.elapsedMs() < untilMs; waitMs = Math.min(waitMs * 2, LONGEST_LOOK_MS)) {
    if (!await isRunning(child, sys)) return;
    await sys.sleep(waitMs);
  }
}

async function isRunning({ pid, program }: v.InferOutput<typeof childSchema>, sys: Sys): Promise<boolean> {
  const path = procStatPath(pid);
  const stat = parseProcStat((await sys.kernel.read([path])).get(path) ?? "");
  return stat !== undefined && !ENDED.includes(stat.state) && stat.name === program.slice(0, NAME_LENGTH_MAX);
}
