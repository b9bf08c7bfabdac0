/**
 * Holds of a plan: first all are checked, before anything is touched; then acquired in order; after a failure that decides
 * the call, all are given back, the last one first.
 * @module
 */
import { type Converged, isWell, type Work } from "../ledger/converge.ts";
import type { FiledDemand } from "../ledger/demand_file.ts";
import type { Holder } from "../ledger/holder.ts";
import { lockHolder, noteNotRunning, noteRunning } from "../ledger/holder_file.ts";
import { acquire, demandsOf, release, releaseAll } from "../ledger/holds.ts";
import { resourceFolder } from "../ledger/layout.ts";
import { type Ledger, openLedger } from "../ledger/ledger.ts";
import { conflictOf, type Ready, readyWish } from "../ledger/wish.ts";
import type { HookCall } from "../libvirt/call.ts";
import type { Hold } from "../plan/intent.ts";
import { renderIntent, visible } from "../plan/render.ts";
import type { Sys } from "../sys/sys.ts";
import { isFatal, type Step } from "./execute.ts";
import { holderOf } from "./holder_of.ts";
import { leftovers } from "./keep_holds.ts";

/** Of a call's time, what is kept for giving back. */
const GIVE_BACK_SHARE = 0.25;

/** A holder's demands, while its call works on them. */
export interface Holding extends Disposable {
  readonly holder: Holder;
  readonly ledger: Ledger;
  readonly call: HookCall;
  readonly sys: Sys;
  /** The end of the call's time, in milliseconds since the program started. */
  readonly deadlineMs: number;
}

/** Opens the ledger for the holder of a call, or says why not. */
export async function openHolding(call: HookCall, deadlineMs: number, sys: Sys): Promise<Holding | string> {
  const holder = holderOf(call);
  if (holder === undefined) return "the document on stdin has no UUID, so nothing can be held for it";
  const ledger = await openLedger(sys, { make: true });
  if (ledger === undefined) return "there is no ledger";
  const lock = await lockHolder(holder, deadlineMs * (1 - GIVE_BACK_SHARE), sys);
  if (lock === undefined) return `another hook call for ${call.object} did not end in time`;
  return { holder, ledger, call, sys, deadlineMs, [Symbol.dispose]: () => lock[Symbol.dispose]() };
}

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
export async function checkHolds(holds: readonly Hold[], holding: Holding): Promise<Checks> {
  const checked: Checked[] = [];
  const failed: Step[] = [];
  const { sys, ledger, holder } = holding;
  for (const [order, hold] of holds.entries()) {
    const { resource, demand, rule, action, lifetime } = hold;
    const wish = { resource, demand, rule, action, lifetime, order, holder, daemon: ledger.daemon };
    const ready = await readyWish(wish, holds, sys);
    const reason = ready.kind === "refused"
      ? ready.reason
      : await conflictOf(ready, checked.map((one) => one.ready), { sys, notes: ledger.notes });
    if (ready.kind === "ready" && reason === undefined) {
      checked.push({ hold, ready });
      continue;
    }
    const hint = ready.kind === "refused" ? ready.hint : undefined;
    failed.push(stepOf(hold, { end: "failed", problem: `cannot hold ${hold.text}: ${reason}`, hint }, 0));
    if (hold.onError === "fail") break;
  }
  return { checked, failed };
}

/** Acquires what was checked, and first gives back what the holder holds and this plan lacks. */
export async function acquireHolds(checked: readonly Checked[], holding: Holding): Promise<readonly Step[]> {
  const { sys, ledger, call, deadlineMs } = holding;
  const giveBack: Work = { sys, notes: ledger.notes, deadlineMs, mayWait: true };
  const work: Work = { ...giveBack, deadlineMs: deadlineMs * (1 - GIVE_BACK_SHARE) };
  const steps: Step[] = [];
  const held: FiledDemand[] = [];
  await giveUp(checked, holding, giveBack);
  for (const { hold, ready } of checked) {
    const startedMs = sys.elapsedMs();
    const result = sys.ppid() === ledger.daemon.pid ? await acquire(ready, work) : orphaned(ready, ledger);
    const { converged } = result;
    if (ready.note !== undefined) ledger.notes.push(ready.note);
    const step = stepOf(hold, convergedPart(hold, converged), sys.elapsedMs() - startedMs);
    steps.push(step);
    if (result.filed !== undefined && isWell(converged)) held.push(result.filed);
    if (result.filed !== undefined && !isWell(converged)) await release(result.filed, giveBack);
    if (!isFatal(step)) continue;
    ledger.notes.push(...problemsOf(await releaseAll(held, giveBack)));
    return steps;
  }
  await noteLife(holding, call.facts.lifetimes.includes("running") && checked.length > 0);
  return steps;
}

/** What an earlier life of the holder left behind, and what changed rules do not ask for any more. */
async function giveUp(checked: readonly Checked[], { holder, call, ledger }: Holding, work: Work): Promise<void> {
  const paths = new Set(checked.map(({ ready }) => `${resourceFolder(ready.folder).demands}/${ready.name}`));
  const demands = await demandsOf({ holder, lifetimes: call.facts.lifetimes }, work);
  ledger.notes.push(...problemsOf(await releaseAll(leftovers(demands, paths), work)));
}

async function noteLife({ holder, call, sys }: Holding, runs: boolean): Promise<void> {
  if (holder.kind !== "domain") return;
  if (runs) await noteRunning(holder, sys);
  else if (call.facts.lifetimes.includes("domain")) await noteNotRunning(holder, sys);
}

/** A daemon that is gone cannot be told that its guest did not start: nothing more is begun for it. */
function orphaned(ready: Ready, { daemon }: Ledger): { readonly converged: Converged; readonly filed: undefined } {
  const problem = `${daemon.name} (${daemon.pid}), which called this hook, is gone`;
  return { filed: undefined, converged: { key: ready.record.key, end: "failed", problem } };
}

/** What went wrong in giving back, each on a line. */
export function problemsOf(results: readonly Converged[]): readonly string[] {
  return results.flatMap(({ key, problem }) => problem === undefined ? [] : [`${key}: ${problem}`]);
}

type StepPart = Pick<Step, "end" | "problem" | "hint" | "resource" | "change">;

function convergedPart(hold: Hold, converged: Converged): StepPart {
  const { key, end, change, problem, hint } = converged;
  const base = { resource: key, ...(change === undefined ? {} : { change }) };
  if (isWell(converged)) return { ...base, end: "done" };
  return {
    ...base,
    end: end === "late" ? "late" : "failed",
    problem: `cannot hold ${hold.text}: ${problem ?? end}`,
    hint,
  };
}

function stepOf(hold: Hold, part: StepPart, durationMs: number): Step {
  const { problem, ...rest } = part;
  return {
    ...rest,
    intent: hold,
    plan: renderIntent(hold),
    problem: problem === undefined ? undefined : visible(problem),
    durationMs,
  };
}
