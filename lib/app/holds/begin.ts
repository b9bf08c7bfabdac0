/**
 * Carries out a call that starts a life: checks all holds, runs the immediate actions, then acquires the holds. Loaded only for such
 * calls.
 * @module
 */
import type { Hold, ImmediateIntent } from "../../plan/intent.ts";
import { renderIntent } from "../../plan/render.ts";
import type { Sys } from "../../sys/sys.ts";
import { acquireHolds, type AcquireResult } from "./acquire.ts";
import { type CheckedHold, checkHolds, laterOf, ownOf } from "./check.ts";
import { type CallContext, executeImmediate, finish } from "../execute.ts";
import { type HolderSession, openHolderSession } from "./session.ts";
import { callingDaemon, endsCall, isFatal, type Outcome, type Step } from "../outcome.ts";
import { launchWatcher } from "./launch_watcher.ts";

/** A plan in its parts. */
export interface Parts {
  readonly deeds: readonly ImmediateIntent[];
  readonly holds: readonly Hold[];
  readonly deadlineMs: number;
}

/** A call that begins a life. */
export async function carryOutHolding({ deeds, holds, deadlineMs }: Parts, context: CallContext): Promise<Outcome> {
  const { call, sys } = context;
  const refusals = deeds.filter(({ kind }) => kind === "deny");
  const options = { call, deadlineMs };
  if (refusals.length > 0) return await finish(await executeImmediate(refusals, options, sys), [], context);
  const holding = await openSafely(() => openHolderSession(call, deadlineMs, context));
  if (typeof holding === "string") return await unheld(holding, { deeds, holds, deadlineMs }, context);
  using _holding = holding;
  const { checked, failed } = await checkHolds(holds, holding);
  const execution = await executeImmediate(failed.some(isFatal) ? [] : deeds, options, sys);
  const isOver = failed.some(isFatal) || execution.steps.some(endsCall);
  const { steps, released: gaveUp, rolledBack: tookBack } = isOver
    ? NOTHING_ACQUIRED
    : await acquireHolds(ownOf(checked, call), holding, { later: laterOf(checked, call) });
  const { notes } = holding.ledger;
  if (steps.some(({ end }) => end === "done")) notes.push(...await waitFor(ownOf(checked, call), sys));
  const outcome = { ...await finish(execution, [...failed, ...steps], context), daemon: callingDaemon(holding.ledger) };
  const results = [...gaveUp, ...tookBack];
  return notes.length + results.length === 0 ? outcome : { ...outcome, kept: { results, notes } };
}

const NOTHING_ACQUIRED = { steps: [], released: [], rolledBack: [] } as const satisfies AcquireResult;

/** A guest's address may come when no hook is called any more. */
async function waitFor(checked: readonly CheckedHold[], sys: Sys): Promise<readonly string[]> {
  if (!checked.some(({ resolved: { resource, record } }) => resource.isWaiting?.(record.demand))) return [];
  const problem = await launchWatcher("guests", sys);
  return problem === undefined ? [] : [problem];
}

async function openSafely(open: () => Promise<HolderSession | string>): Promise<HolderSession | string> {
  try {
    return await open();
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** Nothing can be held: a failure of every hold; what else the plan says goes on where they let it. */
async function unheld(reason: string, { deeds, holds, deadlineMs }: Parts, context: CallContext): Promise<Outcome> {
  const steps = holds.map((intent): Step => ({
    intent,
    plan: renderIntent(intent),
    end: "failed",
    problem: `cannot hold ${intent.text}: ${reason}`,
    durationMs: 0,
  }));
  const isOver = steps.some(isFatal);
  const execution = await executeImmediate(isOver ? [] : deeds, { call: context.call, deadlineMs }, context.sys);
  const outcome = await finish(execution, steps, context);
  // What an earlier life left is not given back either.
  return holds.length > 0 ? outcome : { ...outcome, kept: { results: [], notes: [reason] } };
}
