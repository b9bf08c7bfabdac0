/**
 * Checks every hold of a plan before anything is changed: against the host, against what others hold, and against the
 * other holds of the plan.
 * @module
 */
import type { HolderSession } from "./session.ts";
import type { Step } from "../outcome.ts";
import { type Converged, succeeded } from "../../ledger/converge.ts";
import { assessLiveness, isLeftBehind, viewDaemons } from "../../ledger/liveness.ts";
import { type DemandRecord, holderId, type StoredDemand } from "../../ledger/demand_file.ts";
import type { ReadContext } from "../../ledger/file.ts";
import { demandsOf } from "../../ledger/holds.ts";
import { resourceFolder } from "../../ledger/layout.ts";
import { findConflicts, type ResolvedHold, resolveHold, type ResolveOptions } from "../../ledger/resolve.ts";
import type { HookCall } from "../../libvirt/call.ts";
import type { Lifetime } from "../../plan/demand.ts";
import type { Hold } from "../../plan/intent.ts";
import { renderIntent } from "../../plan/render.ts";
import type { Refused } from "../../resources/resource.ts";
import { visible } from "../../text/quote.ts";
import { reasonOf } from "../../text/reason_of.ts";

/** A hold and what the host says to it. */
export interface CheckedHold {
  readonly hold: Hold;
  readonly resolved: ResolvedHold;
}

/** What asking about holds takes. */
export type HolderQuery = Pick<HolderSession, "holder" | "ledger" | "call" | "sys" | "kinds" | "isAlive" | "keepsAll">;

/** Lifetimes that must have ended if this call starts a new life. Their end may never have been reported. */
export function overAt({ facts: { lifetimes } }: HookCall): readonly Lifetime[] {
  if (lifetimes.includes("domain")) return [...lifetimes, "running"];
  if (lifetimes.includes("network")) return [...lifetimes, "port"];
  return lifetimes;
}

/** At prepare, what `started` will need is only checked. */
export function ownOf(checked: readonly CheckedHold[], call: HookCall): readonly CheckedHold[] {
  return checked.filter(({ hold }) => call.facts.lifetimes.includes(hold.lifetime));
}

/** What is only checked at prepare, and acquired at `started`. */
export function laterOf(checked: readonly CheckedHold[], call: HookCall): readonly CheckedHold[] {
  return checked.filter(({ hold }) => !call.facts.lifetimes.includes(hold.lifetime));
}

/** What the holder has and a new plan does not take up. */
export interface PreviousHolds {
  /** Of one that lives: a hold of the plan is on the same resource, which goes from the one value to the other. */
  readonly replaced: readonly StoredDemand[];
  /** Given back. */
  readonly obsolete: readonly StoredDemand[];
}

/** Finds what an earlier life of the holder left behind, and what changed rules do not ask for any more. */
export async function previousHolds(checked: readonly CheckedHold[], query: HolderQuery): Promise<PreviousHolds> {
  const { holder, call, ledger, sys, isAlive, keepsAll } = query;
  const kept = checked.filter(({ resolved }) => resolved.resource.perLife !== true || goesOn(query));
  const paths = new Set(kept.map(demandPath));
  const demands = await demandsOf({ holder, lifetimes: overAt(call) }, { ...ledger, sys });
  const left = demands.filter(({ path }) => !paths.has(path));
  if (!isAlive) return { replaced: [], obsolete: left };
  const folders = new Set(checked.map(({ resolved }) => resolved.folder));
  // Its ports live with it.
  const own = left.filter(({ record }) => record.holder.kind === holder.kind);
  return {
    replaced: own.filter(({ folder }) => folders.has(folder)),
    obsolete: keepsAll ? [] : own.filter(({ folder }) => !folders.has(folder)),
  };
}

/** Where the demand of a hold will lie. */
export function demandPath({ resolved }: CheckedHold): string {
  return `${resourceFolder(resolved.folder).demands}/${resolved.name}`;
}

