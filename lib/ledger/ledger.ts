/**
 * The ledger as a whole: its folders, which are root's alone, and the boot it is of.
 * @module
 */
import { parseProcStat, procStatPath } from "../sys/proc_stat.ts";
import type { Sys } from "../sys/sys.ts";
import type { Daemon } from "./demand_file.ts";
import { LedgerError, removeIfThere, reportDamage } from "./file.ts";
import {
  BOOT_FILE,
  DAMAGED_DIRECTORY,
  hasLedger,
  HOLDERS_DIRECTORY,
  LEDGER_DIRECTORY,
  RESOURCES_DIRECTORY,
  RUN_DIRECTORY,
  STARTING_LOCK,
} from "./layout.ts";
import { reasonOf } from "../text/reason_of.ts";
import { waitForLock } from "./locks.ts";

/** A ledger that is open. */
export interface Ledger {
  /** The process that called this one: for a hook, libvirt's daemon. */
  readonly daemon: Daemon;
  /** Warnings collected on the way. */
  readonly notes: string[];
  /** Whether nothing in it may be changed. */
  readonly looksOnly?: boolean;
}

const BOOT_ID = "/proc/sys/kernel/random/boot_id";
const BOOT_BYTES_MAX = 100;
const BOOT_SHAPE = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const OTHERS_MAY = 0o077;

/** How long to wait for another hook that makes the ledger: a few files. */
const STARTING_WAIT_MS = 5_000;

/**
 * Opens the ledger. With `make` it is made if there is none; without, that returns `undefined`. A ledger of another boot is set aside
 * unread: nothing of it applies any more. One without a boot id counts as of this boot, since nothing below /run outlives a boot, and
 * what guests hold would otherwise never be restored.
 * @throws {LedgerError} when something in its place is not ours
 */
export async function openLedger(sys: Sys, options: { readonly make: boolean }): Promise<Ledger | undefined> {
  if (!hasLedger(sys) && !options.make) return undefined;
  const { boot, daemon } = await readCircumstances(sys);
  const notes: string[] = [];
  if (bootOf(sys) !== boot) await startLedger(boot, notes, sys);
  if (brokenFolders(sys).length > 0) await repairFolders(notes, sys);
  return { daemon, notes };
}

/** What there is to look at. */
export type LedgerView = { readonly kind: "none" | "of-another-boot" } | {
  readonly kind: "open";
  readonly ledger: Ledger;
};

/**
 * Opens the ledger for reading only: none is made, none is set aside.
 * @throws {LedgerError} when something in its place is not ours
 */
export async function inspectLedger(sys: Sys): Promise<LedgerView> {
  if (!hasLedger(sys)) return { kind: "none" };
  const { boot, daemon } = await readCircumstances(sys);
  const told = bootOf(sys);
  if (told !== undefined && told !== boot) return { kind: "of-another-boot" };
  const notes = [...(told === undefined ? [UNTOLD] : []), ...brokenFolders(sys).map(brokenText)];
  return { kind: "open", ledger: { daemon, notes, looksOnly: true } };
}

/** Folders of the ledger that are not there, or are no folders. */
function brokenFolders(sys: Pick<Sys, "lstat">): readonly string[] {
  return [DAMAGED_DIRECTORY, RESOURCES_DIRECTORY, HOLDERS_DIRECTORY].filter((path) => !isFolder(path, sys));
}

function isFolder(path: string, sys: Pick<Sys, "lstat">): boolean {
  return sys.lstat(path)?.kind === "directory";
}

function brokenText(path: string): string {
  const lost = path === RESOURCES_DIRECTORY ? ": what was held before is unknown, and is not restored" : "";
  return `${path} is missing or not a folder${lost}`;
}

/** Makes the folders of the ledger that are missing, and sets aside what is in their place. One hook at a time. */
async function repairFolders(notes: string[], sys: Sys): Promise<void> {
  const lock = await waitForLock(STARTING_LOCK, sys.elapsedMs() + STARTING_WAIT_MS, sys);
  using _lock = lock;
  if (lock === undefined) throw new LedgerError("Cannot repair the ledger: timed out waiting for another hook");
  for (const path of brokenFolders(sys)) {
    notes.push(brokenText(path));
    if (sys.lstat(path) !== undefined) {
      sys.rename(path, `${LEDGER_DIRECTORY}.set-aside-${sys.now().getTime()}-${sys.pid}`);
    }
    attemptMake(path, sys);
  }
}

/** Reads this boot's id, and the process that called this one. */
async function readCircumstances(sys: Sys): Promise<{ readonly boot: string; readonly daemon: Daemon }> {
  const ppid = sys.ppid();
  const facts = await sys.kernel.read([BOOT_ID, procStatPath(ppid), procStatPath(sys.pid)]);
  const boot = facts.get(BOOT_ID)?.trim();
  if (boot === undefined) throw new LedgerError(`Cannot open the ledger: ${BOOT_ID} cannot be read`);
  const hook = parseProcStat(facts.get(procStatPath(sys.pid)) ?? "");
  return { boot, daemon: { ...daemonOf(ppid, facts), hookStartTime: hook?.startTime } };
}

