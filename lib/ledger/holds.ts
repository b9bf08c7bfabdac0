/**
 * What calls do with the ledger: acquire, release and ensure the demands of a holder.
 * @module
 */
import { giveUpHint } from "../plan/give_up_hint.ts";
import type { Lifetime } from "../plan/demand.ts";
import { converge, onePass } from "./converge.ts";
import { type Converged, isWell, type Work } from "./work.ts";
import { demandNames, type FiledDemand, holderPrefix, nameOf, readDemands, removeDemand } from "./demand_file.ts";
import { endsWithGuest } from "./evidence.ts";
import type { Reader } from "./file.ts";
import { type Holder, holderId } from "./holder.ts";
import { resourceFolder } from "./layout.ts";
import { resourceNames } from "./ledger.ts";
import { isForgotten } from "./resource_lock.ts";
import { reasonOf } from "../text/reason_of.ts";
import { readState } from "./state_file.ts";
import type { Ready } from "./wish.ts";

/** What came of acquiring one wish. */
export interface Acquired {
  readonly ready: Ready;
  readonly converged: Converged;
  /** Set where the demand is in the ledger, even if it is not fulfilled. */
  readonly filed: FiledDemand | undefined;
  /** The demand of an earlier call that it took the place of. */
  readonly before: FiledDemand | undefined;
  /** What an earlier life had left of it, which was given back first. */
  readonly ended?: Converged | undefined;
}

/**
 * Creates demands of one resource and fulfils them in one go; one by one where not all can be had. Under the resource's lock, so
 * that two who want different things cannot both come in.
 */
export async function acquire(readies: readonly Ready[], work: Work): Promise<readonly Acquired[]> {
  const together = await acquireAtOnce(readies, work);
  if (readies.length < 2 || together.some(({ filed, converged }) => filed !== undefined || converged.end === "late")) {
    return together;
  }
  const each: Acquired[] = [];
  for (const ready of readies) {
    const isLate = work.sys.elapsedMs() >= work.deadlineMs;
    each.push(...isLate ? [unfiled(ready, tooLate(ready, together))] : await acquireAtOnce([ready], work));
  }
  return each;
}

/** What kept all from being had at once is what a person should know. */
function tooLate({ record: { key } }: Ready, [together]: readonly Acquired[]): Converged {
  return { key, end: "late", problem: together?.converged.problem ?? "no time was left" };
}

async function acquireAtOnce(readies: readonly Ready[], work: Work): Promise<readonly Acquired[]> {
  const newcomers = readies.map(newcomerOf);
  try {
    const refused = await clearWays(readies, work);
    if (refused !== undefined) return readies.map((ready) => unfiled(ready, refused));
    const befores = newcomers.map((newcomer) => standing(newcomer, work));
    const ended = await endFormers(readies, befores, work);
    const left = ended.find((former) => former !== undefined && !isWell(former));
    if (left !== undefined) return readies.map((ready) => unfiled(ready, left));
    const { converged, isTried } = await fileAll(newcomers, work);
    return readies.map((ready, index): Acquired => {
      const filed = newcomers.slice(index, index + 1).find((one) => isTried && work.sys.lstat(one.path) !== undefined);
      return { ready, converged, filed, before: befores[index], ended: ended[index] };
    });
  } catch (error) {
    const problem = reasonOf(error);
    return readies.map((ready) => unfiled(ready, { key: ready.record.key, end: "failed", problem }));
  }
}

function unfiled(ready: Ready, converged: Converged): Acquired {
  return { ready, converged, filed: undefined, before: undefined };
}

/** Clears the way for demands, or says why it cannot. Without the lock: it may wait for others. */
export async function clearWays(readies: readonly Ready[], { deadlineMs, sys }: Work): Promise<Converged | undefined> {
  for (const { resource, record: { key, demand } } of readies) {
    const refused = await resource.clear?.(demand, deadlineMs, sys);
    if (refused !== undefined) return { key, end: "failed", problem: refused.reason, hint: refused.hint };
  }
  return undefined;
}

