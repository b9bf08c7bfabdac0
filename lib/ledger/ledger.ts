/**
 * The ledger as a whole: its folders, which are root's alone, and the boot it is of.
 * @module
 */
import type { Sys } from "../sys/sys.ts";
import type { Daemon } from "./demand_file.ts";
import {
  BOOT_FILE,
  DAMAGED_DIRECTORY,
  hasLedger,
  HOLDERS_DIRECTORY,
  LEDGER_DIRECTORY,
  resourceFolder,
  RESOURCES_DIRECTORY,
  RUN_DIRECTORY,
} from "./layout.ts";

/** A ledger that is open. */
export interface Ledger {
  /** The process that called this one: for a hook, libvirt's daemon. */
  readonly daemon: Daemon;
  /** What was found on the way and somebody should know. */
  readonly notes: string[];
  /** Whether nothing in it may be changed. */
  readonly looksOnly?: boolean;
}

/** The ledger cannot be used: something in its place is not ours. */
export class LedgerError extends Error {
  override readonly name = "LedgerError";
}

const BOOT_ID = "/proc/sys/kernel/random/boot_id";
const OTHERS_MAY = 0o077;

/**
 * Opens the ledger. With `make` it is made where there is none; without, that gives `undefined`. A ledger of another boot
 * is set aside unread: nothing of what it says still stands.
 * @throws {LedgerError} when something in its place is not ours
 */
export async function openLedger(sys: Sys, options: { readonly make: boolean }): Promise<Ledger | undefined> {
  if (!hasLedger(sys) && !options.make) return undefined;
  const { boot, daemon } = await readCircumstances(sys);
  const notes: string[] = [];
  if (hasLedger(sys) && bootOfOurs(sys) !== boot) notes.push(setBootAside(sys));
  if (!hasLedger(sys)) {
    if (!options.make) return { daemon, notes };
    makeLedger(boot, sys);
  }
  return { daemon, notes };
}

/** What there is to look at. */
export type Look = { readonly kind: "none" | "of-another-boot" } | { readonly kind: "open"; readonly ledger: Ledger };

/**
 * Opens the ledger for those who change nothing: none is made, none is set aside.
 * @throws {LedgerError} when something in its place is not ours
 */
export async function lookAtLedger(sys: Sys): Promise<Look> {
  if (!hasLedger(sys)) return { kind: "none" };
  const { boot, daemon } = await readCircumstances(sys);
  if (bootOfOurs(sys) !== boot) return { kind: "of-another-boot" };
  return { kind: "open", ledger: { daemon, notes: [], looksOnly: true } };
}

/** This boot, and who called us. */
async function readCircumstances(sys: Sys): Promise<{ readonly boot: string; readonly daemon: Daemon }> {
  const ppid = sys.ppid();
  const facts = await sys.kernel.read([BOOT_ID, `/proc/${ppid}/stat`]);
  const boot = facts.get(BOOT_ID)?.trim();
  if (boot === undefined) throw new LedgerError(`Cannot open the ledger: ${BOOT_ID} cannot be read`);
  return { boot, daemon: daemonOf(ppid, facts) };
}

/** The boot that a ledger is of, once it is sure to be ours. */
function bootOfOurs(sys: Sys): string | undefined {
  needOurs(RUN_DIRECTORY, 0o022, sys);
  needOurs(LEDGER_DIRECTORY, OTHERS_MAY, sys);
  return bootOf(sys);
}

function bootOf(sys: Sys): string | undefined {
  return sys.lstat(BOOT_FILE)?.kind === "file" ? sys.readTextFile(BOOT_FILE, 100).trim() : undefined;
}

function setBootAside(sys: Sys): string {
  const aside = `${LEDGER_DIRECTORY}.of-another-boot-${sys.now().getTime()}-${sys.pid}`;
  sys.rename(LEDGER_DIRECTORY, aside);
  return `the ledger was of another boot: it is now ${aside}, and nothing of it is undone`;
}

/** Made under another name and renamed, so that nobody meets a half of it. */
function makeLedger(boot: string, sys: Sys): void {
  if (sys.lstat(RUN_DIRECTORY) === undefined) attemptMake(RUN_DIRECTORY, sys);
  needOurs(RUN_DIRECTORY, 0o022, sys);
  const half = `${LEDGER_DIRECTORY}.${sys.pid}.tmp`;
  for (const folder of [LEDGER_DIRECTORY, RESOURCES_DIRECTORY, HOLDERS_DIRECTORY, DAMAGED_DIRECTORY]) {
    attemptMake(folder.replace(LEDGER_DIRECTORY, half), sys);
  }
  const bootFile = BOOT_FILE.replace(LEDGER_DIRECTORY, half);
  if (sys.lstat(bootFile) === undefined) sys.createFile(bootFile, `${boot}\n`, 0o600);
  try {
    sys.rename(half, LEDGER_DIRECTORY);
  } catch (error) {
    // Another hook was first: a folder that holds something is not replaced.
    if (!hasLedger(sys)) throw error;
  }
}

/** Two hooks may be at it at once. */
function attemptMake(folder: string, sys: Pick<Sys, "lstat" | "makeDirectory">): void {
  try {
    sys.makeDirectory(folder, 0o700);
  } catch (error) {
    if (sys.lstat(folder)?.kind !== "directory") throw error;
  }
}

function needOurs(folder: string, forbidden: number, sys: Pick<Sys, "lstat">): void {
  const facts = sys.lstat(folder);
  if (facts?.kind === "directory" && facts.uid === 0 && (facts.mode & forbidden) === 0) return;
  throw new LedgerError(`Cannot use ${folder}: it must be a folder that only root can write`);
}

/** `PID (NAME) STATE PPID …`, the start time in the 22nd field; the name may hold anything. */
export function daemonOf(pid: number, facts: ReadonlyMap<string, string>): Daemon {
  const stat = facts.get(`/proc/${pid}/stat`) ?? "";
  const [, name = "", rest = ""] = /^\d+ \(([^]*)\) ([^]*)$/.exec(stat) ?? [];
  return { pid, startTime: rest.split(" ")[19] ?? "", name };
}

/** Makes the folder of a resource, lock and all. */
export function makeResourceFolder(name: string, sys: Pick<Sys, "lstat" | "makeDirectory">): void {
  const { folder, demands } = resourceFolder(name);
  if (sys.lstat(demands) !== undefined) return;
  attemptMake(folder, sys);
  attemptMake(demands, sys);
}

/** Files that could not be read and were set aside. */
export function damagedNames(sys: Pick<Sys, "readDirectory">): readonly string[] {
  return sys.readDirectory(DAMAGED_DIRECTORY) ?? [];
}

/** The folders of all resources. */
export function resourceNames(sys: Pick<Sys, "readDirectory">): readonly string[] {
  return sys.readDirectory(RESOURCES_DIRECTORY) ?? [];
}
