/**
 * What calls do with the ledger: acquire, release and ensure the demands of a holder.
 * @module
 */
import { releaseHint } from "../plan/release_hint.ts";
import type { Lifetime } from "../plan/demand.ts";
import { converge, convergeOnce } from "./converge.ts";
import { type ConvergeContext, type Converged, succeeded } from "./context.ts";
import { demandNames, holderPrefix, nameOf, readDemands, removeDemand, type StoredDemand } from "./demand_file.ts";
import { endsWithGuest } from "./liveness.ts";
import type { ReadContext } from "./file.ts";
import { type Holder, holderId } from "./holder.ts";
import { resourceFolder } from "./layout.ts";
import { resourceNames } from "./ledger.ts";
import { isForgotten } from "./resource_lock.ts";
import { reasonOf } from "../text/reason_of.ts";
import { readState } from "./state_file.ts";
import type { ResolvedHold } from "./resolve.ts";

/** What came of acquiring one wish. */
export interface Acquired {
  readonly resolved: ResolvedHold;
  readonly converged: Converged;
  /** Set where the demand is in the ledger, even if it is not fulfilled. */
  readonly stored: StoredDemand | undefined;
  /** The demand of an earlier call that it took the place of. */
  readonly before: StoredDemand | undefined;
  /** What an earlier life had left of it, which was given back first. */
  readonly ended?: Converged | undefined;
}

/**
 * Creates demands of one resource and fulfils them in one go; one by one where not all can be had. Under the resource's lock, so
 * that two who want different things cannot both come in.
 */
export async function acquire(
  resolvedHolds: readonly ResolvedHold[],
  context: ConvergeContext,
): Promise<readonly Acquired[]> {
  const together = await acquireTogether(resolvedHolds, context);
  if (
    resolvedHolds.length < 2 ||
    together.some(({ stored, converged }) => stored !== undefined || converged.end === "late")
  ) {
    return together;
  }
  const each: Acquired[] = [];
  for (const resolved of resolvedHolds) {
    const isLate = context.sys.elapsedMs() >= context.deadlineMs;
    each.push(
      ...isLate ? [notStored(resolved, timedOut(resolved, together))] : await acquireTogether([resolved], context),
    );
  }
  return each;
}

/** What kept all from being had at once is what a person should know. */
function timedOut({ record: { key } }: ResolvedHold, [together]: readonly Acquired[]): Converged {
  return { key, end: "late", problem: together?.converged.problem ?? "no time was left" };
}

async function acquireTogether(
  resolvedHolds: readonly ResolvedHold[],
  context: ConvergeContext,
): Promise<readonly Acquired[]> {
  const additions = resolvedHolds.map(additionOf);
  try {
    const refused = await evictUsers(resolvedHolds, context);
    if (refused !== undefined) return resolvedHolds.map((resolved) => notStored(resolved, refused));
    const befores = additions.map((addition) => replacedDemand(addition, context));
    const ended = await endPreviousLives(resolvedHolds, befores, context);
    const left = ended.find((former) => former !== undefined && !succeeded(former));
    if (left !== undefined) return resolvedHolds.map((resolved) => notStored(resolved, left));
    const { converged, isTried } = await storeAll(additions, context);
    return resolvedHolds.map((resolved, index): Acquired => {
      const stored = additions.slice(index, index + 1).find((one) =>
        isTried && context.sys.lstat(one.path) !== undefined
      );
      return { resolved, converged, stored, before: befores[index], ended: ended[index] };
    });
  } catch (error) {
    const problem = reasonOf(error);
    return resolvedHolds.map((resolved) => notStored(resolved, { key: resolved.record.key, end: "failed", problem }));
  }
}

function notStored(resolved: ResolvedHold, converged: Converged): Acquired {
  return { resolved, converged, stored: undefined, before: undefined };
}

/** Clears the way for demands, or says why it cannot. Without the lock: it may wait for others. */
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

/** Ends what each life begins anew, up to the first that cannot be ended. */
async function endPreviousLives(
  resolvedHolds: readonly ResolvedHold[],
  befores: readonly (StoredDemand | undefined)[],
  context: ConvergeContext,
): Promise<readonly (Converged | undefined)[]> {
  const ended: (Converged | undefined)[] = [];
  for (const [index, resolved] of resolvedHolds.entries()) {
    const former = resolved.resource.perLife ? await endPreviousLife(resolved, befores[index], context) : undefined;
    ended.push(former);
    if (former !== undefined && !succeeded(former)) break;
  }
  return ended;
}

function additionOf({ record, folder, name }: ResolvedHold): StoredDemand {
  return { record, folder, path: `${resourceFolder(folder).demands}/${name}` };
}

/** The demand whose place a newcomer takes. */
function replacedDemand(addition: StoredDemand, context: ConvergeContext): StoredDemand | undefined {
  const names = context.sys.lstat(addition.path) === undefined ? [] : [nameOf(addition)];
  return readDemands(addition.folder, names, context)[0];
}

