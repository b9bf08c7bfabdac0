/**
 * What came of one intent of a plan.
 * @module
 */
import type { Intent } from "../plan/intent.ts";
import type { ValueChange } from "../resources/resource.ts";
import type { DocumentEdit } from "./document.ts";

/** How a step ended. `late`: its time ran out. `interrupted`: we were told to end. */
export type StepEnd = "done" | "refused" | "failed" | "late" | "interrupted";

/** What came of one intent. */
export interface Step {
  readonly intent: Intent;
  /** What was to be done, as `explain` prints it, without secrets. */
  readonly plan: string;
  readonly end: StepEnd;
  /** What went wrong, for a person. */
  readonly problem?: string | undefined;
  readonly hint?: string | undefined;
  readonly durationMs: number;
  readonly stdout?: string | undefined;
  readonly stderr?: string | undefined;
  /** What an edit changed. */
  readonly changes?: readonly DocumentEdit[];
  /** The key of what is held, and what it was and is where that changed. */
  readonly resource?: string;
  readonly change?: ValueChange;
}

/** Whether nothing is done after a step: it decides the call, or it was cut short and may have done half. */
export function endsCall(step: Step): boolean {
  return isFatal(step) || step.end === "interrupted";
}

/** Whether a step's end decides the call. */
export function isFatal(step: Step): boolean {
  return step.end !== "done" && (step.intent.kind === "deny" || step.intent.onError === "fail");
}
