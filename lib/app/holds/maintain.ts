/**
 * What a call does to demands that are in the ledger already: ends them, or brings the host back to them. No rule is needed
 * for it, so broken rules do not stand in its way.
 * @module
 */
import { DRIVERS_OF_DAEMON } from "../../libvirt/drivers.ts";
import type { ConvergeContext, Converged } from "../../ledger/converge.ts";
import type { Holder, StoredDemand } from "../../ledger/demand_file.ts";
import { lockHolder, noteNotRunning, noteRunning } from "../../ledger/holder_file.ts";
import { demandsOf, ensureAll, releaseAll, restoreOrphaned } from "../../ledger/holds.ts";
import { type Ledger, openLedger } from "../../ledger/ledger.ts";
import { reasonOf } from "../../text/reason_of.ts";
import { allDemands, reconcile } from "../../ledger/reconcile.ts";
import type { HookCall } from "../../libvirt/call.ts";
import { isDocumentError } from "../../xml/limit_error.ts";
import type { Host } from "../../resources/kinds.ts";
import type { Sys } from "../../sys/sys.ts";
import { holderOf } from "./session.ts";
import { launchWatcher } from "./launch_watcher.ts";

/** What became of demands in the ledger. */
export interface Maintained {
  readonly results: readonly Converged[];
  /** Warnings collected on the way. */
  readonly notes: readonly string[];
  /** The daemon that made the call. */
  readonly daemon?: Ledger["daemon"];
}

/** Of its time, a call waits so much for another one about the same guest. */
const WAIT_SHARE = 0.5;

/** How demands are kept. */
export interface MaintainOptions {
  /** The end of the call's time, in milliseconds since the program started. */
  readonly deadlineMs: number;
  /** Keys of resources that the call has converged already. */
  readonly done: readonly string[];
  /** The holder, where the call's document does not tell. */
  readonly holder?: Holder;
}

/** Releases or ensures what the call's guest or network holds; at the daemon's start it also releases holders that are gone. */
export async function maintainHolds(
  call: HookCall,
  { deadlineMs, done, holder }: MaintainOptions,
  { kinds, sys }: Host,
): Promise<Maintained> {
  const ledger = await openLedger(sys, { make: false });
  if (ledger === undefined) return { results: [], notes: [] };
  const ledgerContext: ConvergeContext = {
    kinds,
    sys,
    notes: ledger.notes,
    deadlineMs,
    mayWait: !call.facts.mustNotWait,
  };
  const results = call.driver === "daemon"
    ? await maintainAll(call, ledger, ledgerContext)
    : await maintainOwn(call, { ledger, holder: holder ?? holderOrProblem(call) }, ledgerContext);
  const known = new Set([...done, ...results.map(({ key }) => key)]);
  return {
    results: [...results, ...await ensureOthers(call, known, ledgerContext)],
    notes: ledger.notes,
    daemon: ledger.daemon,
  };
}

/** Ensures the kinds that the operation may have undone, for all holders. */
async function ensureOthers(
  call: HookCall,
  done: ReadonlySet<string>,
  ledgerContext: ConvergeContext,
): Promise<readonly Converged[]> {
  const kinds = ledgerContext.kinds.ensuredAt(call.driver, call.operation);
  if (kinds.length === 0) return [];
  const demands = allDemands(ledgerContext).filter(({ record }) =>
    kinds.includes(record.resource) && !done.has(record.key)
  );
  return await ensureAll(demands, ledgerContext);
}

async function maintainOwn(
  call: HookCall,
  { ledger, holder }: { readonly ledger: Ledger; readonly holder: Holder | string },
  ledgerContext: ConvergeContext,
): Promise<readonly Converged[]> {
  if (call.facts.verb !== "release" && call.facts.verb !== "ensure") return [];
  if (typeof holder === "string") return [{ key: "the document on stdin", end: "failed", problem: holder }];
  // One that cannot be had does not keep what is over from ending.
  using _lock = await withLedgerErrors(
    ledgerContext,
    () => lockHolder(holder, ledgerContext.mayWait ? ledgerContext.deadlineMs * WAIT_SHARE : 0, ledgerContext),
  );
  const demands = meant(
    await demandsOf({ holder, lifetimes: call.facts.lifetimes }, ledgerContext),
    ledger,
    ledgerContext.sys,
  );
  const isRelease = call.facts.verb === "release";
  const results = isRelease
    ? [...await releaseAll(demands, ledgerContext), ...await restoreOrphaned(demands, ledgerContext)]
    : await ensureAll(demands, ledgerContext);
  await withLedgerErrors(
    ledgerContext,
    () => noteLife(holder, { isRelease, holds: demands.length > 0, call }, ledgerContext.sys),
  );
  return results;
}