/** Ends what each life begins anew, up to the first that cannot be ended. */
async function endFormers(
  readies: readonly Ready[],
  befores: readonly (FiledDemand | undefined)[],
  work: Work,
): Promise<readonly (Converged | undefined)[]> {
  const ended: (Converged | undefined)[] = [];
  for (const [index, ready] of readies.entries()) {
    const former = ready.resource.anew ? await endFormer(ready, befores[index], work) : undefined;
    ended.push(former);
    if (former !== undefined && !isWell(former)) break;
  }
  return ended;
}

function newcomerOf({ record, folder, name }: Ready): FiledDemand {
  return { record, folder, path: `${resourceFolder(folder).demands}/${name}` };
}

/** The demand whose place a newcomer takes. */
function standing(newcomer: FiledDemand, work: Work): FiledDemand | undefined {
  const names = work.sys.lstat(newcomer.path) === undefined ? [] : [nameOf(newcomer)];
  return readDemands(newcomer.folder, names, work)[0];
}

async function fileAll(
  newcomers: readonly FiledDemand[],
  work: Work,
): Promise<{ readonly converged: Converged; readonly isTried: boolean }> {
  const [first] = newcomers;
  if (first === undefined) throw new Error("Cannot acquire: nothing is wished");
  const { folder, record: { key } } = first;
  const pass = await onePass(folder, work, newcomers);
  if (pass === "locked") {
    const problem = `another hook has been at ${key} until no time was left`;
    return { converged: { key, end: "late", problem }, isTried: false };
  }
  // What the second look comes to is not these wishes' affair.
  if (pass.lookAgain) await converge(folder, { ...work, mayWait: false });
  return { converged: pass.converged, isTried: true };
}

/**
 * Gives back what an earlier life left of a resource that each life begins anew, and tells what came of it. A port is told of again
 * when the daemon starts: what it holds goes on, unless a hook was killed at it or its rule was edited.
 */
async function endFormer(
  { folder, resource, record }: Ready,
  before: FiledDemand | undefined,
  work: Work,
): Promise<Converged | undefined> {
  const state = readState(folder, work.sys);
  const isWhole = state?.pending === undefined && state?.problem === undefined;
  const goesOn = before !== undefined && isWhole && resource.keeps?.(before.record.demand, record.demand) !== false;
  if (state === undefined || goesOn) return undefined;
  if (before !== undefined) removeDemand(before, work.sys);
  const converged = await converge(folder, work);
  if (!isWell(converged)) {
    return {
      ...converged,
      problem: `what an earlier start did cannot be undone: ${converged.problem}`,
      hint: converged.hint ?? giveUpHint(converged.key),
    };
  }
  if (readState(folder, work.sys) === undefined) return converged;
  return {
    key: converged.key,
    end: "late",
    problem: "what an earlier start did is not undone yet: another hook is at it",
  };
}

/** Undoes an acquiring: what it took the place of is held again. `former`: what was removed for it, under other names. */
export async function takeBack(
  { ready, filed, before }: Acquired,
  former: readonly FiledDemand[],
  work: Work,
): Promise<Converged | undefined> {
  if (filed === undefined && former.length === 0) return undefined;
  const again = before === undefined ? former : [before, ...former];
  if (filed !== undefined && again.length === 0) return await release(filed, work);
  const { folder, record: { key } } = ready;
  try {
    if (filed !== undefined && before === undefined) removeDemand(filed, work.sys);
  } catch (error) {
    return { key, end: "failed", problem: reasonOf(error) };
  }
  const pass = await onePass(folder, work, again);
  if (pass === "locked") return { key, end: "late", problem: "another hook has been at it until no time was left" };
  // Beside what has come since there may be no room for it any more.
  return { ...isWell(pass.converged) ? pass.converged : await converge(folder, work), key };
}

