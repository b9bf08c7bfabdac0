/**
 * What a holder holds when its plan is made anew: what of it goes on, and what is over.
 * @module
 */
import type { StoredDemand } from "../ledger/demand_file.ts";
import { demandsOf } from "../ledger/holds.ts";
import { resourceFolder } from "../ledger/layout.ts";
import type { ResolvedHold } from "../ledger/resolve.ts";
import type { HookCall } from "../libvirt/call.ts";
import type { Lifetime } from "../plan/demand.ts";
import type { Hold } from "../plan/intent.ts";
import type { HolderSession } from "./holder_session.ts";

/** A hold and what the host says to it. */
export interface CheckedHold {
  readonly hold: Hold;
  readonly resolved: ResolvedHold;
}

/** What asking about holds takes. */
export type HolderQuery = Pick<HolderSession, "holder" | "ledger" | "call" | "sys" | "kinds" | "isAlive" | "keepsAll">;

/** What of an earlier life is over where a call begins one: whose end was never told, or whose hook was killed. */
export function overAt({ facts: { lifetimes } }: HookCall): readonly Lifetime[] {
  if (lifetimes.includes("domain")) return [...lifetimes, "running"];
  if (lifetimes.includes("network")) return [...lifetimes, "port"];
  return lifetimes;
}

/** At prepare, what `started` will need is only checked. */
export function ownOf(checked: readonly CheckedHold[], call: HookCall): readonly CheckedHold[] {
  return checked.filter(({ hold }) => call.facts.lifetimes.includes(hold.lifetime));
}

/** What the holder has and a new plan does not take up. */
export interface PreviousHolds {
  /** Of one that lives: a hold of the plan is on the same resource, which goes from the one value to the other. */
  readonly replaced: readonly StoredDemand[];
  /** Given back. */
  readonly obsolete: readonly StoredDemand[];
}

/** Finds what an earlier life of the holder left behind, and what changed rules do not ask for any more. */
export async function previousHolds(checked: readonly CheckedHold[], inquiry: HolderQuery): Promise<PreviousHolds> {
  const { holder, call, ledger, sys, isAlive, keepsAll } = inquiry;
  const kept = checked.filter(({ resolved }) => resolved.resource.perLife !== true || goesOn(inquiry));
  const paths = new Set(kept.map(demandPath));
  const demands = await demandsOf({ holder, lifetimes: overAt(call) }, { ...ledger, sys });
  const left = demands.filter(({ path }) => !paths.has(path));
  if (!isAlive) return { replaced: [], obsolete: left };
  const folders = new Set(checked.map(({ resolved }) => resolved.folder));
  // Its ports live with it.
  const own = left.filter(({ record }) => record.holder.kind === holder.kind);
  return {
    replaced: own.filter(({ folder }) => folders.has(folder)),
    obsolete: keepsAll ? [] : own.filter(({ folder }) => !folders.has(folder)),
  };
}

/** Where the demand of a hold will lie. */
export function demandPath({ resolved }: CheckedHold): string {
  return `${resourceFolder(resolved.folder).demands}/${resolved.name}`;
}

/** Whether a life goes on. A port is created anew, to us, whenever the daemon starts. */
export function goesOn({ call: { facts: { lifetimes } }, isAlive }: Pick<HolderQuery, "call" | "isAlive">): boolean {
  return isAlive === true || lifetimes.includes("port");
}
