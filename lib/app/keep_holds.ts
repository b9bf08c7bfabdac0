/**
 * What a call does to demands that are in the ledger already: ends them, or brings the host back to them. No rule is needed
 * for it, so broken rules do not stand in its way.
 * @module
 */
import type { Converged, Work } from "../ledger/converge.ts";
import type { Holder } from "../ledger/holder.ts";
import { lockHolder, noteNotRunning, noteRunning } from "../ledger/holder_file.ts";
import { demandsOf, ensureAll, releaseAll } from "../ledger/holds.ts";
import { type Ledger, openLedger } from "../ledger/ledger.ts";
import { allDemands, reconcile } from "../ledger/reconcile.ts";
import type { HookCall } from "../libvirt/call.ts";
import type { Sys } from "../sys/sys.ts";
import { holderOf } from "./holder_of.ts";

/** What became of demands in the ledger. */
export interface Kept {
  readonly results: readonly Converged[];
  /** What was found on the way and somebody should know. */
  readonly notes: readonly string[];
}

/** Of its time, a call waits so much for another one about the same guest. */
const WAIT_SHARE = 0.5;

/** Releases or ensures what the call's guest or network holds; at the daemon's start, also looks who is dead. */
export async function keepHolds(call: HookCall, deadlineMs: number, sys: Sys): Promise<Kept> {
  const ledger = await openLedger(sys, { make: false });
  if (ledger === undefined) return { results: [], notes: [] };
  const work: Work = { sys, notes: ledger.notes, deadlineMs, mayWait: !call.facts.mustNotWait };
  const results = call.driver === "daemon" ? await keepAll(call, ledger, work) : await keepOwn(call, work);
  return { results, notes: ledger.notes };
}

async function keepOwn(call: HookCall, work: Work): Promise<readonly Converged[]> {
  const holder = holderOf(call);
  if (holder === undefined) return [];
  // One that cannot be had does not keep what is over from ending.
  using _lock = await lockHolder(holder, call.facts.mustNotWait ? 0 : work.deadlineMs * WAIT_SHARE, work.sys);
  const demands = await demandsOf({ holder, lifetimes: call.facts.lifetimes }, work);
  await noteLife(holder, call, demands.length > 0, work.sys);
  return call.facts.verb === "release" ? await releaseAll(demands, work) : await ensureAll(demands, work);
}

/** At `reconnect` libvirt has a status of the guest; once it has stopped, it has none. */
async function noteLife(holder: Holder, call: HookCall, holds: boolean, sys: Sys): Promise<void> {
  if (holder.kind !== "domain") return;
  if (call.facts.verb === "release") await noteNotRunning(holder, sys);
  else if (holds) await noteRunning(holder, sys);
}

/** Which drivers a daemon serves, by its program's name (15 bytes of it, as the kernel keeps it). */
const SERVED: Readonly<Record<string, readonly string[]>> = {
  libvirtd: ["qemu", "lxc", "libxl", "network"],
  virtqemud: ["qemu"],
  virtlxcd: ["lxc"],
  virtxend: ["libxl"],
  virtnetworkd: ["network"],
};

async function keepAll(call: HookCall, { daemon }: Ledger, work: Work): Promise<readonly Converged[]> {
  if (call.operation !== "start") {
    const demands = allDemands(work).filter(({ record }) => call.facts.lifetimes.includes(record.lifetime));
    return await ensureAll(demands, work);
  }
  const served = SERVED[daemon.name] ?? [];
  const { holders, resources } = await reconcile({
    includes: (holder) => served.includes(holder.kind === "domain" ? holder.driver : "network"),
    stale: false,
  }, work);
  return [...holders.flatMap(({ results }) => results), ...resources];
}
