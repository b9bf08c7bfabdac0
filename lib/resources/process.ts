/**
 * A program that runs during its holder's lifetime: a transient unit on hosts with systemd, otherwise a process in a
 * session of its own. The resource belongs to one holder.
 * @module
 */
import * as v from "valibot";
import { quote } from "../text/quote.ts";
import type { ProcessDemand } from "../plan/demand.ts";
import type { ProgramWords } from "../trust/program_words.ts";
import type { Sys } from "../sys/sys.ts";
import { parseProcStat, procStatPath } from "../sys/proc_stat.ts";
import { endText } from "../sys/command_end.ts";
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
import { endSession, isAlive, MARK_NAME, membersOf, newMark } from "./program/session.ts";
import { hasSystemd, startUnit, stopUnit, unitEnd, unitState } from "./program/unit.ts";

/** A started program. `left`: it has ended, but processes that it started still run. */
interface StartedProgram extends ProgramWords {
  readonly phase: "running" | "left";
  readonly environment: Readonly<Record<string, string>>;
  /** Undefined until the program is started. */
  readonly mark?: string | undefined;
  /** The name of its systemd unit, on hosts with systemd. */
  readonly unit?: string | undefined;
  readonly session?: number | undefined;
  readonly startTime?: string | undefined;
}

type ProcessValue = { readonly phase: "idle" } | StartedProgram;

/** A program that ends within this time has failed to start. */
const WATCH_MS = 200;
/** How long a program may take to end after SIGTERM. */
const TERM_MS = 5_000;

/** Programs that run during a holder's lifetime, as a resource kind. */
export const process = resource<ProcessDemand, ProcessValue>({
  name: "process",
  demand: v.object({ argv: argvSchema(), filled: filledSchema(), environment: v.record(v.string(), v.string()) }),
  value: valueSchema(),
  // The original is restored even if the program has ended or left processes behind.
  restores: "difference",
  perLife: true,
  tools: [],
  keeps: (before, now) => sameValue(before.argv, now.argv),
  resolve,
  read: (_key, sys, saved, deadlineMs = Infinity) => read(saved, deadlineMs, sys),
  wanted: (_original, [first], actual) => {
    if (first === undefined) throw new Error("Cannot determine the target value of a process: there are no demands");
    const { argv, filled, environment } = first.demand;
    const isRunning = actual?.phase === "running";
    return { kind: "value", value: isRunning ? actual : { phase: "running", argv, filled, environment } };
  },
  write,
  explainDrift: explainDrift,
  describe: (value) => value.phase === "idle" ? "not running" : `${quote(value.argv[0])} ${value.phase}`,
});

function valueSchema(): v.GenericSchema<unknown, ProcessValue> {
  return v.variant("phase", [
    v.object({ phase: v.literal("idle") }),
    v.object({
      phase: v.picklist(["running", "left"]),
      argv: argvSchema(),
      filled: filledSchema(),
      environment: v.record(v.string(), v.string()),
      mark: v.optional(v.string()),
      unit: v.optional(v.string()),
      session: v.optional(v.number()),
      startTime: v.optional(v.string()),
    }),
  ]);
}

async function resolve(
  demand: ProcessDemand,
  sys: Sys,
  { holder, rule, action }: Requester,
): Promise<Resolution<ProcessDemand>> {
  const refused = await refusedArgv(demand, sys);
  return refused ?? { kind: "resolved", key: `process/${rule}/${action}/${holder}`, demand };
}

/** Reads the state of the program that was started last. */
async function read(
  saved: SavedState<ProcessValue> | undefined,
  deadlineMs: number,
  sys: Sys,
): Promise<Reading<ProcessValue>> {
  const program = [saved?.pending, saved?.written].find(isStarted);
  if (program === undefined) return { kind: "value", value: { phase: "idle" } };
  const phase = await phaseOf(program, deadlineMs, sys);
  if (typeof phase === "object") return { kind: "unreadable", reason: phase.reason };
  return { kind: "value", value: phase === "idle" ? { phase } : { ...program, phase } };
}

/** Explains why the program is not running. systemd keeps the result of a failed unit. */
async function explainDrift(
  { written }: SavedState<ProcessValue>,
  actual: ProcessValue,
  sys: Sys,
): Promise<string | undefined> {
  if (written?.phase !== "running" || actual.phase === "running") return undefined;
  const { unit } = written;
  const hasFailed = unit !== undefined && await unitState(unit, sys) === "failed";
  return `${quote(written.argv[0])} ended by itself: ${
    hasFailed ? `it ${await unitEnd(unit, sys)}` : "the reason is unknown"
  }`;
}

