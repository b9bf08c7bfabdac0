/**
 * Every hold of a plan is checked before anything is touched: against the host, against what others hold, and against the
 * other holds of the plan.
 * @module
 */
import type { DemandRecord } from "../ledger/demand_file.ts";
import { viewDaemons } from "../ledger/daemons.ts";
import { assessLiveness, isLeftBehind } from "../ledger/liveness.ts";
import type { ReadContext } from "../ledger/file.ts";
import { holderId } from "../ledger/holder.ts";
import { demandsOf } from "../ledger/holds.ts";
import { reasonOf } from "../text/reason_of.ts";
import { findConflicts, type ResolvedHold, resolveHold, type ResolveOptions } from "../ledger/resolve.ts";
import type { HookCall } from "../libvirt/call.ts";
import type { Hold } from "../plan/intent.ts";
import type { Refused } from "../resources/resource.ts";
import { stepOf } from "./hold_step.ts";
import { type CheckedHold, type HolderQuery, overAt } from "./previous_holds.ts";
import type { Step } from "./step.ts";

/** What came of checking: all that can be acquired, and a step for each that cannot. */
export interface CheckResult {
  readonly checked: readonly CheckedHold[];
  readonly failed: readonly Step[];
}

/**
 * Asks the host about every hold, up to the first refusal that decides the call; with `isComplete` about all. Nothing is changed.
 */
export async function checkHolds(
  holds: readonly Hold[],
  holding: HolderQuery,
  { isComplete = false }: { readonly isComplete?: boolean } = {},
): Promise<CheckResult> {
  const checked: CheckedHold[] = [];
  const failed: Step[] = [];
  if (await isLost(holding)) {
    holding.ledger.notes.push("libvirt announces a port whose guest is gone: nothing is held for it");
    return { checked, failed };
  }
  const company: ResolveOptions = { plan: holds, former: await formerOf(holding), isAlive: holding.isAlive === true };
  // All at once: the host is asked by programs, and each takes its time to start.
  const answers = await Promise.all(holds.map((hold, order) => ask(hold, { order, company, holding })));
  const conflicts = await conflictsAmong(answers.filter((answer) => answer?.kind === "ready"), holding);
  for (const [order, hold] of holds.entries()) {
    const resolved = answers[order];
    if (resolved === undefined) continue;
    const reason = resolved.kind === "ready" ? conflicts.get(resolved) : undefined;
    const answer: ResolvedHold | Refused = reason === undefined ? resolved : { kind: "refused", reason };
    if (answer.kind === "ready") {
      checked.push({ hold, resolved: answer });
      continue;
    }
    failed.push(
      stepOf(hold, { end: "failed", problem: `cannot hold ${hold.text}: ${answer.reason}`, hint: answer.hint }, 0),
    );
    if (hold.onError === "fail" && !isComplete) break;
  }
  return { checked, failed };
}

/**
 * Whether a port is announced whose guest is gone. With a daemon for each driver, the guest may be starting while the daemon of
 * its network is restarted: what the port holds then tells since when.
 */
async function isLost(inquiry: HolderQuery): Promise<boolean> {
  const { holder, sys } = inquiry;
  if (!isLeftBehind(holder, sys)) return false;
  const former = await formerOf(inquiry);
  return former.length === 0 || (await assessLiveness(former, viewDaemons(sys), sys)).kind === "dead";
}

/** What `started` will need is checked at prepare, since failing there would kill the guest; what prepare did, is done. */
function isDue({ lifetime }: Hold, { facts: { lifetimes } }: HookCall): boolean {
  return lifetimes.includes(lifetime) || lifetimes.includes("domain");
}

/** What the holder has by now. What of it cannot be read is told when it is replaced. */
async function formerOf({ holder, call, sys }: HolderQuery): Promise<readonly DemandRecord[]> {
  const reader: ReadContext = { sys, notes: [], looksOnly: true };
  return (await demandsOf({ holder, lifetimes: overAt(call) }, reader)).map(({ record }) => record);
}

/** Asks about one hold of a plan; nothing is asked about one that is not due. */
async function ask(
  hold: Hold,
  { order, company, holding }: {
    readonly order: number;
    readonly company: ResolveOptions;
    readonly holding: HolderQuery;
  },
): Promise<ResolvedHold | Refused | undefined> {
  const { ledger: { daemon }, holder, call } = holding;
  const { resource, demand, rule, action, lifetime } = hold;
  if (!isDue(hold, call)) return undefined;
  try {
    return await resolveHold({ resource, demand, rule, action, lifetime, order, holder, daemon }, company, holding);
  } catch (error) {
    return { kind: "refused", reason: reasonOf(error) };
  }
}

/** Why holds cannot be had beside what other holders have and beside each other, by hold. */
async function conflictsAmong(
  resolvedHolds: readonly ResolvedHold[],
  { sys, ledger, holder, call }: HolderQuery,
): Promise<ReadonlyMap<ResolvedHold, string>> {
  const over = overAt(call);
  const options = {
    reader: { ...ledger, sys },
    isOver: (record: DemandRecord) => holderId(record.holder) === holderId(holder) && over.includes(record.lifetime),
  };
  const conflicts = new Map<ResolvedHold, string>();
  for (const group of Map.groupBy(resolvedHolds, ({ folder }) => folder).values()) {
    const [first, ...others] = group;
    if (first === undefined) continue;
    try {
      for (const [hold, reason] of await findConflicts([first, ...others], options)) conflicts.set(hold, reason);
    } catch (error) {
      for (const hold of group) conflicts.set(hold, reasonOf(error));
    }
  }
  return conflicts;
}
