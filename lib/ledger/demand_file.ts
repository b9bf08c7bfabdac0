/**
 * Holders, and their demands as they lie in the ledger: one immutable file each. A holder is never told by its name:
 * names are for people.
 * @module
 */
import * as v from "valibot";
import {
  type FileSys,
  HALF_WRITTEN,
  LedgerError,
  type ReadContext,
  readFile,
  removeIfThere,
  reportDamage,
  writeFile,
} from "./file.ts";
import { hashName, resourceFolder } from "./layout.ts";
import type { Lifetime } from "../plan/demand.ts";

/** A holder. */
export type Holder =
  | { readonly kind: "domain"; readonly driver: string; readonly uuid: string; readonly name: string }
  | { readonly kind: "network"; readonly uuid: string; readonly name: string }
  | {
    readonly kind: "port";
    readonly uuid: string;
    /** The network's UUID and name. */
    readonly network: string;
    readonly name: string;
    /** The guest's UUID. */
    readonly owner: string | undefined;
    /** The guest's name, after which libvirt names its status file. */
    readonly ownerName?: string | undefined;
  };

/** A holder, as a schema. */
export const holderSchema: v.GenericSchema<unknown, Holder> = v.variant("kind", [
  v.object({ kind: v.literal("domain"), driver: v.string(), uuid: v.string(), name: v.string() }),
  v.object({ kind: v.literal("network"), uuid: v.string(), name: v.string() }),
  v.pipe(
    v.object({
      kind: v.literal("port"),
      uuid: v.string(),
      network: v.string(),
      name: v.string(),
      owner: v.optional(v.string()),
      ownerName: v.optional(v.string()),
    }),
    v.transform((port) => ({ ...port, owner: port.owner })),
  ),
]);

/** What tells holders apart: `qemu/domain/UUID`, `network/UUID`, `port/UUID`. */
export function holderId(holder: Holder): string {
  return holder.kind === "domain" ? `${holder.driver}/domain/${holder.uuid}` : `${holder.kind}/${holder.uuid}`;
}

/** A holder, for people. */
export function describeHolder(holder: Holder): string {
  switch (holder.kind) {
    case "domain":
      return `guest ${JSON.stringify(holder.name)}`;
    case "network":
      return `network ${JSON.stringify(holder.name)}`;
    case "port":
      return `a port of network ${JSON.stringify(holder.name)}`;
    default:
      return holder satisfies never;
  }
}

/** The daemon that a demand came from. */
export interface Daemon {
  readonly pid: number;
  /** In the kernel's ticks since boot: with the number it names one process for ever. */
  readonly startTime: string;
  /** The program's name: `libvirtd`, `virtqemud`. */
  readonly name: string;
  /** The start time of the hook that it called, in the same ticks. */
  readonly hookStartTime?: string | undefined;
}

/** A demand with all that releasing it takes. */
export interface DemandRecord {
  readonly key: string;
  /** The kind of resource. */
  readonly resource: string;
  readonly holder: Holder;
  readonly rule: string;
  /** The action in its rule: `hugepages`, `services.2`. */
  readonly action: string;
  readonly lifetime: Lifetime;
  /** Its place in the order in which the holder's demands were acquired. */
  readonly order: number;
  readonly demand: unknown;
  /** What the rule asked for before the host was asked, as {@linkcode askedHash} has it; older versions did not note it. */
  readonly asked?: string | undefined;
  readonly daemon: Daemon;
  /** ISO 8601, UTC. */
  readonly since: string;
}

/** A record and where it lies. */
export interface StoredDemand {
  readonly record: DemandRecord;
  /** The resource's folder. */
  readonly folder: string;
  readonly path: string;
}

const recordSchema: v.GenericSchema<unknown, DemandRecord> = v.object({
  key: v.string(),
  resource: v.string(),
  holder: holderSchema,
  rule: v.string(),
  action: v.string(),
  lifetime: v.picklist(["domain", "running", "network", "port"]),
  order: v.number(),
  demand: v.unknown(),
  asked: v.optional(v.string()),
  daemon: v.object({
    pid: v.number(),
    startTime: v.string(),
    name: v.string(),
    hookStartTime: v.optional(v.string()),
  }),
  since: v.string(),
});

/** The file's name: it begins with its holder's, and acquiring the same again replaces it. */
export async function demandFileName(record: DemandRecord): Promise<string> {
  const { holder, rule, action, key, lifetime } = record;
  const rest = await hashName(JSON.stringify([rule, action, key, lifetime]));
  return `${await holderPrefix(holder)}${rest}.json`;
}

/** How the names of a holder's demands begin; ports are told from the rest, as networks and guests end them too. */
export async function holderPrefix(holder: Holder): Promise<string> {
  return `${holder.kind === "port" ? "p" : "h"}-${await hashName(holderId(holder))}-`;
}

/** The part of a demand's file name that is its holder's hash. */
export function hashOfHolder(name: string): string {
  return name.split("-")[1] ?? "";
}

/**
 * Tells whether a rule asks for the same as before: a hash of the demand as the rule's action planned it, without what depends
 * on the call.
 */
export async function askedHash(demand: unknown): Promise<string> {
  return await hashName(JSON.stringify(demand, (key, value) => CALL_KEYS.includes(key) ? undefined : value));
}

/**
 * A program's environment names the operation. The bridge of an interface on a network is in the document that a hook reads, but
 * not in the same place of libvirt's status file.
 */
const CALL_KEYS: readonly string[] = ["environment", "bridge"];

/** Writes a demand into the folder of its resource. */
export function storeDemand({ record, path }: StoredDemand, sys: FileSys): void {
  writeFile(path, { ...record }, sys);
}

/** The name of a demand's file. */
export function nameOf({ path }: StoredDemand): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** Removes files that killed processes left half written. Under the resource's lock, when it has no holder. */
export function sweepHalfWritten(
  name: string,
  sys: Pick<FileSys, "lstat" | "readDirectory" | "removeFile">,
): void {
  const { folder, demands } = resourceFolder(name);
  for (const place of [folder, demands]) {
    for (const half of (sys.readDirectory(place) ?? []).filter((each) => each.endsWith(HALF_WRITTEN))) {
      removeIfThere(`${place}/${half}`, sys);
    }
  }
}

/** The names of a resource's demands, in order. */
export function demandNames(folder: string, sys: Pick<FileSys, "lstat" | "readDirectory">): readonly string[] {
  const { demands } = resourceFolder(folder);
  const names = sys.readDirectory(demands);
  // The holders are unknown, which is not the same as none.
  if (names === undefined && sys.lstat(demands) !== undefined) throw new LedgerError(`${demands} is not a folder`);
  return (names ?? []).filter((name) => !name.endsWith(HALF_WRITTEN));
}

/** Reads the demands of these names. What cannot be read is told. */
export function readDemands(folder: string, names: readonly string[], reader: ReadContext): readonly StoredDemand[] {
  return names.flatMap((name): StoredDemand[] => {
    const path = `${resourceFolder(folder).demands}/${name}`;
    const reading = readFile(path, recordSchema, reader.sys);
    if (reading.kind === "data") return [{ record: reading.data, folder, path }];
    if (reading.kind === "damaged") reportDamage(path, reading.reason, reader);
    return [];
  });
}

/** Removes a demand; one that is gone already is no error. */
export function removeDemand(stored: StoredDemand, sys: FileSys): void {
  removeIfThere(stored.path, sys);
}