/** Returns the holder of a call, or why the document does not identify it. */
function holderOrProblem(call: HookCall): Holder | string {
  const kept = call.facts.verb === "release" ? "restored" : "ensured";
  try {
    return holderOf(call) ?? `it has no UUID, so nothing is ${kept}`;
  } catch (error) {
    if (!isDocumentError(error)) throw error;
    const reason = error.message.replace("Cannot parse the XML", "it cannot be parsed");
    return `${reason}; its head has no UUID, so nothing is ${kept}`;
  }
}

/** Does what must not keep the rest from being done. */
async function withLedgerErrors<Result>(
  { notes }: ConvergeContext,
  act: () => Promise<Result>,
): Promise<Result | undefined> {
  try {
    return await act();
  } catch (error) {
    notes.push(reasonOf(error));
    return undefined;
  }
}

/** If the calling daemon died, a new daemon may already have restarted the guest: its demands are left alone. */
function meant(demands: readonly StoredDemand[], { daemon }: Ledger, sys: Sys): readonly StoredDemand[] {
  if (sys.ppid() === daemon.pid) return demands;
  return demands.filter(({ record }) =>
    record.daemon.pid === daemon.pid && record.daemon.startTime === daemon.startTime
  );
}

/** At `reconnect` libvirt has a status of the guest. When it is gone, so is what shows that it ran, but not before. */
async function noteLife(
  holder: Holder,
  { isRelease, holds, call }: { readonly isRelease: boolean; readonly holds: boolean; readonly call: HookCall },
  sys: Sys,
): Promise<void> {
  if (holder.kind !== "domain") return;
  if (!isRelease && holds) await noteRunning(holder, sys);
  if (isRelease && call.facts.lifetimes.includes("domain")) await noteNotRunning(holder, sys);
}

/**
 * Whether a daemon of these drivers tells of a holder when it starts. Of a port two do: the daemon of its network, and that of its
 * guest, as libvirt keeps the port of a guest that was lost while it started.
 */
function isServed(holder: Holder, served: readonly string[]): boolean {
  switch (holder.kind) {
    case "domain":
      return served.includes(holder.driver);
    case "network":
      return served.includes("network");
    case "port":
      return served.length > 0;
    default:
      return holder satisfies never;
  }
}

async function maintainAll(
  call: HookCall,
  { daemon }: Ledger,
  ledgerContext: ConvergeContext,
): Promise<readonly Converged[]> {
  if (call.operation !== "start") {
    const demands = allDemands(ledgerContext).filter(({ record }) => call.facts.lifetimes.includes(record.lifetime));
    return await ensureAll(demands, ledgerContext);
  }
  const served = DRIVERS_OF_DAEMON[daemon.name] ?? [];
  const { holders, resources } = await reconcile(
    { includes: (holder) => isServed(holder, served), stale: false },
    ledgerContext,
  );
  if (served.includes("network")) await lookAgainLater(ledgerContext);
  return [...holders.flatMap(({ results }) => results), ...resources];
}

/** The daemon that has the networks writes its own rules of the packet filter after this call, and no other call may come. */
async function lookAgainLater(ledgerContext: ConvergeContext): Promise<void> {
  const kinds = ledgerContext.kinds.writtenAfterStart;
  if (!allDemands(ledgerContext).some(({ record }) => kinds.includes(record.resource))) return;
  const problem = await launchWatcher("firewall", ledgerContext.sys);
  if (problem !== undefined) ledgerContext.notes.push(problem);
}
