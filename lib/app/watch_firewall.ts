/**
 * Looks again, for a while, at what libvirt's daemon writes anew when it has started: its own rules of the packet filter come
 * after the last call of its start. Where systemd is, its unit does the same; this needs no systemd.
 * @module
 */
import { hasLedger } from "../ledger/layout.ts";
import { ensureAll } from "../ledger/holds.ts";
import { openLedger } from "../ledger/ledger.ts";
import { reasonOf } from "../text/reason_of.ts";
import { allDemands } from "../ledger/reconcile.ts";
import type { ConvergeContext, Converged } from "../ledger/context.ts";
import type { Driver } from "../libvirt/driver.ts";
import type { Host } from "../resources/kinds.ts";
import { lookAtConfig } from "./config_folder.ts";
import { traceWaited } from "./watch_leases.ts";

/** How long it looks: a daemon with many ports announces each of them before it writes its rules. */
const WAIT_MS = 2 * 60_000;
const [FIRST_PAUSE_MS, LONGEST_PAUSE_MS] = [250, 2_000];
const CONVERGE_MS = 20_000;

/** Looks; returns the exit code, which nothing reads. Never throws: the history tells. */
export async function watchFirewall(driver: Driver, { kinds, sys }: Host): Promise<number> {
  if (sys.uid() !== 0) return 0;
  let told = "";
  let pauseMs = FIRST_PAUSE_MS;
  while (sys.elapsedMs() < WAIT_MS && hasLedger(sys) && await lookAtConfig(sys) !== "disabled") {
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
