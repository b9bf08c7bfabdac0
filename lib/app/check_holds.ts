/**
 * Every hold of a plan is checked before anything is touched: against the host, against what others hold, and against the
 * other holds of the plan.
 * @module
 */
import { isLeftBehind } from "../ledger/evidence.ts";
import { holderId } from "../ledger/holder.ts";
import { reasonOf } from "../ledger/ledger_error.ts";
import { conflictOf, type Ready, readyWish } from "../ledger/wish.ts";
import type { HookCall } from "../libvirt/call.ts";
import type { Hold } from "../plan/intent.ts";
import type { Refused } from "../resources/resource.ts";
import { stepOf } from "./hold_step.ts";
import { type Inquiry, overAt } from "./leftovers.ts";
import type { Step } from "./step.ts";

/** A hold and what the host says to it. */
export interface Checked {
  readonly hold: Hold;
  readonly ready: Ready;
}

/** What came of checking: all that can be acquired, and a step for each that cannot. */
export interface Checks {
  readonly checked: readonly Checked[];
  readonly failed: readonly Step[];
}

/** Asks the host about every hold. Nothing is touched. */
export async function checkHolds(holds: readonly Hold[], holding: Inquiry): Promise<Checks> {
  const checked: Checked[] = [];
  const failed: Step[] = [];
  if (isLeftBehind(holding.holder, holding.sys)) {
    holding.ledger.notes.push("libvirt announces a port whose guest is gone: nothing is held for it");
    return { checked, failed };
  }
  // All at once: the host is asked by programs, and each takes its time to start.
  const answers = await Promise.all(holds.map((hold, order) => ask(hold, { order, plan: holds, holding })));
  for (const [order, hold] of holds.entries()) {
    const asked = answers[order];
    if (asked === undefined) continue;
    const answer = await refuseConflict(asked, { checked, holding });
    if (answer.kind === "ready") {
      checked.push({ hold, ready: answer });
      continue;
    }
    failed.push(
      stepOf(hold, { end: "failed", problem: `cannot hold ${hold.text}: ${answer.reason}`, hint: answer.hint }, 0),
    );
    if (hold.onError === "fail") break;
  }
  return { checked, failed };
}

/** What `started` will need is checked at prepare, since failing there would kill the guest; what prepare did, is done. */
function isDue({ lifetime }: Hold, { facts: { lifetimes } }: HookCall): boolean {
  return lifetimes.includes(lifetime) || lifetimes.includes("domain");
}

/** Asks about one hold of a plan; nothing is asked about one that is not due. */
async function ask(
  hold: Hold,
  { order, plan, holding }: { readonly order: number; readonly plan: readonly Hold[]; readonly holding: Inquiry },
): Promise<Ready | Refused | undefined> {
  const { sys, ledger: { daemon }, holder, call } = holding;
  const { resource, demand, rule, action, lifetime } = hold;
  if (!isDue(hold, call)) return undefined;
  try {
    return await readyWish({ resource, demand, rule, action, lifetime, order, holder, daemon }, plan, sys);
  } catch (error) {
    return { kind: "refused", reason: reasonOf(error) };
  }
}

async function refuseConflict(
  ready: Ready | Refused,
  { checked, holding }: { readonly checked: readonly Checked[]; readonly holding: Inquiry },
): Promise<Ready | Refused> {
  if (ready.kind === "refused") return ready;
  const { sys, ledger, holder, call } = holding;
  const over = overAt(call);
  try {
    const reason = await conflictOf(ready, {
      ...{ reader: { ...ledger, sys }, others: checked.map((one) => one.ready) },
      isOver: (record) => holderId(record.holder) === holderId(holder) && over.includes(record.lifetime),
    });
    return reason === undefined ? ready : { kind: "refused", reason };
  } catch (error) {
    return { kind: "refused", reason: reasonOf(error) };
  }
}
