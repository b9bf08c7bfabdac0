/**
 * What calls do with the ledger: acquire, release and ensure the demands of a holder.
 * @module
 */
import { releaseHint } from "../plan/release_hint.ts";
import type { Lifetime } from "../plan/demand.ts";
import { type ConvergeContext, type Converged, succeeded } from "./converge.ts";
import { demandNames, type Holder, holderId, holderPrefix, readDemands, type StoredDemand } from "./demand_file.ts";
import { endsWithGuest } from "./liveness.ts";
import type { ReadContext } from "./file.ts";
import { resourceFolder } from "./layout.ts";
import { resourceNames } from "./ledger.ts";
import { isForgotten } from "./locks.ts";
import { reasonOf } from "../text/reason_of.ts";
import { readState } from "./state_file.ts";
import type { ResolvedHold } from "./resolve.ts";
import { ensureResource, type Updated, updateResource } from "./update.ts";

/** What acquiring one hold did. */
export interface Acquired {
  readonly resolved: ResolvedHold;
  readonly converged: Converged;
  /** Set where the demand is in the ledger, even if it is not fulfilled. */
  readonly stored: StoredDemand | undefined;
  /** The demands of earlier calls that it replaced. */
  readonly replaced: readonly StoredDemand[];
  /** What an earlier life had left of it, which was restored first. */
  readonly ended?: Converged | undefined;
}

/**
 * Creates demands of one resource and fulfils them with one change, but for those that conflict with others. `former`: the holder's
 * demands of the same resource that they replace. Never throws.
 */
export async function acquire(
  resolvedHolds: readonly ResolvedHold[],
  former: readonly StoredDemand[],
  context: ConvergeContext,
): Promise<readonly Acquired[]> {
  try {
    const refused = await evictUsers(resolvedHolds, context);
    if (refused !== undefined) return resolvedHolds.map((resolved) => notAcquired(resolved, refused));
    const additions = resolvedHolds.map((resolved) => additionOf(resolved, former, context));
    const ended = await endPreviousLives(additions, context);
    const failure = ended.find((one) => one !== undefined && !succeeded(one));
    if (failure !== undefined) {
      return additions.map(({ resolved, replaced }) => ({ ...notAcquired(resolved, failure), replaced }));
    }
    const acquired = await addFitting(additions, former, context);
    return acquired.map((one, index) => ({ ...one, ended: ended[index] }));
  } catch (error) {
    const problem = reasonOf(error);
    return resolvedHolds.map((resolved) => notAcquired(resolved, { key: resolved.record.key, end: "failed", problem }));
  }
}

/** A hold of which nothing is in the ledger. */
export function notAcquired(resolved: ResolvedHold, converged: Converged): Acquired {
  return { resolved, converged, stored: undefined, replaced: [] };
}

/** A hold as it will be stored. */
interface Addition {
  readonly resolved: ResolvedHold;
  readonly stored: StoredDemand;
  /** The demand of the same name, if there is one. */
  readonly same: StoredDemand | undefined;
  /** That one, and the other demands that it replaces. */
  readonly replaced: readonly StoredDemand[];
}

function additionOf(resolved: ResolvedHold, former: readonly StoredDemand[], context: ConvergeContext): Addition {
  const { record, folder, name } = resolved;
  const stored = { record, folder, path: `${resourceFolder(folder).demands}/${name}` };
  const names = context.sys.lstat(stored.path) === undefined ? [] : [name];
  const [same] = readDemands(folder, names, context);
  return { resolved, stored, same, replaced: same === undefined ? former : [same, ...former] };
}

/** Adds the demands that fit beside all others with one update; each that conflicts is left out. */
async function addFitting(
  additions: readonly Addition[],
  former: readonly StoredDemand[],
  context: ConvergeContext,
): Promise<readonly Acquired[]> {
  const conflicts = new Map<Addition, Converged>();
  let fitting = [...additions];
  while (fitting[0] !== undefined) {
    const add = fitting.map(({ stored }) => stored);
    const updated = await updateResource(fitting[0].stored.folder, { add, remove: former }, context);
    const culprit = updated.kind === "conflict" ? fitting[updated.culprit] : undefined;
    if (culprit === undefined) return additions.map((one) => acquiredOf(one, conflicts.get(one), updated, context));
    conflicts.set(culprit, updated.converged);
    fitting = fitting.filter((one) => one !== culprit);
    if (context.sys.elapsedMs() < context.deadlineMs) continue;
    for (const one of fitting.splice(0)) conflicts.set(one, { ...updated.converged, end: "late" });
  }
  return additions.flatMap((one) => {
    const conflict = conflicts.get(one);
    return conflict === undefined ? [] : [notAcquired(one.resolved, conflict)];
  });
}