/** Whether a life goes on. A port is created anew, to us, whenever the daemon starts. */
export function goesOn({ call: { facts: { lifetimes } }, isAlive }: Pick<HolderQuery, "call" | "isAlive">): boolean {
  return isAlive === true || lifetimes.includes("port");
}

type StepPart = Pick<Step, "end" | "problem" | "hint" | "resource" | "change">;

/** How converging its resource went. */
export function convergedPart(hold: Hold, converged: Converged): StepPart {
  const { key, end, change, problem, hint } = converged;
  const base = { resource: key, ...(change === undefined ? {} : { change }) };
  if (succeeded(converged)) return { ...base, end: "done" };
  return {
    ...base,
    end: end === "late" ? "late" : "failed",
    problem: `cannot hold ${hold.text}: ${problem ?? end}`,
    hint,
  };
}

/** The step of a hold. */
export function stepOf(hold: Hold, part: StepPart, durationMs: number): Step {
  const { problem, ...rest } = part;
  return {
    ...rest,
    intent: hold,
    plan: renderIntent(hold),
    problem: problem === undefined ? undefined : visible(problem),
    durationMs,
  };
}

/** The result of checking: the holds that can be acquired, and a step for each that cannot. */
export interface CheckResult {
  readonly checked: readonly CheckedHold[];
  readonly failed: readonly Step[];
}

/**
 * Asks the host about every hold, up to the first refusal that decides the call; with `isComplete` about all. Nothing is changed.
 */
export async function checkHolds(
  holds: readonly Hold[],
  session: HolderQuery,
  { isComplete = false }: { readonly isComplete?: boolean } = {},
): Promise<CheckResult> {
  const checked: CheckedHold[] = [];
  const failed: Step[] = [];
  if (await isLost(session)) {
    session.ledger.notes.push("libvirt announces a port whose guest is gone: nothing is held for it");
    return { checked, failed };
  }
  const resolveOptions: ResolveOptions = {
    plan: holds,
    former: await formerOf(session),
    isRunning: session.isAlive === true,
  };
  // All at once: the host is asked by programs, and each takes its time to start.
  const answers = await Promise.all(holds.map((hold, order) => ask(hold, { order, resolveOptions, session })));
  const conflicts = await conflictsAmong(answers.filter((answer) => answer?.kind === "ready"), session);
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
async function isLost(query: HolderQuery): Promise<boolean> {
  const { holder, sys } = query;
  if (!isLeftBehind(holder, sys)) return false;
  const former = await formerOf(query);
  return former.length === 0 || (await assessLiveness(former, viewDaemons(sys), sys)).kind === "dead";
}

/** What `started` will need is checked at prepare, since failing there would kill the guest; what prepare did, is done. */
function isDue({ lifetime }: Hold, { facts: { lifetimes } }: HookCall): boolean {
  return lifetimes.includes(lifetime) || lifetimes.includes("domain");
}

/** Returns the holder's existing demands. Read errors are reported later, when the demand is replaced. */
async function formerOf({ holder, call, sys }: HolderQuery): Promise<readonly DemandRecord[]> {
  const reader: ReadContext = { sys, notes: [], looksOnly: true };
  return (await demandsOf({ holder, lifetimes: overAt(call) }, reader)).map(({ record }) => record);
}

/** Asks about one hold of a plan; nothing is asked about one that is not due. */
async function ask(
  hold: Hold,
  { order, resolveOptions, session }: {
    readonly order: number;
    readonly resolveOptions: ResolveOptions;
    readonly session: HolderQuery;
  },
): Promise<ResolvedHold | Refused | undefined> {
  const { ledger: { daemon }, holder, call } = session;
  const { resource, demand, rule, action, lifetime } = hold;
  if (!isDue(hold, call)) return undefined;
  try {
    return await resolveHold(
      { resource, demand, rule, action, lifetime, order, holder, daemon },
      resolveOptions,
      session,
    );
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
