/**
 * Processes that a hook leaves behind, to look again at what no hook is told of.
 * @module
 */
import { lookAtConfig } from "../product.ts";
import { historyEntry, writeHistory } from "../history.ts";
import { type ConvergeContext, type Converged, succeeded } from "../../ledger/converge.ts";
import type { StoredDemand } from "../../ledger/demand_file.ts";
import { ensureAll } from "../../ledger/holds.ts";
import { hasLedger, WATCHER_LOCK } from "../../ledger/layout.ts";
import { openLedger } from "../../ledger/ledger.ts";
import { allDemands } from "../../ledger/reconcile.ts";
import { ensureResource } from "../../ledger/update.ts";
import type { Driver } from "../../libvirt/driver.ts";
import { findOperation } from "../../libvirt/invocation.ts";
import type { Host } from "../../resources/kinds.ts";
import { sameValue } from "../../resources/resource.ts";
import { reasonOf } from "../../text/reason_of.ts";

/**
 * How long a demand is looked at: a big guest takes minutes to ask for an address, and then its firmware, its initial RAM disk and
 * its system may each ask with another client identifier, and get another address.
 */
const LEASES_MS = 10 * 60_000;
const [FIRST_LOOK_MS, LONGEST_LOOK_MS] = [250, 2_000];
const CONVERGE_MS = 20_000;

/** What demands were last seen to come to, by {@linkcode lifeOf}. */
type Seen = Map<string, unknown>;

/** Watches; returns the exit code, which is not used. Never throws: problems go to the history. */
export async function watchLeases(driver: Driver, host: Host): Promise<number> {
  const { sys } = host;
  if (sys.uid() !== 0) return 0;
  const seen: Seen = new Map();
  try {
    while (hasLedger(sys) && await waitInTurn(driver, seen, host));
  } catch (error) {
    traceWaited(driver, [{ key: "the ledger", end: "failed", problem: reasonOf(error) }], { sys, notes: [] });
  }
  return 0;
}

/** One process watches for all guests. After releasing the lock it checks again, for guests that appeared after its last check. */
async function waitInTurn(driver: Driver, seen: Seen, host: Host): Promise<boolean> {
  const lock = host.sys.lock(WATCHER_LOCK);
  if (lock === undefined) return false;
  using _lock = lock;
  return await waitForAll(driver, seen, host);
}

/** Looks until no demand is young enough; tells whether there was any. */
async function waitForAll(driver: Driver, seen: Seen, { kinds, sys }: Host): Promise<boolean> {
  if (await openLedger(sys, { make: false }) === undefined) return false;
  let hasWaited = false;
  let pauseMs = FIRST_LOOK_MS;
  while (await lookAtConfig(sys) !== "disabled") {
    const ledgerContext: ConvergeContext = {
      kinds,
      sys,
      notes: [],
      deadlineMs: sys.elapsedMs() + CONVERGE_MS,
      mayWait: true,
    };
    const waiting = await waitingDemands(ledgerContext);
    if (waiting.length === 0) return hasWaited;
    hasWaited = true;
    const moved = await movedDemands(waiting, seen, ledgerContext);
    const results: Converged[] = [];
    for (const folder of new Set(moved.map((stored) => stored.folder))) {
      results.push(await ensureResource(folder, ledgerContext));
    }
    if (results.some((one) => one.change !== undefined || !succeeded(one))) traceWaited(driver, results, ledgerContext);
    await sys.sleep(pauseMs);
    pauseMs = Math.min(pauseMs * 1.5, LONGEST_LOOK_MS);
  }
  return false;
}

/** A guest that starts again makes the same demand anew. */
function lifeOf({ path, record: { since } }: StoredDemand): string {
  return `${since} ${path}`;
}

