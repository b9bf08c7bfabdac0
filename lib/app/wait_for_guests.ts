/**
 * Looks again at demands that wait for something which no hook is told of, until none waits any more, or for so long. It holds
 * nothing of libvirt's, and one such process waits for all.
 * @module
 */
import { converge } from "../ledger/converge.ts";
import { type Converged, isWell, type Work } from "../ledger/work.ts";
import type { FiledDemand } from "../ledger/demand_file.ts";
import { hasLedger, WAITER_LOCK } from "../ledger/layout.ts";
import { openLedger } from "../ledger/ledger.ts";
import { reasonOf } from "../ledger/ledger_error.ts";
import { allDemands } from "../ledger/reconcile.ts";
import type { Driver } from "../libvirt/driver.ts";
import { findOperation } from "../libvirt/invocation.ts";
import { loadResource } from "../resources/registry.ts";
import type { Sys } from "../sys/sys.ts";
import { lookAtConfig } from "./config_folder.ts";
import { historyEntry, writeHistory } from "./history.ts";

/** How long a demand is waited for: a big guest takes minutes to ask for an address. */
const WAIT_MS = 10 * 60_000;
const [FIRST_LOOK_MS, LONGEST_LOOK_MS] = [250, 2_000];
const CONVERGE_MS = 20_000;

/** Waits; returns the exit code, which nobody looks at. Never throws: the history tells. */
export async function waitForGuests(driver: Driver, sys: Sys): Promise<number> {
  if (sys.uid() !== 0) return 0;
  const served = new Set<string>();
  try {
    while (hasLedger(sys) && await waitInTurn(driver, served, sys));
  } catch (error) {
    traceWaited(driver, [{ key: "the ledger", end: "failed", problem: reasonOf(error) }], { sys, notes: [] });
  }
  return 0;
}

/** Who holds the lock waits for all, also for those that come behind its last look: it takes another one when it has let go. */
async function waitInTurn(driver: Driver, served: Set<string>, sys: Sys): Promise<boolean> {
  const lock = sys.lock(WAITER_LOCK);
  if (lock === undefined) return false;
  using _lock = lock;
  return await waitForAll(driver, served, sys);
}

/** Waits until all are served; tells whether there was anybody to wait for. */
async function waitForAll(driver: Driver, served: Set<string>, sys: Sys): Promise<boolean> {
  if (await openLedger(sys, { make: false }) === undefined) return false;
  let hasWaited = false;
  let pauseMs = FIRST_LOOK_MS;
  while (await lookAtConfig(sys) !== "disabled") {
    const work: Work = { sys, notes: [], deadlineMs: sys.elapsedMs() + CONVERGE_MS, mayWait: true };
    const waiting = (await waitingDemands(work)).filter((filed) => !served.has(lifeOf(filed)));
    if (waiting.length === 0) return hasWaited;
    hasWaited = true;
    const ready = await readyDemands(waiting, work);
    const results: Converged[] = [];
    for (const folder of new Set(ready.map((filed) => filed.folder))) results.push(await converge(folder, work));
    if (results.length > 0) traceWaited(driver, results, work);
    // Also what failed: it stands in the ledger now, where reconcile finds it.
    for (const filed of ready) served.add(lifeOf(filed));
    await sys.sleep(pauseMs);
    pauseMs = Math.min(pauseMs * 1.5, LONGEST_LOOK_MS);
  }
  return false;
}

/** A guest that starts again makes the same demand anew. */
function lifeOf({ path, record: { since } }: FiledDemand): string {
  return `${since} ${path}`;
}

/** Demands that waited when they were made, and not too long ago. */
async function waitingDemands(work: Work): Promise<readonly FiledDemand[]> {
  const nowMs = work.sys.now().getTime();
  const waiting: FiledDemand[] = [];
  for (const filed of allDemands(work)) {
    const { resource, demand, since } = filed.record;
    const isYoung = nowMs - Date.parse(since) < WAIT_MS;
    if (isYoung && (await loadResource(resource))?.waits?.(demand)) waiting.push(filed);
  }
  return waiting;
}

/** Those that need not wait any more. */
async function readyDemands(waiting: readonly FiledDemand[], { sys }: Work): Promise<readonly FiledDemand[]> {
  const ready: FiledDemand[] = [];
  for (const filed of waiting) {
    const kind = await loadResource(filed.record.resource);
    const [demand] = await kind?.renew?.([filed.record.demand], sys) ?? [];
    if (demand !== undefined && !kind?.waits?.(demand)) ready.push(filed);
  }
  return ready;
}

/** Notes in the history what a process that waits has done. */
export function traceWaited(
  driver: Driver,
  results: readonly Converged[],
  { sys, notes }: Pick<Work, "sys" | "notes">,
): void {
  const problem = results.find((one) => !isWell(one))?.problem;
  // It does what a guest's reconnect does, or a daemon's reload.
  const facts = findOperation(driver, "reconnect") ?? findOperation(driver, "reload");
  const invocation = { driver, object: "-", operation: "waited", subOperation: "-", extra: "-", facts };
  const kept = { results, notes };
  const outcome = problem === undefined
    ? { kind: "done", weight: "noted", matches: [], steps: [], kept } as const
    : { kind: "failed", weight: "noted", matches: [], steps: [], kept, problem } as const;
  writeHistory(historyEntry(invocation, outcome, 0, sys), sys);
}