const UNTOLD = `${BOOT_FILE} does not say of which boot the ledger is: it counts as of this one`;

/** The boot that the ledger is of; `undefined` where there is none, or it does not say so. */
function bootOf(sys: Sys): string | undefined {
  if (!hasLedger(sys)) return undefined;
  requireOwnFolder(RUN_DIRECTORY, 0o022, sys);
  requireOwnFolder(LEDGER_DIRECTORY, OTHERS_MAY, sys);
  if (sys.lstat(BOOT_FILE)?.kind !== "file") return undefined;
  try {
    const text = sys.readTextFile(BOOT_FILE, BOOT_BYTES_MAX).trim();
    return BOOT_SHAPE.test(text) ? text : undefined;
  } catch {
    return undefined;
  }
}

/** One hook at a time: the second one finds what the first has made, and sets none of it aside. */
async function startLedger(boot: string, notes: string[], sys: Sys): Promise<void> {
  if (sys.lstat(RUN_DIRECTORY) === undefined) attemptMake(RUN_DIRECTORY, sys);
  requireOwnFolder(RUN_DIRECTORY, 0o022, sys);
  const lock = await waitForLock(STARTING_LOCK, sys.elapsedMs() + STARTING_WAIT_MS, sys);
  using _lock = lock;
  if (lock === undefined) throw new LedgerError("Cannot make the ledger: timed out waiting for another hook");
  const told = bootOf(sys);
  if (told === boot) return;
  if (told === undefined && hasLedger(sys)) return rewriteBootFile(boot, notes, sys);
  if (told !== undefined) notes.push(setBootAside(sys));
  makeLedger(boot, sys);
}

/** A boot file that cannot be rewritten must not keep guests from being released. */
function rewriteBootFile(boot: string, notes: string[], sys: Sys): void {
  notes.push(UNTOLD);
  try {
    if (sys.lstat(BOOT_FILE) !== undefined) reportDamage(BOOT_FILE, "it names no boot", { sys, notes });
    sys.createFile(BOOT_FILE, `${boot}\n`, 0o600);
  } catch (error) {
    notes.push(reasonOf(error));
  }
}

function setBootAside(sys: Sys): string {
  const aside = `${LEDGER_DIRECTORY}.of-another-boot-${sys.now().getTime()}-${sys.pid}`;
  sys.rename(LEDGER_DIRECTORY, aside);
  return `the ledger was of another boot: it is now ${aside}, and nothing of it is undone`;
}

/** Makes the ledger under another name and renames it, so that no process finds half of it. A killed hook may have left one. */
function makeLedger(boot: string, sys: Sys): void {
  const half = `${LEDGER_DIRECTORY}.tmp`;
  for (const folder of [LEDGER_DIRECTORY, RESOURCES_DIRECTORY, HOLDERS_DIRECTORY, DAMAGED_DIRECTORY]) {
    attemptMake(folder.replace(LEDGER_DIRECTORY, half), sys);
  }
  const bootFile = BOOT_FILE.replace(LEDGER_DIRECTORY, half);
  removeIfThere(bootFile, sys);
  sys.createFile(bootFile, `${boot}\n`, 0o600);
  sys.rename(half, LEDGER_DIRECTORY);
}

/** Makes a folder that another hook may be making at the same time. */
export function attemptMake(folder: string, sys: Pick<Sys, "lstat" | "makeDirectory">): void {
  try {
    sys.makeDirectory(folder, 0o700);
  } catch (error) {
    if (sys.lstat(folder)?.kind !== "directory") throw error;
  }
}

function requireOwnFolder(folder: string, forbidden: number, sys: Pick<Sys, "lstat">): void {
  const facts = sys.lstat(folder);
  if (facts?.kind === "directory" && facts.uid === 0 && (facts.mode & forbidden) === 0) return;
  throw new LedgerError(`Cannot use ${folder}: it must be a folder that only root can write`);
}

/** The process that called this one. */
export async function readDaemon(sys: Sys): Promise<Daemon> {
  const ppid = sys.ppid();
  return daemonOf(ppid, await sys.kernel.read([procStatPath(ppid)]));
}

/** A daemon, by what was read of it. */
export function daemonOf(pid: number, facts: ReadonlyMap<string, string>): Daemon {
  const stat = parseProcStat(facts.get(procStatPath(pid)) ?? "");
  return { pid, startTime: stat?.startTime ?? "", name: stat?.name ?? "" };
}

/** Files that could not be read and were set aside. */
export function damagedNames(sys: Pick<Sys, "readDirectory">): readonly string[] {
  return sys.readDirectory(DAMAGED_DIRECTORY) ?? [];
}

/** The folders of all resources. */
export function resourceNames(sys: Pick<Sys, "readDirectory">): readonly string[] {
  return sys.readDirectory(RESOURCES_DIRECTORY) ?? [];
}
