/**
 * What a call wants held, before and after the host was asked. Nothing here changes the host.
 * @module
 */
import type { AnyDemand } from "../plan/demand.ts";
import { loadResource } from "../resources/registry.ts";
import { type Refused, type Resource, ResourceDataError } from "../resources/resource.ts";
import type { Sys } from "../sys/sys.ts";
import { TOOLS } from "../sys/tools.ts";
import { demandFileName, demandNames, type DemandRecord, readDemands } from "./demand_file.ts";
import { heldOf } from "./converge.ts";
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

/** Asks the host about a wish, one of those that are acquired together. */
export async function readyWish(wish: Wish, plan: readonly AnyDemand[], sys: Sys): Promise<Ready | Refused> {
  const resource = await loadResource(wish.resource);
  if (resource === undefined) {
    return { kind: "refused", reason: `this version knows no resource of the kind ${wish.resource}` };
  }
  const missing = resource.tools.map((tool) => TOOLS[tool]).find((path) => sys.lstat(path) === undefined);
  if (missing !== undefined) return { kind: "refused", reason: `there is no ${missing} on this host` };
  const resolution = await resource.resolve(wish.demand, sys, plan);
  if (resolution.kind === "refused") return resolution;
  const { key, demand, note } = resolution;
  const record: DemandRecord = { ...wish, key, demand, since: sys.now().toISOString() };
  return { kind: "ready", resource, record, folder: await hashName(key), name: await demandFileName(record), note };
}

/**
 * Why a wish cannot stand beside what is held already, and beside `others` that are about to be; `undefined` when it
 * can. Also told where what is held cannot be read, since then nobody knows.
 */
export async function conflictOf(
  ready: Ready,
  others: readonly Ready[],
  { sys, notes }: { readonly sys: Sys; readonly notes: string[] },
): Promise<string | undefined> {
  const { resource, record, folder, name } = ready;
  const hasFolder = sys.lstat(resourceFolder(folder).folder) !== undefined;
  const names = hasFolder ? demandNames(folder, sys).filter((other) => other !== name) : [];
  const replaced = new Set([name, ...others.map((other) => other.name)]);
  const filed = readDemands(folder, names.filter((other) => !replaced.has(other)), sys, notes);
  const planned = others.filter((other) => other.folder === folder && other.name !== name);
  const held = [...filed, ...[...planned, ready].map((one) => ({ record: one.record, folder, path: "" }))].map(heldOf);
  const state = hasFolder ? readState(folder, sys, notes) : undefined;
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