/** A failed update may have stored nothing, and another hook may have removed the demand since. */
function acquiredOf(
  { resolved, stored, replaced }: Addition,
  conflict: Converged | undefined,
  { kind, converged }: Updated,
  { sys }: ConvergeContext,
): Acquired {
  if (conflict !== undefined) return notAcquired(resolved, conflict);
  if (kind === "locked") return notAcquired(resolved, converged);
  return { resolved, converged, stored: sys.lstat(stored.path) === undefined ? undefined : stored, replaced };
}

/** Evicts current users of the resources, or says why it cannot. Without a lock: it may wait for others. */
export async function evictUsers(
  resolvedHolds: readonly ResolvedHold[],
  { deadlineMs, sys }: ConvergeContext,
): Promise<Converged | undefined> {
  for (const { resource, record: { key, demand } } of resolvedHolds) {
    const refused = await resource.evict?.(demand, deadlineMs, sys);
    if (refused !== undefined) return { key, end: "failed", problem: refused.reason, hint: refused.hint };
  }
  return undefined;
}

/** Ends the previous life of every resource that each life begins anew, up to the first that cannot be ended. */
async function endPreviousLives(
  additions: readonly Addition[],
  context: ConvergeContext,
): Promise<readonly (Converged | undefined)[]> {
  const ended: (Converged | undefined)[] = [];
  for (const addition of additions) {
    const result = addition.resolved.resource.perLife ? await endPreviousLife(addition, context) : undefined;
    ended.push(result);
    if (result !== undefined && !succeeded(result)) break;
  }
  return ended;
}

/**
 * Restores what an earlier life left of a resource that each life begins anew. libvirt reports a port as created again when its
 * daemon starts: what the port holds is kept, unless a hook was killed while it worked on it or the rule was edited.
 */
async function endPreviousLife(
  { resolved: { folder, resource, record }, same, replaced }: Pick<Addition, "resolved" | "same" | "replaced">,
  context: ConvergeContext,
): Promise<Converged | undefined> {
  const state = readState(folder, context.sys);
  const isWhole = state?.pending === undefined && state?.problem === undefined;
  const goesOn = same !== undefined && isWhole && resource.keeps?.(same.record.demand, record.demand) !== false;
  if (state === undefined || goesOn) return undefined;
  const { converged } = await updateResource(folder, { add: [], remove: replaced }, context);
  if (!succeeded(converged)) {
    return {
      ...converged,
      problem: `what an earlier start did cannot be undone: ${converged.problem}`,
      hint: converged.hint ?? releaseHint(converged.key),
    };
  }
  if (readState(folder, context.sys) === undefined) return converged;
  return {
    key: converged.key,
    end: "late",
    problem: "what an earlier start did is not undone yet: another hook is working on it",
  };
}

/** Restores what an earlier life left of a resource that this life begins anew later. Never throws. */
export async function endEarlierLife(
  resolved: ResolvedHold,
  context: ConvergeContext,
): Promise<Converged | undefined> {
  if (resolved.resource.perLife !== true) return undefined;
  try {
    return await endPreviousLife({ resolved, same: undefined, replaced: [] }, context);
  } catch (error) {
    return { key: resolved.record.key, end: "failed", problem: reasonOf(error) };
  }
}

/** Rolls back acquired holds of one resource. `restored`: the demands that they replaced and that are stored again. */
export async function rollback(
  acquired: readonly Acquired[],
  restored: readonly StoredDemand[],
  context: ConvergeContext,
): Promise<Converged | undefined> {
  const [first] = acquired;
  const remove = acquired.flatMap(({ stored }) => stored ?? []);
  if (first === undefined || (remove.length === 0 && restored.length === 0)) return undefined;
  const { folder, record: { key } } = first.resolved;
  const updated = await updateResource(folder, { add: restored, remove }, context);
  if (updated.kind === "converged") return { ...updated.converged, key };
  // The replaced demands may not fit any more beside those that arrived meanwhile.
  return { ...(await updateResource(folder, { add: [], remove }, context)).converged, key };
}

/** Which demands of a holder are meant. */
export interface DemandSelection {
  readonly holder: Holder;
  readonly lifetimes: readonly Lifetime[];
}

/**
 * The demands of a holder in the order in which they were acquired. With a network come those of its ports, with a guest
 * those of its interfaces, as their own end may never be told.
 */
export async function demandsOf(
  { holder, lifetimes }: DemandSelection,
  reader: ReadContext,
): Promise<readonly StoredDemand[]> {
  const own = await holderPrefix(holder);
  const mayOwnPorts = holder.kind !== "port";
  const id = holderId(holder);
  const mayBeMeant = (name: string): boolean => name.startsWith(own) || (mayOwnPorts && name.startsWith("p-"));
  return demandsNamed(mayBeMeant, reader).filter(({ record }) => {
    if (holderId(record.holder) === id) return lifetimes.includes(record.lifetime);
    return record.holder.kind === "port" && endsWith(record.holder, { holder, lifetimes }, reader.sys);
  });
}

