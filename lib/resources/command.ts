/**
 * A program that runs once when its holder starts, with an optional program that undoes it when the holder ends. The
 * resource belongs to one holder. The host does not show whether the program has run, so the value recorded in the
 * ledger is the current value.
 * @module
 */
import * as v from "valibot";
import { releaseHint } from "../plan/release_hint.ts";
import { quote } from "../text/quote.ts";
import type { CommandDemand } from "../plan/demand.ts";
import type { ProgramWords } from "../trust/program_words.ts";
import type { Sys } from "../sys/sys.ts";
import { runProblem } from "../sys/command_end.ts";
import { argvSchema, filledSchema, refusedArgv } from "./program/argv.ts";
import {
  type Reading,
  type Requester,
  type Resolution,
  resource,
  type ResourceChange,
  sameValue,
  type SavedState,
  type WriteEnd,
} from "./resource.ts";
import { endSession, MARK_NAME, newMark } from "./program/session.ts";

/**
 * A started program and everything that is needed to undo it. `begun`: it was started, and its end was not recorded.
 */
interface CommandRun extends ProgramWords {
  readonly phase: "begun" | "ran";
  readonly undo?: ProgramWords["argv"] | undefined;
  readonly undoFilled: ProgramWords["filled"];
  readonly environment: Readonly<Record<string, string>>;
  readonly timeoutMs?: number | undefined;
  readonly undoError?: "continue" | undefined;
  /** Undefined until the program is started. */
  readonly mark?: string | undefined;
  readonly session?: number | undefined;
}

type CommandValue = { readonly phase: "idle" } | CommandRun;

const IDLE: CommandValue = { phase: "idle" };
const OUTPUT_BYTES_MAX = 65_536;
/** Share of the remaining time for an undo without a time limit: other resources may have to be restored after it. */
const UNDO_SHARE = 0.5;

/** Programs that run once per holder, as a resource kind. */
export const command = resource<CommandDemand, CommandValue>({
  name: "command",
  demand: demandSchema(),
  value: valueSchema(),
  restores: "absolute",
  runsUserPrograms: true,
  unverified: true,
  perLife: true,
  tools: [],
  keeps: (before, now) => sameValue([before.argv, before.undo], [now.argv, now.undo]),
  resolve,
  read: (_key, _sys, saved) => Promise.resolve(read(saved)),
  wanted: (_original, [first], actual) => {
    if (first === undefined) throw new Error("Cannot determine the target value of a command: there are no demands");
    const isRun = actual !== undefined && actual.phase !== "idle";
    return { kind: "value", value: isRun ? actual : { phase: "begun", ...first.demand } };
  },
  write: (change, sys) => {
    const { to } = change;
    return to.phase === "idle" ? undo(change, sys) : run(to, change, sys);
  },
  describe,
});

function demandSchema(): v.GenericSchema<unknown, CommandDemand> {
  return v.pipe(
    v.object({
      argv: argvSchema(),
      filled: filledSchema(),
      undo: v.optional(argvSchema()),
      undoFilled: filledSchema(),
      environment: v.record(v.string(), v.string()),
      timeoutMs: v.optional(v.number()),
      undoError: v.optional(v.literal("continue")),
    }),
    v.transform(({ undo, timeoutMs, undoError, ...rest }) => ({
      ...{ ...rest, undo, timeoutMs },
      ...(undoError === undefined ? {} : { undoError }),
    })),
  );
}

function valueSchema(): v.GenericSchema<unknown, CommandValue> {
  return v.variant("phase", [
    v.object({ phase: v.literal("idle") }),
    v.object({
      phase: v.picklist(["begun", "ran"]),
      argv: argvSchema(),
      filled: filledSchema(),
      undo: v.optional(argvSchema()),
      undoFilled: filledSchema(),
      environment: v.record(v.string(), v.string()),
      timeoutMs: v.optional(v.number()),
      undoError: v.optional(v.literal("continue")),
      mark: v.optional(v.string()),
      session: v.optional(v.number()),
    }),
  ]);
}

async function resolve(
  demand: CommandDemand,
  sys: Sys,
  { holder, rule, action }: Requester,
): Promise<Resolution<CommandDemand>> {
  for (const program of [demand, undoOf(demand)]) {
    const refused = program === undefined ? undefined : await refusedArgv(program, sys);
    if (refused !== undefined) return refused;
  }
  return { kind: "resolved", key: `command/${rule}/${action}/${holder}`, demand };
}

