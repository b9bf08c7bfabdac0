/**
 * Holds of a plan: first all are checked, before anything is touched; then acquired in order; after a failure that decides
 * the call, all are given back, the last one first.
 * @module
 */
import { converge, type Converged, isWell, type Work } from "../ledger/converge.ts";
import { type FiledDemand, removeDemand } from "../ledger/demand_file.ts";
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
import { holderOf } from "./holder_of.ts";
import { isFatal, type Step } from "./step.ts";

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
  /** Set where the holder lives already, and its interfaces with it. Else its ports are of an earlier life. */
  readonly isAlive?: true;
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

/** What asking about holds takes. */
export type Inquiry = Pick<Holding, "holder" | "ledger" | "call" | "sys" | "isAlive">;

/** What the holder has of the lifetimes that the call begins: a plan's holds take its place. */
async function replaceable({ holder, ledger, call, sys, isAlive }: Inquiry): Promise<readonly FiledDemand[]> {
  const demands = await demandsOf({ holder, lifetimes: call.facts.lifetimes }, { ...ledger, sys });
  return isAlive ? demands.filter(({ record }) => record.holder.kind === holder.kind) : demands;
}

/** What an earlier life of the holder left behind, and what changed rules do not ask for any more. */
export interface Leftovers {
  /** A hold of the plan is on the same resource, which goes from the one to the other. */
  readonly replaced: readonly FiledDemand[];
  /** Given back. */
  readonly over: readonly FiledDemand[];
}

/** Finds what the holder holds and these do not take up. */
export async function leftovers(checked: readonly Checked[], inquiry: Inquiry): Promise<Leftovers> {
  const paths = new Set(checked.map(demandPath));
  const folders = new Set(checked.map(({ ready }) => ready.folder));
  const left = (await replaceable(inquiry)).filter(({ path }) => !paths.has(path));
  return {
    replaced: left.filter(({ folder }) => folders.has(folder)),
    over: left.filter(({ folder }) => !folders.has(folder)),
  };
}

/** Where the demand of a hold will lie. */
export function demandPath({ ready }: Checked): string {
  return `${resourceFolder(ready.folder).demands}/${ready.name}`;
}

/** Asks the host about every hold. Nothing is touched. */
export async function checkHolds(
  holds: readonly Hold[],
  holding: Inquiry,
): Promise<Checks> {
  const checked: Checked[] = [];
  const failed: Step[] = [];
  const { sys, ledger, holder } = holding;
  const over = new Set((await replaceable(holding)).map(({ path }) => path));
  for (const [order, hold] of holds.entries()) {
    const { resource, demand, rule, action, lifetime } = hold;
    const wish = { resource, demand, rule, action, lifetime, order, holder, daemon: ledger.daemon };
    const ready = await readyWish(wish, sys);
    const reason = ready.kind === "refused"
      ? ready.reason
      : await conflictOf(ready, checked.map((one) => one.ready), { ...ledger, sys, over });
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

/** At prepare, what `started` will need is only checked: failing there would kill the guest. */
export function ownOf(checked: readonly Checked[], call: HookCall): readonly Checked[] {
  return checked.filter(({ hold }) => call.facts.lifetimes.includes(hold.lifetime));
}

/** What came of acquiring. */
export interface Acquisition {
  readonly steps: readonly Step[];
  /** What was given back first. */
  readonly gaveUp: readonly Converged[];
}

/** Acquires what was checked, and first gives back what the holder holds and this plan lacks. */
export async function acquireHolds(checked: readonly Checked[], holding: Holding): Promise<Acquisition> {
  const { sys, ledger, deadlineMs } = holding;
  const giveBack: Work = { sys, notes: ledger.notes, deadlineMs, mayWait: true };
  const work: Work = { ...giveBack, deadlineMs: deadlineMs * (1 - GIVE_BACK_SHARE) };
  const steps: Step[] = [];
  const held: FiledDemand[] = [];
  const { over, replaced } = await leftovers(checked, holding);
  const gaveUp = await releaseAll(over, giveBack);
  ledger.notes.push(...problemsOf(gaveUp));
  for (const { hold, ready } of checked) {
    const startedMs = sys.elapsedMs();
    for (const filed of replaced) if (filed.folder === ready.folder) removeDemand(filed, sys);
    const result = sys.ppid() === ledger.daemon.pid ? await acquire(ready, work) : orphaned(ready, ledger);
    const { converged } = result;
    if (ready.note !== undefined) ledger.notes.push(ready.note);
    const step = stepOf(hold, convergedPart(hold, converged), sys.elapsedMs() - startedMs);
    steps.push(step);
    if (result.filed !== undefined && isWell(converged)) held.push(result.filed);
    if (result.filed !== undefined && !isWell(converged)) await release(result.filed, giveBack);
    if (result.filed === undefined && replaced.length > 0) await converge(ready.folder, giveBack);
    if (!isFatal(step)) continue;
    ledger.notes.push(...problemsOf(await releaseAll([...replaced, ...held], giveBack)));
    return { steps, gaveUp };
  }
  await noteLife(holding);
  return { steps, gaveUp };
}

/** At `started` libvirt has a status of the guest; at `prepare` there is none yet. */
async function noteLife({ holder, call, sys, ledger }: Holding): Promise<void> {
  if (holder.kind !== "domain") return;
  const { lifetimes } = call.facts;
  if (!lifetimes.includes("running")) return await noteNotRunning(holder, sys);
  const held = await demandsOf({ holder, lifetimes: ["domain", "running"] }, { sys, notes: ledger.notes });
  if (held.length > 0) await noteRunning(holder, sys);
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
