/**
 * libvirt's status files: one for each running guest, active network and port. libvirt names each file after what it is of, and
 * renames no guest that runs (`virDomainObjSave`, `virNetworkObjSaveStatus`, `virNetworkPortDefSaveStatus`, `qemuDomainRename`).
 * So one look at one file tells whether libvirt has a status of a holder, however many guests the host has.
 * @module
 */
import type { Sys } from "../sys/sys.ts";

/** The folder of libvirt's status files (`stateDir` of each driver is below it). */
export const STATUS_DIRECTORY = "/run/libvirt";
const NETWORK_STATUS = `${STATUS_DIRECTORY}/network`;

/** Whether libvirt has a status of something. */
export type StatusResult =
  | { readonly kind: "present" }
  /** The folder is there, and no status of it is in there. */
  | { readonly kind: "absent"; readonly folder: string }
  | { readonly kind: "unreadable"; readonly reason: string };

/** What looking at status files needs of the world. */
export type StatusSys = Pick<Sys, "lstat" | "readStart">;

/** A guest, a network or a port, as libvirt knows it. A port is looked for by its network's name. */
export interface LibvirtObject {
  readonly name: string;
  readonly uuid: string;
}

/** Looks for the status of a guest of a driver. */
export function lookAtDomain(
  { driver, name, uuid }: LibvirtObject & { readonly driver: string },
  sys: StatusSys,
): StatusResult {
  return lookFor({ folder: `${STATUS_DIRECTORY}/${driver}`, name, uuid, path: "domstatus/domain/uuid" }, sys);
}

/** Looks for the status of a network. It has none yet at its `started`. */
export function lookAtNetwork({ name, uuid }: LibvirtObject, sys: StatusSys): StatusResult {
  return lookFor({ folder: NETWORK_STATUS, name, uuid, path: "networkstatus/network/uuid" }, sys);
}

/** Looks for the status of a port, whose file has the port's UUID for its name. It has none yet at its `port-created`. */
export function lookAtPort({ name, uuid }: LibvirtObject, sys: StatusSys): StatusResult {
  return looked(() => {
    if (!isFolder(NETWORK_STATUS, sys)) return noFolder(NETWORK_STATUS);
    // A network that never had a port has no folder for them.
    const folder = `${NETWORK_STATUS}/${needName(name)}/ports`;
    return sys.lstat(`${folder}/${needName(uuid)}.xml`)?.kind === "file"
      ? { kind: "present" }
      : { kind: "absent", folder };
  });
}

/** Whether a driver keeps status files on this host. */
export function keepsStatus(driver: string, sys: StatusSys): boolean {
  try {
    return isFolder(`${STATUS_DIRECTORY}/${driver}`, sys);
  } catch {
    // It is there, and cannot be read.
    return true;
  }
}

interface WantedStatus {
  readonly folder: string;
  readonly name: string;
  readonly uuid: string;
  /** The element in the file that has the UUID. */
  readonly path: string;
}

function lookFor({ folder, name, uuid, path }: WantedStatus, sys: StatusSys): StatusResult {
  return looked(() => {
    if (!isFolder(folder, sys)) return noFolder(folder);
    const file = `${folder}/${needName(name)}.xml`;
    const kind = sys.lstat(file)?.kind;
    if (kind === undefined) return { kind: "absent", folder };
    if (kind !== "file") return { kind: "unreadable", reason: `${file} is not a regular file` };
    const found = readUuid(file, path, sys);
    if (found === undefined) {
      return { kind: "unreadable", reason: `${file} has no ${path} in its first ${MOST_BYTES} bytes` };
    }
    return found === uuid.toLowerCase() ? { kind: "present" } : { kind: "absent", folder };
  });
}

function looked(look: () => StatusResult): StatusResult {
  try {
    return look();
  } catch (error) {
    return { kind: "unreadable", reason: error instanceof Error ? error.message : String(error) };
  }
}

function noFolder(folder: string): StatusResult {
  return { kind: "unreadable", reason: `${folder} cannot be read` };
}

function isFolder(path: string, sys: StatusSys): boolean {
  return sys.lstat(path)?.kind === "directory";
}

/** @throws {Error} for a name that libvirt itself refuses */
function needName(name: string): string {
  if (name === "" || name.includes("/")) throw new Error(`${JSON.stringify(name)} names no status file`);
  return name;
}

/**
 * How much of a file is read. libvirt writes a guest's UUID as the second element of its document; in front of it stand only what
 * libvirt itself notes of the process (`virDomainObjFormat`): 15 KB for 240 CPUs, 150 KB for 4096, more while disks are copied.
 * A guest's owner can write as much as he likes, but behind it.
 */
const [FIRST_BYTES, MOST_BYTES] = [64 * 1024, 4 * 1024 * 1024];

function readUuid(file: string, path: string, sys: StatusSys): string | undefined {
  const start = sys.readStart(file, FIRST_BYTES);
  const found = textAt(path, start);
  if (found !== undefined || start.length < FIRST_BYTES) return found?.toLowerCase();
  return textAt(path, sys.readStart(file, MOST_BYTES))?.toLowerCase();
}

/** A piece of markup: comments, CDATA and instructions are passed over as a whole; an attribute may hold `>`. */
const MARKUP = new RegExp(
  [
    "<!--[^]*?-->",
    "<!\\[CDATA\\[[^]*?\\]\\]>",
    "<\\?[^]*?\\?>",
    "<(?<end>/?)(?<name>[^\\s<>/!?]+)(?<rest>[^<>\"']*(?:(?:\"[^\"]*\"|'[^']*')[^<>\"']*)*)>",
  ].join("|"),
).source;

/**
 * The text of the first element at a path, in the beginning of a document; `undefined` where it is not in there, or something
 * before it is no markup that we know. Only this much is read, and no tree is made of it: a status file can be of any length.
 */
export function textAt(path: string, text: string): string | undefined {
  const markup = new RegExp(MARKUP, "y");
  const depth = path.split("/").length;
  const open: string[] = [];
  for (let at = text.indexOf("<"); at !== -1; at = text.indexOf("<", markup.lastIndex)) {
    markup.lastIndex = at;
    const groups = markup.exec(text)?.groups;
    // Also what is cut off by the end of the beginning.
    if (groups === undefined) return undefined;
    const { end, name, rest = "" } = groups;
    if (name === undefined) continue;
    if (end === "/") open.pop();
    else if (!rest.endsWith("/")) open.push(name);
    if (end === "" && open.length === depth && open.join("/") === path) {
      const after = text.indexOf("<", markup.lastIndex);
      return after === -1 ? undefined : text.slice(markup.lastIndex, after).trim();
    }
  }
  return undefined;
}
