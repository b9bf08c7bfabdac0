/**
 * Single files of the ledger: written whole or not at all, read only where they are regular files of our format.
 * @module
 */
import * as v from "valibot";
import { DAMAGED_DIRECTORY, FORMAT } from "./layout.ts";
import type { Sys } from "../sys/sys.ts";

/** The ledger, or a part of it, cannot be used: something in its place is not ours. */
export class LedgerError extends Error {
  override readonly name = "LedgerError";
}

/** What files of the ledger need of the world. */
export type FileSys = Pick<
  Sys,
  | "lstat"
  | "readTextFile"
  | "readStart"
  | "createFile"
  | "rename"
  | "removeFile"
  | "makeDirectory"
  | "readDirectory"
  | "pid"
>;

/** How files are read. */
export interface ReadContext {
  readonly sys: FileSys;
  /** What cannot be read is told here. */
  readonly notes: string[];
  /** Whether files that cannot be read are left in place: for commands that change nothing. */
  readonly looksOnly?: boolean;
}

/** Root's own files. The largest is the packet filter's state, which has every rule of ours three times. */
const FILE_BYTES_MAX = 32 * 1024 * 1024;
/** Ends the name of a file that is being written, behind the process that does. */
export const HALF_WRITTEN = ".tmp";

/** The result of reading a file. */
export type FileReading<Data> =
  | { readonly kind: "data"; readonly data: Data }
  | { readonly kind: "missing" }
  | { readonly kind: "damaged"; readonly reason: string };

/** Writes a file under its name only when all of it is there: a killed process leaves the old one, or none. */
export function writeFile(path: string, data: Readonly<Record<string, unknown>>, sys: FileSys): void {
  const half = `${path}.${sys.pid}${HALF_WRITTEN}`;
  // Left by a process that was killed and had our number.
  if (sys.lstat(half) !== undefined) sys.removeFile(half);
  sys.createFile(half, `${JSON.stringify({ format: FORMAT, ...data })}\n`, 0o600);
  sys.rename(half, path);
}

/**
 * Reads a file. Looked at first: opening a FIFO would wait for ever.
 * @throws {LedgerError} when another version wrote it
 */
export function readFile<Data>(
  path: string,
  schema: v.GenericSchema<unknown, Data>,
  sys: FileSys,
): FileReading<Data> {
  const facts = sys.lstat(path);
  if (facts === undefined) return { kind: "missing" };
  if (facts.kind !== "file") return { kind: "damaged", reason: "it is not a regular file" };
  let json: unknown;
  try {
    json = JSON.parse(sys.readTextFile(path, FILE_BYTES_MAX));
  } catch (error) {
    // Another process may have removed it in between, which is no damage.
    if (sys.lstat(path) === undefined) return { kind: "missing" };
    return { kind: "damaged", reason: error instanceof Error ? error.message : String(error) };
  }
  const format = v.safeParse(v.object({ format: v.number() }), json);
  if (!format.success) return { kind: "damaged", reason: "it has no format" };
  if (format.output.format !== FORMAT) {
    // No damage: the version that wrote it still knows what to undo.
    const formats = `it is of format ${format.output.format}, and this one knows ${FORMAT}`;
    throw new LedgerError(`Cannot read ${path}: another version of virt-hooks wrote it (${formats})`);
  }
  const result = v.safeParse(schema, json);
  return result.success
    ? { kind: "data", data: result.output }
    : { kind: "damaged", reason: `${v.getDotPath(result.issues[0]) ?? "it"}: ${result.issues[0].message}` };
}

/** Reports a file that cannot be read, and moves it out of the ledger. */
export function reportDamage(path: string, reason: string, { sys, notes, looksOnly = false }: ReadContext): void {
  notes.push(looksOnly ? `${path} cannot be read (${reason})` : setAside(path, reason, sys));
}

function setAside(path: string, reason: string, sys: FileSys): string {
  if (sys.lstat(DAMAGED_DIRECTORY) === undefined) sys.makeDirectory(DAMAGED_DIRECTORY, 0o700);
  const taken = sys.readDirectory(DAMAGED_DIRECTORY) ?? [];
  const name = `${taken.length + 1}-${sys.pid}-${path.slice(path.lastIndexOf("/") + 1)}`;
  sys.rename(path, `${DAMAGED_DIRECTORY}/${name}`);
  return `${path} cannot be read (${reason}): it is now ${DAMAGED_DIRECTORY}/${name}`;
}

/** Removes a file that may be gone already. */
export function removeIfThere(path: string, sys: Pick<FileSys, "lstat" | "removeFile">): void {
  if (sys.lstat(path) === undefined) return;
  try {
    sys.removeFile(path);
  } catch (error) {
    if (sys.lstat(path) !== undefined) throw error;
  }
}
