/**
 * What a call wants held, before and after the host was asked. Nothing here changes the host.
 * @module
 */
import { loadResource } from "../resources/registry.ts";
import { type Refused, type Resource, ResourceDataError } from "../resources/resource.ts";
import type { Sys } from "../sys/sys.ts";
import { TOOLS } from "../sys/tools.ts";
import { demandFileName, demandNames, type DemandRecord, readDemands } from "./demand_file.ts";
import type { Reader } from "./file.ts";
import { heldOf } from "./goal.ts";
import { hashName, resourceFolder } from "./layout.ts";
import { readState } from "./state_file.ts";

/** A demand that is not in the ledger yet. */
export type Wish = Omit<DemandRecord, "key" | "since">;

/** A wish that the host can fulfil as far as can be told. */
export interface Ready {
  readonly kind: "ready";
  readonly resource: Resource;
  readonly record: DemandRecord;
  /** The folder of its resource. */
  readonly folder: string;
  /** Its file in there. */
  readonly name: string;
  /** What a person should know. */
  readonly note: string | undefined;
}

/** Asks the host about a wish. */
export async function readyWish(wish: Wish, sys: Sys): Promise<Ready | Refused> {
  const resource = await loadResource(wish.resource);
  if (resource === undefined) {
    return { kind: "refused", reason: `this version knows no resource of the kind ${wish.resource}` };
  }
  const missing = resource.tools.map((tool) => TOOLS[tool]).find((path) => sys.lstat(path) === undefined);
  if (missing !== undefined) return { kind: "refused", reason: `there is no ${missing} on this host` };
  const resolution = await resource.resolve(wish.demand, sys);
  if (resolution.kind === "refused") return resolution;
  const { key, demand, note } = resolution;
  const record: DemandRecord = { ...wish, key, demand, since: sys.now().toISOString() };
  return { kind: "ready", resource, record, folder: await hashName(key), name: await demandFileName(record), note };
}

/** What a conflict is looked for with. */
export interface ConflictReader extends Reader {
  readonly sys: Sys;
  /** Paths of demands that are given back before, so that they stand in nobody's way. */
  readonly over?: ReadonlySet<string>;
}

/**
 * Why a wish cannot stand beside what is held already, and beside `others` that are about to be; `undefined` when it
 * can. Also told where what is held cannot be read, since then nobody knows.
 */
export async function conflictOf(
  ready: Ready,
  others: readonly Ready[],
  reader: ConflictReader,
): Promise<string | undefined> {
  const { sys, over } = reader;
  const { resource, record, folder, name } = ready;
  const hasFolder = sys.lstat(resourceFolder(folder).folder) !== undefined;
  const names = hasFolder ? demandNames(folder, sys).filter((other) => other !== name) : [];
  const replaced = new Set([name, ...others.map((other) => other.name)]);
  const filed = readDemands(folder, names.filter((other) => !replaced.has(other)), reader)
    .filter(({ path }) => over?.has(path) !== true);
  const planned = others.filter((other) => other.folder === folder && other.name !== name);
  const held = [...filed, ...[...planned, ready].map((one) => ({ record: one.record, folder, path: "" }))].map(heldOf);
  const state = hasFolder ? readState(folder, reader) : undefined;
  try {
    const reading = state === undefined ? await resource.read(record.key, sys, undefined) : undefined;
    if (reading !== undefined && reading.kind !== "value") return reading.reason;
    const wanted = resource.wanted(state?.original ?? reading?.value, held);
    return wanted.kind === "conflict" ? wanted.reason : undefined;
  } catch (error) {
    if (error instanceof ResourceDataError) return error.message;
    throw error;
  }
}