/** A program that may have been started, with the mark that identifies it. */
type MarkedProgram = StartedProgram & { readonly mark: string };

function isStarted(value: ProcessValue | undefined): value is MarkedProgram {
  return value !== undefined && value.phase !== "idle" && value.mark !== undefined;
}

async function phaseOf(
  program: MarkedProgram,
  deadlineMs: number,
  sys: Sys,
): Promise<ProcessValue["phase"] | { readonly reason: string }> {
  if (program.unit === undefined) {
    if (await isAlive(program, deadlineMs, sys)) return "running";
    const members = await membersOf(program, deadlineMs, sys);
    if (members.length === 0) return "idle";
    return members.some((one) => one.pid === program.session) ? "running" : "left";
  }
  const state = await unitState(program.unit, sys);
  if (typeof state === "object") return state;
  if (state === "inactive") return "idle";
  return state === "failed" || state === "deactivating" ? "left" : "running";
}

async function write(change: ResourceChange<ProcessValue>, sys: Sys): Promise<WriteEnd<ProcessValue>> {
  const { from, to } = change;
  if (isStarted(from)) {
    const problem = from.unit === undefined
      ? await endSession(from, { termMs: termMs(change, sys), deadlineMs: change.deadlineMs }, sys)
      : await stopUnit(from.unit, change.deadlineMs, sys);
    if (problem !== undefined) return { kind: "stuck", reason: problem };
  }
  if (to.phase === "idle") return { kind: "applied", value: to };
  const refused = await refusedArgv(to, sys);
  if (refused !== undefined) return { kind: "failed", reason: refused.reason, hint: refused.hint };
  const mark = newMark();
  return hasSystemd(sys)
    ? await startAsUnit({ ...to, mark, unit: `virt-hooks-${mark}.service` }, change, sys)
    : await startAlone({ ...to, mark }, change, sys);
}

/** Limits the wait to half of the remaining time: other resources may have to be restored after this one. */
function termMs({ deadlineMs }: ResourceChange<ProcessValue>, sys: Sys): number {
  return Math.max(0, Math.min(TERM_MS, (deadlineMs - sys.elapsedMs()) / 2));
}

async function startAsUnit(
  program: MarkedProgram & { readonly unit: string },
  change: ResourceChange<ProcessValue>,
  sys: Sys,
): Promise<WriteEnd<ProcessValue>> {
  const { unit, argv, environment } = program;
  change.savePending(program);
  const problem = await startUnit({ unit, argv, environment, description: `virt-hooks ${change.key}` }, sys);
  if (problem !== undefined) return { kind: "failed", reason: problem };
  await sys.sleep(WATCH_MS);
  if (await phaseOf(program, change.deadlineMs, sys) === "running") return { kind: "applied", value: program };
  const end = await unitEnd(unit, sys);
  return { kind: "failed", reason: `${quote(argv[0])} ${end} at once`, hint: `see: journalctl -u ${unit}` };
}

async function startAlone(
  program: MarkedProgram,
  change: ResourceChange<ProcessValue>,
  sys: Sys,
): Promise<WriteEnd<ProcessValue>> {
  change.savePending(program);
  let started: MarkedProgram = program;
  const { argv, environment, mark } = program;
  const launched = await sys.launch({
    argv,
    environment: { ...environment, [MARK_NAME]: mark },
    watchMs: WATCH_MS,
    onStart: (pid) => {
      started = { ...program, session: pid };
      change.savePending(started);
    },
  });
  if (launched.kind === "ended") {
    const end = endText(launched.end, WATCH_MS);
    const isStart = launched.end.kind === "not-started";
    return { kind: "failed", reason: `${quote(argv[0])} ${end}${isStart ? "" : " at once"}`, hint: FOREGROUND };
  }
  const stats = await sys.kernel.read([procStatPath(launched.pid)]);
  const startTime = parseProcStat(stats.get(procStatPath(launched.pid)) ?? "")?.startTime;
  return { kind: "applied", value: { ...started, startTime } };
}

const FOREGROUND = "a process must stay in the foreground, and its output is discarded";