/** Removes a demand and puts back what nobody else needs. Never throws: what it cannot do, it tells. */
export async function release(filed: FiledDemand, work: Work): Promise<Converged> {
  const { key } = filed.record;
  try {
    removeDemand(filed, work.sys);
  } catch (error) {
    return { key, end: "failed", problem: reasonOf(error) };
  }
  return { ...await converge(filed.folder, { ...work, about: filed.record }), key };
}

/** Which demands of a holder are meant. */
export interface Selection {
  readonly holder: Holder;
  readonly lifetimes: readonly Lifetime[];
}

/**
 * The demands of a holder in the order in which they were acquired. With a network come those of its ports, with a guest
 * those of its interfaces, as their own end may never be told.
 */
export async function demandsOf(
  { holder, lifetimes }: Selection,
  reader: Reader,
): Promise<readonly FiledDemand[]> {
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
export function demandsNamed(isMeant: (name: string) => boolean, reader: Reader): readonly FiledDemand[] {
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
function tried<One>(read: () => readonly One[], { notes }: Reader): readonly One[] {
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
function rank({ record }: FiledDemand): number {
  return LATER[record.lifetime] * 1_000_000 + record.order;
}

function endsWith(
  port: Holder & { readonly kind: "port" },
  { holder, lifetimes }: Selection,
  sys: Reader["sys"],
): boolean {
  if (holder.kind === "network") return port.network === holder.uuid && lifetimes.includes("port");
  return holder.kind === "domain" && lifetimes.includes("domain") && endsWithGuest(port, holder, sys);
}

/** Releases demands, the last acquired first, whatever becomes of the others. */
export async function releaseAll(demands: readonly FiledDemand[], work: Work): Promise<readonly Converged[]> {
  const results: Converged[] = [];
  for (const group of inOneGo(demands.toReversed())) results.push(...await releaseTogether(group, work));
  return results;
}

/** What stands beside each other and is of one resource is done in one go: ten ports are one change of the packet filter. */
export function inOneGo<Item extends { readonly folder: string }>(
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
async function releaseTogether(demands: readonly FiledDemand[], work: Work): Promise<readonly Converged[]> {
  const failed: Converged[] = [];
  for (const filed of demands.slice(0, -1)) {
    try {
      removeDemand(filed, work.sys);
    } catch (error) {
      failed.push({ key: filed.record.key, end: "failed", problem: reasonOf(error) });
    }
  }
  const last = demands.at(-1);
  return last === undefined ? failed : [...failed, await release(last, work)];
}

/** Of the folders in which nothing is remembered any more, a call removes so many: others wait for it. */
const EMPTY_FOLDERS_MAX = 64;

/**
 * Puts back what no demand is left of and was not put back: the hook that was to do it was killed between the two. What could
 * not be put back is left to reconcile, and what another hook is at, to that one. Also removes folders that a killed hook left.
 * `released`: what this call has tried already.
 */
export async function restoreAbandoned(released: readonly FiledDemand[], work: Work): Promise<readonly Converged[]> {
  const results: Converged[] = [];
  const tried = new Set(released.map(({ folder }) => folder));
  let emptied = 0;
  for (const folder of resourceNames(work.sys)) {
    if (tried.has(folder)) continue;
    const rest = restOf(folder, work);
    if (rest === "none" || (rest === "folder" && ++emptied > EMPTY_FOLDERS_MAX)) continue;
    const converged = await converge(folder, { ...work, mayWait: false });
    if (rest === "state" && converged.end !== "handed-over") results.push(converged);
  }
  return results;
}

/** What a hook that was killed left of a resource: a state that no demand wants any more, or not even that. */
function restOf(folder: string, { sys, notes }: Work): "state" | "folder" | "none" {
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
export async function ensureAll(demands: readonly FiledDemand[], work: Work): Promise<readonly Converged[]> {
  const results: Converged[] = [];
  for (const folder of new Set(demands.map((filed) => filed.folder))) results.push(await converge(folder, work));
  return results;
}
