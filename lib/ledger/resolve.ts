/**
 * What a call wants held, before and after the host was asked. Nothing here changes the host.
 * @module
 */
import type { AnyDemand } from "../plan/demand.ts";
import type { Host } from "../resources/kinds.ts";
import type { Reading, Refused, Resource } from "../resources/resource.ts";
import type { Sys } from "../sys/sys.ts";
import { TOOLS } from "../sys/tools.ts";
import { askedHash, demandFileName, demandNames, type DemandRecord, holderId, readDemands } from "./demand_file.ts";
import type { ReadContext } from "./file.ts";
import { heldOf } from "./target.ts";
import { hashName, resourceFolder } from "./layout.ts";
import { readState } from "./state_file.ts";

/** A demand that is not in the ledger yet. */
export type HoldRequest = Omit<DemandRecord, "key" | "asked" | "since">;

/** A hold that the host can fulfil, as far as that is known. */
export interface ResolvedHold {
  readonly kind: "ready";
  readonly resource: Resource;
  readonly record: DemandRecord;
  /** The folder of its resource. */
  readonly folder: string;
  /** Its file in there. */
  readonly name: string;
  /** A note for the user. */
  readonly note: string | undefined;
  /** The current value, if resolving has read it. */
  readonly value: unknown;
}

/** What resolving a hold needs to know of its call. */
export interface ResolveOptions {
  /** The rest of its plan. */
  readonly plan: readonly AnyDemand[];
  /** The holder's existing demands, which the plan replaces. */
  readonly former: readonly DemandRecord[];
  /** Whether the holder runs already, as when edited rules are applied to a running guest. */
  readonly isRunning: boolean;
}

/** Checks a hold against the host. */
export async function resolveHold(
  request: HoldRequest,
  { plan, former, isRunning }: ResolveOptions,
  { kinds, sys }: Host,
): Promise<ResolvedHold | Refused> {
  const resource = await kinds.load(request.resource);
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
    isRunning,
  };
  const resolution = await resource.resolve(request.demand, sys, requester);
  if (resolution.kind === "refused") return resolution;
  const { key, demand, note, value } = resolution;
  const asked = await askedHash(request.demand);
  const record: DemandRecord = { ...request, key, demand, asked, since: sys.now().toISOString() };
  const [folder, name] = [await hashName(key), await demandFileName(record)];
  return { kind: "ready", resource, record, folder, name, note, value };
}

/** What finding conflicts takes. */
export interface ConflictOptions {
  readonly reader: ReadContext & { readonly sys: Sys };
  /** Whether a stored demand will be gone by then. */
  readonly isOver: (record: DemandRecord) => boolean;
}

/**
 * Finds the holds of one resource that conflict with stored demands, or with those before them that fit: why, by hold. All conflict
 * where the original value cannot be read, since compatibility is unknown then.
 * @throws {LedgerError} when stored demands cannot be read
 */
export async function findConflicts(
  holds: readonly [ResolvedHold, ...ResolvedHold[]],
  { reader, isOver }: ConflictOptions,
): Promise<ReadonlyMap<ResolvedHold, string>> {
  const { sys } = reader;
  const [first] = holds;
  const { resource, folder } = first;
  const hasFolder = sys.lstat(resourceFolder(folder).folder) !== undefined;
  const replaced = new Set(holds.map(({ name }) => name));
  const names = hasFolder ? demandNames(folder, sys).filter((name) => !replaced.has(name)) : [];
  const stored = readDemands(folder, names, reader).filter(({ record }) => !isOver(record)).map(heldOf);
  const state = hasFolder ? readState(folder, sys) : undefined;
  const reading = state === undefined
    ? await currentValue(first, sys)
    : { kind: "value", value: state.original } as const;
  if (reading.kind !== "value") return new Map(holds.map((hold) => [hold, reading.reason]));
  const original = reading.value;
  if (resource.wanted(original, [...stored, ...holds.map(heldOf)]).kind === "value") return new Map();
  const conflicts = new Map<ResolvedHold, string>();
  const fitting = [...stored];
  for (const hold of holds) {
    const wanted = resource.wanted(original, [...fitting, heldOf(hold)]);
    if (wanted.kind === "conflict") conflicts.set(hold, wanted.reason);
    else fitting.push(heldOf(hold));
  }
  return conflicts;
}

async function currentValue({ resource, record, value }: ResolvedHold, sys: Sys): Promise<Reading<unknown>> {
  return value === undefined ? await resource.read(record.key, sys, undefined) : { kind: "value", value };
}
