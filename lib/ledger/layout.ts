/**
 * Where things lie in the ledger, and how they are called. Names are hashes: keys and holders may hold any character.
 * @module
 */

import type { Sys } from "../sys/sys.ts";

/** What must be remembered until the next boot. */
export const RUN_DIRECTORY = "/run/virt-hooks";
/** The ledger: root's alone. */
export const LEDGER_DIRECTORY = `${RUN_DIRECTORY}/ledger`;
/** Held while the ledger, or one of its locks, is made. */
export const STARTING_LOCK = `${RUN_DIRECTORY}/starting.lock`;
/** The boot that a ledger is of. */
export const BOOT_FILE = `${LEDGER_DIRECTORY}/boot`;
/** Held by the process that watches for leases. */
export const WATCHER_LOCK = `${LEDGER_DIRECTORY}/waiter.lock`;
/** A folder for each resource. */
export const RESOURCES_DIRECTORY = `${LEDGER_DIRECTORY}/resources`;
/** Locks of holders, and what is known of each. */
export const HOLDERS_DIRECTORY = `${LEDGER_DIRECTORY}/holders`;
/** Files that could not be read. */
export const DAMAGED_DIRECTORY = `${LEDGER_DIRECTORY}/damaged`;

/** The format of the files; one that says another is not ours to read. */
export const FORMAT = 1;

const NAME_LENGTH = 32;

/** Whether there is a ledger at all: one look, which is all that a host without holds pays for. */
export function hasLedger(sys: Pick<Sys, "lstat">): boolean {
  return sys.lstat(LEDGER_DIRECTORY) !== undefined;
}

/** A short name for a text of any length: 128 bits of its SHA-256. */
export async function hashName(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  const hex = [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.slice(0, NAME_LENGTH);
}

/** The folder of a resource, and what lies in it. */
export interface ResourceFolder {
  readonly folder: string;
  readonly demands: string;
  readonly state: string;
  /** Removed with the folder, by its holder alone: see {@linkcode Sys.lock}. */
  readonly lock: string;
  /** The program that makes a change right now. */
  readonly child: string;
  /** A lock, too: held while a user's program runs for the resource, and `lock` is not. */
  readonly busy: string;
}

/** The folder of a resource, by the name of the folder. */
export function resourceFolder(name: string): ResourceFolder {
  const folder = `${RESOURCES_DIRECTORY}/${name}`;
  return {
    folder,
    demands: `${folder}/demands`,
    state: `${folder}/state.json`,
    lock: `${folder}/lock`,
    busy: `${folder}/busy`,
    child: `${folder}/child.json`,
  };
}