/** Demands that may still change, and were made not too long ago. */
async function waitingDemands(ledgerContext: ConvergeContext): Promise<readonly StoredDemand[]> {
  const nowMs = ledgerContext.sys.now().getTime();
  const waiting: StoredDemand[] = [];
  for (const stored of allDemands(ledgerContext)) {
    const { resource, demand, since } = stored.record;
    const isYoung = nowMs - Date.parse(since) < LEASES_MS;
    if (isYoung && (await ledgerContext.kinds.load(resource))?.isWaiting?.(demand)) waiting.push(stored);
  }
  return waiting;
}

/** Those that come to something else than when they were last looked at, or made. What fails then is kept in the ledger. */
async function movedDemands(
  waiting: readonly StoredDemand[],
  seen: Seen,
  { kinds, sys }: ConvergeContext,
): Promise<readonly StoredDemand[]> {
  const moved: StoredDemand[] = [];
  for (const resource of new Set(waiting.map(({ record }) => record.resource))) {
    const stored = waiting.filter(({ record }) => record.resource === resource);
    const demands = stored.map(({ record }) => record.demand);
    const renewed = await (await kinds.load(resource))?.refresh?.(demands, sys) ?? demands;
    for (const [index, one] of stored.entries()) {
      const before = seen.get(lifeOf(one)) ?? one.record.demand;
      if (!sameValue(before, renewed[index])) moved.push(one);
      seen.set(lifeOf(one), renewed[index]);
    }
  }
  return moved;
}

/** Notes in the history what a process that waits has done. */
export function traceWaited(
  driver: Driver,
  results: readonly Converged[],
  { sys, notes }: Pick<ConvergeContext, "sys" | "notes">,
): void {
  const problem = results.find((one) => !succeeded(one))?.problem;
  // It does what a guest's reconnect does, or a daemon's reload.
  const facts = findOperation(driver, "reconnect") ?? findOperation(driver, "reload");
  const invocation = { driver, object: "-", operation: "waited", subOperation: "-", extra: "-", facts };
  const kept = { results, notes };
  const outcome = problem === undefined
    ? { kind: "done", weight: "noted", matches: [], steps: [], kept } as const
    : { kind: "failed", weight: "noted", matches: [], steps: [], kept, problem } as const;
  writeHistory(historyEntry(invocation, outcome, 0, sys), sys);
}

/** How long it looks: a daemon with many ports announces each of them before it writes its rules. */
const FIREWALL_MS = 2 * 60_000;
const [FIRST_PAUSE_MS, LONGEST_PAUSE_MS] = [250, 2_000];

/** Looks; returns the exit code, which nothing reads. Never throws: the history tells. */
export async function watchFirewall(driver: Driver, { kinds, sys }: Host): Promise<number> {
  if (sys.uid() !== 0) return 0;
  let told = "";
  let pauseMs = FIRST_PAUSE_MS;
  while (sys.elapsedMs() < FIREWALL_MS && hasLedger(sys) && await lookAtConfig(sys) !== "disabled") {
    await sys.sleep(pauseMs);
    pauseMs = Math.min(pauseMs * 1.5, LONGEST_PAUSE_MS);
    const notes: string[] = [];
    const results = await ensureOnce({ kinds, sys, notes, deadlineMs: sys.elapsedMs() + CONVERGE_MS, mayWait: true });
    if (results === undefined) return 0;
    const changed = results.filter(({ end }) => end !== "unchanged");
    // What fails in the same way each time is told once.
    const text = JSON.stringify(changed);
    if (changed.length > 0 && text !== told) traceWaited(driver, changed, { sys, notes });
    told = text;
  }
  return 0;
}

/** `undefined` where nothing is held that may be lost. */
async function ensureOnce(ledgerContext: ConvergeContext): Promise<readonly Converged[] | undefined> {
  try {
    if (await openLedger(ledgerContext.sys, { make: false }) === undefined) return undefined;
    const kinds = ledgerContext.kinds.writtenAfterStart;
    const demands = allDemands(ledgerContext).filter(({ record }) => kinds.includes(record.resource));
    return demands.length === 0 ? undefined : await ensureAll(demands, ledgerContext);
  } catch (error) {
    return [{ key: "the ledger", end: "failed", problem: reasonOf(error) }];
  }
}