async function storeAll(
  additions: readonly StoredDemand[],
  context: ConvergeContext,
): Promise<{ readonly converged: Converged; readonly isTried: boolean }> {
  const [first] = additions;
  if (first === undefined) throw new Error("Cannot acquire: nothing is wished");
  const { folder, record: { key } } = first;
  const pass = await convergeOnce(folder, context, additions);
  if (pass === "locked") {
    const problem = `another hook has been at ${key} until no time was left`;
    return { converged: { key, end: "late", problem }, isTried: false };
  }
  // What the second look comes to is not these wishes' affair.
  if (pass.mustRetry) await converge(folder, { ...context, mayWait: false });
  return { converged: pass.converged, isTried: true };
}

/**
 * Gives back what an earlier life left of a resource that each life begins anew, and tells what came of it. A port is told of again
 * when the daemon starts: what it holds goes on, unless a hook was killed at it or its rule was edited.
 */
async function endPreviousLife(
  { folder, resource, record }: ResolvedHold,
  before: StoredDemand | undefined,
  context: ConvergeContext,
): Promise<Converged | undefined> {
  const state = readState(folder, context.sys);
  const isWhole = state?.pending === undefined && state?.problem === undefined;
  const goesOn = before !== undefined && isWhole && resource.keeps?.(before.record.demand, record.demand) !== false;
  if (state === undefined || goesOn) return undefined;
  if (before !== undefined) removeDemand(before, context.sys);
  const converged = await converge(folder, context);
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
    problem: "what an earlier start did is not undone yet: another hook is at it",
  };
}

/** Undoes an acquiring: what it took the place of is held again. `former`: what was removed for it, under other names. */
export async function rollback(
  { resolved, stored, before }: Acquired,
  former: readonly StoredDemand[],
  context: ConvergeContext,
): Promise<Converged | undefined> {
  if (stored === undefined && former.length === 0) return undefined;
  const again = before === undefined ? former : [before, ...former];
  if (stored !== undefined && again.length === 0) return await release(stored, context);
  const { folder, record: { key } } = resolved;
  try {
    if (stored !== undefined && before === undefined) removeDemand(stored, context.sys);
  } catch (error) {
    return { key, end: "failed", problem: reasonOf(error) };
  }
  const pass = await convergeOnce(folder, context, again);
  if (pass === "locked") return { key, end: "late", problem: "another hook has been at it until no time was left" };
  // Beside what has come since there may be no room for it any more.
  return { ...succeeded(pass.converged) ? pass.converged : await converge(folder, context), key };
}

/** Removes a demand and puts back what nobody else needs. Never throws: what it cannot do, it tells. */
export async function release(stored: StoredDemand, context: ConvergeContext): Promise<Converged> {
  const { key } = stored.record;
  try {
    removeDemand(stored, context.sys);
  } catch (error) {
    return { key, end: "failed", problem: reasonOf(error) };
  }
  return { ...await converge(stored.folder, { ...context, about: stored.record }), key };
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

/** The demands in the ledger whose names are meant, in the order in which they were acquired. */
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

/** Releases demands, the last acquired first, whatever becomes of the others. */
export async function releaseAll(
  demands: readonly StoredDemand[],
  context: ConvergeContext,
): Promise<readonly Converged[]> {
  const results: Converged[] = [];
  for (const group of groupByFolder(demands.toReversed())) results.push(...await releaseTogether(group, context));
  return results;
}

/** What stands beside each other and is of one resource is done in one go: ten ports are one change of the packet filter. */
export function groupByFolder<Item extends { readonly folder: string }>(
  items: readonly Item[],
): readonly (readonly Item[])[] {
  const groups: [Item, ...Item[]][] = [];
  for (const item of items) {
    const last = groups.at(-1);
    if (last?.[0].folder === item.folder) last.push(item);
    else groups.push([item]);
  }
  return groups;
}

/** Demands of one resource. All but the last are only removed: converging for that one takes all of them away. */
async function releaseTogether(
  demands: readonly StoredDemand[],
  context: ConvergeContext,
): Promise<readonly Converged[]> {
  const failed: Converged[] = [];
  for (const stored of demands.slice(0, -1)) {
    try {
      removeDemand(stored, context.sys);
    } catch (error) {
      failed.push({ key: stored.record.key, end: "failed", problem: reasonOf(error) });
    }
  }
  const last = demands.at(-1);
  return last === undefined ? failed : [...failed, await release(last, context)];
}

/** Of the folders in which nothing is remembered any more, a call removes so many: others wait for it. */
const EMPTY_FOLDERS_MAX = 64;

/**
 * Puts back what no demand is left of and was not put back: the hook that was to do it was killed between the two. What could
 * not be put back is left to reconcile, and what another hook is at, to that one. Also removes folders that a killed hook left.
 * `released`: what this call has tried already.
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
    const converged = await converge(folder, { ...context, mayWait: false });
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

/** Brings the resources of demands to what they shall be, in the order in which they were acquired. */
export async function ensureAll(
  demands: readonly StoredDemand[],
  context: ConvergeContext,
): Promise<readonly Converged[]> {
  const results: Converged[] = [];
  for (const folder of new Set(demands.map((stored) => stored.folder))) results.push(await converge(folder, context));
  return results;
}
