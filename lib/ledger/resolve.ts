/**
 * What a call wants held, before and after the host was asked. Nothing here changes the host.
 * @module
 */
import type { AnyDemand } from "../plan/demand.ts";
import { loadResource } from "../resources/registry.ts";
import type { Reading, Refused, Resource } from "../resources/resource.ts";
import type { Sys } from "../sys/sys.ts";
import { TOOLS } from "../sys/tools.ts";
import { askedHash, demandFileName, demandNames, type DemandRecord, readDemands } from "./demand_file.ts";
import type { ReadContext } from "./file.ts";
import { heldOf } from "./target.ts";
import { holderId } from "./holder.ts";
import { hashName, resourceFolder } from "./layout.ts";
import { readState } from "./state_file.ts";

/** A demand that is not in the ledger yet. */
export type HoldRequest = Omit<DemandRecord, "key" | "asked" | "since">;

/** A wish that the host can fulfil as far as can be told. */
export interface ResolvedHold {
  readonly kind: "ready";
  readonly resource: Resource;
  readonly record: DemandRecord;
  /** The folder of its resource. */
  readonly folder: string;
  /** Its file in there. */
  readonly name: string;
  /** What a person should know. */
  readonly note: string | undefined;
  /** What stands, where resolving has read it. */
  readonly value: unknown;
}

/** What a wish comes with. */
export interface ResolveOptions {
  /** The rest of its plan. */
  readonly plan: readonly AnyDemand[];
  /** What its holder has by now, and this plan takes the place of. */
  readonly former: readonly DemandRecord[];
  /** Whether its holder lives already, as where edited rules reach a guest that runs. */
  readonly isAlive: boolean;
}

/** Asks the host about a wish. */
export async function resolveHold(
  request: HoldRequest,
  { plan, former, isAlive }: ResolveOptions,
  sys: Sys,
): Promise<ResolvedHold | Refused> {
  const resource = await loadResource(request.resource);
  if (resource === undefined) {
    return { kind: "refused", reason: `this version knows no resource of the kind ${request.resource}` };
  }
  const missing = resource.tools.map((tool) => TOOLS[tool]).find((path) => sys.lstat(path) === undefined);
  if (missing !== undefined) return { kind: "refused", reason: `there is no ${missing} on this host` };
  const held = former.filter((record) => record.resource === request.resource).map(({ demand }) => demand);
  const requester = {
    holder: holderId(request.holder),
    rule: request.rule,
    action: request.action,
    plan,
    held,
    isAlive,
  };
  const resolution = await resource.resolve(request.demand, sys, requester);
  if (resolution.kind === "refused") return resolution;
  const { key, demand, note, value } = resolution;
  const asked = await askedHash(request.demand);
  const record: DemandRecord = { ...request, key, demand, asked, since: sys.now().toISOString() };
  const [folder, name] = [await hashName(key), await demandFileName(record)];
  return { kind: "ready", resource, record, folder, name, note, value };
}

/** What a wish is looked at with. */
export interface ConflictOptions {
  readonly reader: ReadContext & { readonly sys: Sys };
  /** Wishes of the same call that come before it. */
  readonly others: readonly ResolvedHold[];
  /** Demands that will be gone by then. */
  readonly isOver: (record: DemandRecord) => boolean;
}

/**
 * Why a wish cannot stand beside what is held already, and beside others that are about to be; `undefined` when it can. Also
 * told where what is held cannot be read, since then nobody knows.
 */
export async function findConflict(
  resolved: ResolvedHold,
  { reader, others, isOver }: ConflictOptions,
): Promise<string | undefined> {
  const { sys } = reader;
  const { resource, folder, name } = resolved;
  const hasFolder = sys.lstat(resourceFolder(folder).folder) !== undefined;
  const names = hasFolder ? demandNames(folder, sys).filter((other) => other !== name) : [];
  const replaced = new Set([name, ...others.map((other) => other.name)]);
  const stored = readDemands(folder, names.filter((other) => !replaced.has(other)), reader)
    .filter((one) => !isOver(one.record));
  const planned = others.filter((other) => other.folder === folder && other.name !== name);
  const held = [...stored, ...[...planned, resolved].map((one) => ({ record: one.record, folder, path: "" }))].map(
    heldOf,
  );
  const state = hasFolder ? readState(folder, sys) : undefined;
  const original = state === undefined
    ? await currentValue(resolved, sys)
    : { kind: "value", value: state.original } as const;
  if (original.kind !== "value") return original.reason;
  const wanted = resource.wanted(original.value, held);
  return wanted.kind === "conflict" ? wanted.reason : undefined;
}

async function currentValue({ resource, record, value }: ResolvedHold, sys: Sys): Promise<Reading<unknown>> {
  return value === undefined ? await resource.read(record.key, sys, undefined) : { kind: "value", value };
}