/** Returns the demands in the ledger whose names match, in the order in which they were acquired. */
export function demandsNamed(isMeant: (name: string) => boolean, reader: ReadContext): readonly StoredDemand[] {
  const { sys } = reader;
  // What cannot be read of one demand, or of one resource, says nothing of the others.
  const found = resourceNames(sys).flatMap((folder) =>
    tried(() => demandNames(folder, sys), reader)
      .filter(isMeant)
      .flatMap((name) => tried(() => readDemands(folder, [name], reader), reader))
  );
  return found.sort((a, b) => rank(a) - rank(b));
}

/** What was read, or nothing and why. */
function tried<One>(read: () => readonly One[], { notes }: ReadContext): readonly One[] {
  try {
    return read();
  } catch (error) {
    notes.push(reasonOf(error));
    return [];
  }
}

/** What lasts while a guest runs is acquired behind all that lasts while it is there. */
const LATER = { domain: 0, network: 0, running: 1, port: 1 } as const satisfies Record<Lifetime, number>;

/** A call has less than a million holds. */
function rank({ record }: StoredDemand): number {
  return LATER[record.lifetime] * 1_000_000 + record.order;
}

function endsWith(
  port: Holder & { readonly kind: "port" },
  { holder, lifetimes }: DemandSelection,
  sys: ReadContext["sys"],
): boolean {
  if (holder.kind === "network") return port.network === holder.uuid && lifetimes.includes("port");
  return holder.kind === "domain" && lifetimes.includes("domain") && endsWithGuest(port, holder, sys);
}

/** Releases demands, the last acquired first; a failure does not keep the others. */
export async function releaseAll(
  demands: readonly StoredDemand[],
  context: ConvergeContext,
): Promise<readonly Converged[]> {
  const results: Converged[] = [];
  for (const group of groupByFolder(demands.toReversed())) {
    results.push((await updateResource(group[0].folder, { add: [], remove: group }, context)).converged);
  }
  return results;
}

/** Groups neighbours of one resource, which are changed together: ten ports are one change of the packet filter. */
export function groupByFolder<Item extends { readonly folder: string }>(
  items: readonly Item[],
): readonly (readonly [Item, ...Item[]])[] {
  const groups: [Item, ...Item[]][] = [];
  for (const item of items) {
    const last = groups.at(-1);
    if (last?.[0].folder === item.folder) last.push(item);
    else groups.push([item]);
  }
  return groups;
}

/** How many abandoned folders a call removes at most: other hooks wait for it. */
const EMPTY_FOLDERS_MAX = 64;

/**
 * Restores resources whose last demand was removed but whose original value was not written back, because the hook was killed in
 * between. What cannot be restored is left to reconcile. Also removes folders that a killed hook left. `released`: what this call has
 * tried already.
 */
export async function restoreOrphaned(
  released: readonly StoredDemand[],
  context: ConvergeContext,
): Promise<readonly Converged[]> {
  const results: Converged[] = [];
  const tried = new Set(released.map(({ folder }) => folder));
  let emptied = 0;
  for (const folder of resourceNames(context.sys)) {
    if (tried.has(folder)) continue;
    const rest = restOf(folder, context);
    if (rest === "none" || (rest === "folder" && ++emptied > EMPTY_FOLDERS_MAX)) continue;
    const converged = await ensureResource(folder, { ...context, mayWait: false });
    if (rest === "state" && converged.end !== "handed-over") results.push(converged);
  }
  return results;
}

/** What a hook that was killed left of a resource: a state that no demand wants any more, or not even that. */
function restOf(folder: string, { sys, notes }: ConvergeContext): "state" | "folder" | "none" {
  try {
    if (isForgotten(folder, sys)) return "folder";
    if (demandNames(folder, sys).length > 0) return "none";
    const state = readState(folder, sys);
    const free = sys.lock(resourceFolder(folder).busy);
    using _free = free;
    return free !== undefined && state !== undefined && state.problem === undefined ? "state" : "none";
  } catch (error) {
    notes.push(reasonOf(error));
    return "none";
  }
}

/** Converges the resources of demands, in the order in which they were acquired. */
export async function ensureAll(
  demands: readonly StoredDemand[],
  context: ConvergeContext,
): Promise<readonly Converged[]> {
  const results: Converged[] = [];
  for (const folder of new Set(demands.map((stored) => stored.folder))) {
    results.push(await ensureResource(folder, context));
  }
  return results;
}
