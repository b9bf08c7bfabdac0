/**
 * What the steps of a call come to: the outcome, and its exit code by what libvirt does with a failure.
 * @module
 */
import type { DocumentEdit } from "./document.ts";
import type { Maintained } from "./holds/maintain.ts";
import { failurePolicy, type Operation } from "../libvirt/driver.ts";
import type { Intent } from "../plan/intent.ts";
import type { ValueChange } from "../resources/resource.ts";
import type { RuleMatch } from "../rules/match.ts";

/** How a step ended. `late`: its time ran out. `interrupted`: we were told to end. */
export type StepEnd = "done" | "refused" | "failed" | "late" | "interrupted";

/** The result of one intent. */
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

/** The ways a call can end. */
export type OutcomeKind =
  | "done"
  | "disabled"
  | "unknown-operation"
  | "refused"
  | "bad-call"
  | "bad-rules"
  | "failed"
  | "late"
  | "bug";

/**
 * How much a problem counts. `noted`: a rule said to go on. `fails`: it fails a call that can still be refused.
 * `insists`: a rule makes it fail the call, also where failures are only noted by default.
 */
export type Weight = "noted" | "fails" | "insists";

/** The process that made a call. */
export interface CallingDaemon {
  readonly pid: number;
  /** The program's name; not known where reading it would cost a program of its own. */
  readonly name?: string;
}

/** The daemon that the ledger was opened for, as the history names it. */
export function callingDaemon({ daemon: { pid, name } }: { readonly daemon: Required<CallingDaemon> }): CallingDaemon {
  return name === "" ? { pid } : { pid, name };
}

/** The result of a call. */
export interface Outcome {
  readonly kind: OutcomeKind;
  /** Why it is not `done`, on one line. */
  readonly problem?: string | undefined;
  /** What to do about it. */
  readonly hint?: string | undefined;
  readonly weight: Weight;
  readonly matches: readonly RuleMatch[];
  readonly steps: readonly Step[];
  /** What became of demands that were in the ledger before the call. */
  readonly kept?: Maintained;
  /** The daemon that made the call, where its name was read. */
  readonly daemon?: CallingDaemon;
  /** Guests that the call concerns and its object does not name. */
  readonly guests?: readonly string[];
  /** What goes to stdout: the document where the call changed it, else nothing. */
  readonly stdout?: string;
}

/** Exit codes: libvirt tells only 0 from the rest, people read the number. */
const EXIT_CODES = {
  done: 0,
  disabled: 0,
  "unknown-operation": 0,
  refused: 1,
  "bad-call": 2,
  "bad-rules": 3,
  failed: 4,
  late: 5,
  bug: 70,
} as const satisfies Record<OutcomeKind, number>;

/** The exit code of an outcome whose failures count. */
export function exitCodeOf(kind: OutcomeKind): number {
  return EXIT_CODES[kind];
}

/** The exit code for libvirt: a problem counts only where that does no harm, or where a rule insists. */
export function exitCode(outcome: Outcome, operation: Operation | undefined): number {
  if (operation === undefined || outcome.weight === "noted") return 0;
  switch (failurePolicy(operation)) {
    case "strict":
      return EXIT_CODES[outcome.kind];
    case "lenient":
      return outcome.weight === "insists" ? EXIT_CODES[outcome.kind] : 0;
    case "never":
      return 0;
  }
}
