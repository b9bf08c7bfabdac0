/**
 * What came of one hold, as a step of its call.
 * @module
 */
import { type Converged, succeeded } from "../ledger/context.ts";
import type { Hold } from "../plan/intent.ts";
import { renderIntent } from "../plan/render.ts";
import { visible } from "../text/quote.ts";
import type { Step } from "./step.ts";

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
