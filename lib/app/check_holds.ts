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
import { findConflict, type ResolvedHold, resolveHold, type ResolveOptions } from "../ledger/resolve.ts";
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

/** Asks the host about every hold. Nothing is touched. */
export async function checkHolds(holds: readonly Hold[], holding: HolderQuery): Promise<CheckResult> {
  const checked: CheckedHold[] = [];
  const failed: Step[] = [];
  if (await isLost(holding)) {
    holding.ledger.notes.push("libvirt announces a port whose guest is gone: nothing is held for it");
    return { checked, failed };
  }
  const company: ResolveOptions = { plan: holds, former: await formerOf(holding), isAlive: holding.isAlive === true };
  // All at once: the host is asked by programs, and each takes its time to start.
  const answers = await Promise.all(holds.map((hold, order) => ask(hold, { order, company, holding })));
  const fitting = await whereAllFit(answers.filter((answer) => answer?.kind === "ready"), holding);
  for (const [order, hold] of holds.entries()) {
    const asked = answers[order];
    if (asked === undefined) continue;
    const fits = asked.kind === "ready" && fitting.has(asked.folder);
    const answer = fits ? asked : await refuseConflict(asked, { others: checked.map((one) => one.resolved), holding });
    if (answer.kind === "ready") {
      checked.push({ hold, resolved: answer });
      continue;
    }
    failed.push(
      stepOf(hold, { end: "failed", problem: `cannot hold ${hold.text}: ${answer.reason}`, hint: answer.hint }, 0),
    );
    if (hold.onError === "fail") break;
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
  const { sys, ledger: { daemon }, holder, call } = holding;
  const { resource, demand, rule, action, lifetime } = hold;
  if (!isDue(hold, call)) return undefined;
  try {
    return await resolveHold({ resource, demand, rule, action, lifetime, order, holder, daemon }, company, sys);
  } catch (error) {
    return { kind: "refused", reason: reasonOf(error) };
  }
}

/** The resources of which all that is wished can be had: what fits together needs no look at each. */
async function whereAllFit(resolvedHolds: readonly ResolvedHold[], holding: HolderQuery): Promise<ReadonlySet<string>> {
  const fitting = new Set<string>();
  for (const [folder, group] of Map.groupBy(resolvedHolds, (resolved) => resolved.folder)) {
    const last = group.at(-1);
    if (last === undefined || group.length === 1) continue;
    const answer = await refuseConflict(last, { others: group.slice(0, -1), holding });
    if (answer.kind === "ready") fitting.add(folder);
  }
  return fitting;
}

async function refuseConflict(
  resolved: ResolvedHold | Refused,
  { others, holding }: { readonly others: readonly ResolvedHold[]; readonly holding: HolderQuery },
): Promise<ResolvedHold | Refused> {
  if (resolved.kind === "refused") return resolved;
  const { sys, ledger, holder, call } = holding;
  const over = overAt(call);
  try {
    const reason = await findConflict(resolved, {
      ...{ reader: { ...ledger, sys }, others },
      isOver: (record) => holderId(record.holder) === holderId(holder) && over.includes(record.lifetime),
    });
    return reason === undefined ? resolved : { kind: "refused", reason };
  } catch (error) {
    return { kind: "refused", reason: reasonOf(error) };
  }
}
