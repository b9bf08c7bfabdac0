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
export interface PlanParts {
  readonly immediate: readonly ImmediateIntent[];
  readonly holds: readonly Hold[];
  readonly deadlineMs: number;
}

/** A call that begins a life. */
export async function carryOutHolding(
  { immediate, holds, deadlineMs }: PlanParts,
  context: CallContext,
): Promise<Outcome> {
  const { call, sys } = context;
  const refusals = immediate.filter(({ kind }) => kind === "deny");
  const options = { call, deadlineMs };
  if (refusals.length > 0) return await finish(await executeImmediate(refusals, options, sys), [], context);
  const session = await openSafely(() => openHolderSession(call, deadlineMs, context));
  if (typeof session === "string") return await unheld(session, { immediate, holds, deadlineMs }, context);
  using _holding = session;
  const { checked, failed } = await checkHolds(holds, session);
  const execution = await executeImmediate(failed.some(isFatal) ? [] : immediate, options, sys);
  const isOver = failed.some(isFatal) || execution.steps.some(endsCall);
  const { steps, released, rolledBack: rolledBack } = isOver
    ? NOTHING_ACQUIRED
    : await acquireHolds(ownOf(checked, call), session, { later: laterOf(checked, call) });
  const { notes } = session.ledger;
  if (steps.some(({ end }) => end === "done")) notes.push(...await waitFor(ownOf(checked, call), sys));
  const outcome = { ...await finish(execution, [...failed, ...steps], context), daemon: callingDaemon(session.ledger) };
  const results = [...released, ...rolledBack];
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
async function unheld(
  reason: string,
  { immediate, holds, deadlineMs }: PlanParts,
  context: CallContext,
): Promise<Outcome> {
  const steps = holds.map((intent): Step => ({
    intent,
    plan: renderIntent(intent),
    end: "failed",
    problem: `cannot hold ${intent.text}: ${reason}`,
    durationMs: 0,
  }));
  const isOver = steps.some(isFatal);
  const execution = await executeImmediate(isOver ? [] : immediate, { call: context.call, deadlineMs }, context.sys);
  const outcome = await finish(execution, steps, context);
  // What an earlier life left is not given back either.
  return holds.length > 0 ? outcome : { ...outcome, kept: { results: [], notes: [reason] } };
}