function undoOf({ undo, undoFilled }: CommandDemand | CommandRun): ProgramWords | undefined {
  return undo === undefined ? undefined : { argv: undo, filled: undoFilled };
}

/** Returns the value recorded last. A pending undo does not count: it has not run yet. */
function read(saved: SavedState<CommandValue> | undefined): Reading<CommandValue> {
  const { pending, written } = saved ?? {};
  const isBegun = pending !== undefined && pending.phase !== "idle";
  return { kind: "value", value: isBegun ? pending : written ?? saved?.original ?? IDLE };
}

/**
 * Runs the program. If it fails, the ledger rolls the demand back and thereby undoes what the program may have done.
 */
async function run(to: CommandRun, change: ResourceChange<CommandValue>, sys: Sys): Promise<WriteEnd<CommandValue>> {
  const marked: CommandRun = { ...to, mark: newMark() };
  change.savePending(marked);
  let saved = marked;
  const failure = await runProgram({ program: to, run: marked, deadlineMs: change.deadlineMs }, sys, (pid) => {
    saved = { ...marked, session: pid };
    change.savePending(saved);
  });
  return failure === undefined ? { kind: "applied", value: { ...saved, phase: "ran" } } : failed(failure);
}

async function undo(change: ResourceChange<CommandValue>, sys: Sys): Promise<WriteEnd<CommandValue>> {
  const { from, deadlineMs, key } = change;
  if (from.phase === "idle") return { kind: "applied", value: IDLE };
  const { mark, session } = from;
  const problem = mark === undefined ? undefined : await endSession({ mark, session }, { termMs: 0, deadlineMs }, sys);
  if (problem !== undefined) return { kind: "stuck", reason: problem };
  const program = undoOf(from);
  const failure = program === undefined ? undefined : await runProgram({ program, run: from, deadlineMs }, sys);
  if (failure === undefined) return { kind: "applied", value: IDLE };
  if (from.undoError === "continue" && failure.isAttempted) {
    return {
      kind: "applied",
      value: IDLE,
      remark: `the undo failed and is not tried again (undo_error = \"continue\"): ${failure.reason}`,
    };
  }
  return { ...failed(failure), hint: failure.hint ?? (failure.isAttempted ? releaseHint(key) : undefined) };
}

function failed({ reason, hint }: ProgramFailure): WriteEnd<CommandValue> & { readonly kind: "failed" } {
  return { kind: "failed", reason, hint };
}

/** Why a program failed. */
interface ProgramFailure {
  readonly reason: string;
  readonly hint?: string | undefined;
  /**
   * Whether the program ran to its end or can never be run. False if it was interrupted with the hook, or no time was
   * left.
   */
  readonly isAttempted: boolean;
}

/** A program to run, within its own time limit and the call's deadline. */
interface ProgramRun {
  readonly program: ProgramWords;
  readonly run: CommandRun;
  readonly deadlineMs: number;
}

/**
 * Runs a program. `onStart` is set for the first run and missing for the undo. Returns the failure, or `undefined` on
 * success.
 */
async function runProgram(
  { program, run, deadlineMs }: ProgramRun,
  sys: Sys,
  onStart?: (pid: number) => void,
): Promise<ProgramFailure | undefined> {
  const { argv } = program;
  const isUndo = onStart === undefined;
  const refused = await refusedArgv(program, sys, { again: isUndo });
  if (refused !== undefined) return { reason: refused.reason, hint: refused.hint, isAttempted: true };
  const leftMs = deadlineMs - sys.elapsedMs();
  if (leftMs <= 0) return { reason: `cannot run ${quote(argv[0])}: no time is left for this call`, isAttempted: false };
  const timeoutMs = Math.min(leftMs, run.timeoutMs ?? (isUndo ? leftMs * UNDO_SHARE : leftMs));
  const mark = isUndo ? {} : { [MARK_NAME]: run.mark ?? "" };
  const result = await sys.run({
    argv,
    environment: { ...run.environment, ...mark },
    stdin: undefined,
    timeoutMs,
    outputBytesMax: OUTPUT_BYTES_MAX,
    ...(isUndo ? {} : { onStart }),
  });
  if (result.end.kind === "exited" && result.end.code === 0) return undefined;
  return { reason: runProblem(argv[0], result, timeoutMs), isAttempted: result.end.kind !== "interrupted" };
}

function describe(value: CommandValue): string {
  if (value.phase === "idle") return "not run";
  return `${quote(value.argv[0])} ${value.phase === "begun" ? "was started" : "has run"}`;
}
