/**
 * What the ledger says and how the host stands to it, without changing either. No lock is taken: a hook that finds one
 * taken may go and leave its work to whoever holds it.
 * @module
 */
import { loadResource } from "../resources/registry.ts";
import { type Noted, type Resource, ResourceDataError } from "../resources/resource.ts";
import type { Sys } from "../sys/sys.ts";
import { demandNames, type FiledDemand, readDemands } from "./demand_file.ts";
import { viewDaemons } from "./daemons.ts";
import { byHolder, judge, NOT_LOOKED_AT, type Verdict } from "./evidence.ts";
import type { Reader } from "./file.ts";
import { rebased } from "./goal.ts";
import { filedNow } from "./held.ts";
import type { Holder } from "./holder.ts";
import { resourceNames } from "./ledger.ts";
import { reasonOf } from "../text/reason_of.ts";
import { resourceFolder } from "./layout.ts";
import { lookAtState, type State } from "./state_file.ts";

/** What surveying works with. */
export interface Lookout extends Reader {
  readonly sys: Sys;
}

/** How the host stands to what the ledger remembers of a resource. */
export type Standing =
  | {
    readonly kind: "value";
    readonly resource: Resource;
    readonly noted: Noted<unknown>;
    readonly actual: unknown;
    /** Why it is not what was written, where that is known to be no change by others. */
    readonly drift?: string | undefined;
  }
  /** There is no such thing any more. */
  | { readonly kind: "gone"; readonly reason: string }
  /** Nobody can tell. */
  | { readonly kind: "unknown"; readonly reason: string };

/** A resource that somebody holds, or that could not be put back. */
export interface Surveyed {
  readonly key: string;
  /** The name of its kind. */
  readonly resource: string;
  readonly folder: string;
  readonly state: State | undefined;
  readonly demands: readonly FiledDemand[];
  readonly standing: Standing;
}

/** Looks at every resource in the ledger, in the order of their keys. */
export async function surveyResources(lookout: Lookout): Promise<readonly Surveyed[]> {
  const found: Surveyed[] = [];
  for (const folder of resourceNames(lookout.sys)) {
    try {
      const surveyed = await surveyResource(folder, lookout);
      if (surveyed !== undefined) found.push(surveyed);
    } catch (error) {
      // What cannot be read of one resource says nothing of the others.
      lookout.notes.push(reasonOf(error));
    }
  }
  return found.sort((a, b) => a.key < b.key ? -1 : 1);
}

/** Looks at the resource of a folder; `undefined` when nobody holds it and nothing is remembered of it. */
export async function surveyResource(folder: string, lookout: Lookout): Promise<Surveyed | undefined> {
  const filed = readDemands(folder, demandNames(folder, lookout.sys), lookout);
  const reading = lookAtState(folder, lookout.sys);
  const state = reading.kind === "data" ? reading.data : undefined;
  const damage = reading.kind === "damaged"
    ? `${resourceFolder(folder).state} cannot be read (${reading.reason})`
    : undefined;
  if (damage !== undefined) lookout.notes.push(damage);
  const about = state ?? filed[0]?.record;
  if (about === undefined) return undefined;
  const { key, resource } = about;
  const demands = await demandsNow(resource, filed, lookout.sys);
  const standing: Standing = damage === undefined
    ? await standingOf({ key, resource, state }, lookout.sys)
    : { kind: "unknown", reason: `${damage}, so what it was before is unknown` };
  return { key, resource, folder, state, demands, standing };
}

/** What cannot be read stays as it is: the resource's standing says so. */
async function demandsNow(name: string, filed: readonly FiledDemand[], sys: Sys): Promise<readonly FiledDemand[]> {
  const kind = await loadResource(name);
  if (kind === undefined) return filed;
  try {
    return await filedNow(kind, filed, sys);
  } catch (error) {
    if (!(error instanceof ResourceDataError)) throw error;
    return filed;
  }
}

/** How the host stands to a resource, of which nothing may be remembered. */
export async function standingOf(
  { key, resource: name, state }: Pick<Surveyed, "key" | "resource" | "state">,
  sys: Sys,
): Promise<Standing> {
  const resource = await loadResource(name);
  if (resource === undefined) {
    return { kind: "unknown", reason: `this version knows no resource of the kind ${name}` };
  }
  try {
    const reading = await resource.read(key, sys, state);
    if (reading.kind === "unreadable") return { kind: "unknown", reason: reading.reason };
    if (reading.kind === "gone") return reading;
    const noted = rebased(resource, state, reading.value);
    const drift = await resource.tellDrift?.(noted, reading.value, sys);
    return { kind: "value", resource, noted, actual: reading.value, drift };
  } catch (error) {
    if (!(error instanceof ResourceDataError)) throw error;
    return { kind: "unknown", reason: error.message };
  }
}

/** A holder with what is known of it. */
export interface SurveyedHolder {
  readonly holder: Holder;
  readonly verdict: Verdict;
  readonly demands: readonly [FiledDemand, ...FiledDemand[]];
}

/** How long judging holders may take: someone waits for the answer, and a monitor asks for it every minute. */
const HOLDERS_MS = 30_000;

/** Judges everybody who holds one of these resources; of whom no time was left to judge is `unknown`. */
export async function surveyHolders(resources: readonly Surveyed[], sys: Sys): Promise<readonly SurveyedHolder[]> {
  const untilMs = sys.elapsedMs() + HOLDERS_MS;
  const daemons = viewDaemons(sys);
  const holders: SurveyedHolder[] = [];
  for (const demands of byHolder(resources.flatMap((surveyed) => surveyed.demands))) {
    const verdict = sys.elapsedMs() < untilMs
      ? await judge(demands.map(({ record }) => record), daemons, sys)
      : NOT_LOOKED_AT;
    holders.push({ holder: demands[0].record.holder, verdict, demands });
  }
  return holders;
}
