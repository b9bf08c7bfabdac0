/**
 * The workshop: carries a plan out, step by step, within the call's time.
 * @module
 */
import type { Fault, Intent, Run } from "../plan/intent.ts";
import type { Plan } from "../plan/plan.ts";
import { quote, visible } from "../plan/render.ts";
import type { CommandEnd, CommandResult, Sys } from "../sys/sys.ts";
import { type ProgramSys, refuseArgv } from "./refuse_program.ts";

/** What executing needs of the world. */
export type ExecuteSys = ProgramSys & Pick<Sys, "run" | "elapsedMs">;

/** What a plan is carried out with. */
export interface ExecuteOptions {
  readonly document: Uint8Array;
  /** When the call's time is up, in milliseconds since the program started. */
  readonly deadlineMs: number;
}

/** How a step ended. `late`: its time ran out. `interrupted`: we were told to end. */
export type StepEnd = "done" | "refused" | "failed" | "late" | "interrupted";

/** What came of one intent. */
export interface Step {
  readonly intent: Intent;
  readonly end: StepEnd;
  /** What went wrong, for a person. */
  readonly problem?: string | undefined;
  readonly hint?: string | undefined;
  readonly durationMs: number;
  readonly stdout?: string | undefined;
  readonly stderr?: string | undefined;
}

/** Each output stream of a program is kept up to here. */
const OUTPUT_BYTES_MAX = 65_536;
/** How much of a program's output goes into our one line. */
const SHOWN_LENGTH_MAX = 500;

/** Carries a plan out. A refusal, or a failure that fails the call, is the last step. */
export async function executePlan(plan: Plan, options: ExecuteOptions, sys: ExecuteSys): Promise<readonly Step[]> {
  const steps: Step[] = [];
  for (const intent of plan) {
    const step = await executeIntent(intent, options, sys);
    steps.push(step);
    if (isFatal(step) || step.end === "interrupted") break;
  }
  return steps;
}

/** Whether a step's end decides the call. */
export function isFatal(step: Step): boolean {
  return step.end !== "done" && (step.intent.kind === "deny" || step.intent.onError === "fail");
}

async function executeIntent(intent: Intent, options: ExecuteOptions, sys: ExecuteSys): Promise<Step> {
  switch (intent.kind) {
    case "deny":
      return { intent, end: "refused", problem: visible(intent.message), durationMs: 0 };
    case "fault":
      return failed(intent, `cannot ${intent.action}: ${visible(intent.message)}`);
    case "run":
      return await executeRun(intent, options, sys);
    default:
      return intent satisfies never;
  }
}

function failed(intent: Run | Fault, problem: string, hint?: string): Step {
  return { intent, end: "failed", problem, hint, durationMs: 0 };
}

async function executeRun(intent: Run, options: ExecuteOptions, sys: ExecuteSys): Promise<Step> {
  const [program] = intent.argv;
  const refusal = refuseArgv(intent.argv, sys);
  if (refusal !== undefined) {
    return failed(intent, `cannot run ${quote(program)}: ${visible(refusal.reason)}`, refusal.advice);
  }
  const leftMs = options.deadlineMs - sys.elapsedMs();
  if (leftMs <= 0) {
    const problem = `cannot run ${quote(program)}: no time is left for this call`;
    return { intent, end: "late", problem, durationMs: 0 };
  }
  const timeoutMs = Math.min(leftMs, intent.timeoutMs ?? leftMs);
  const result = await sys.run({
    argv: intent.argv,
    environment: intent.environment,
    stdin: intent.input === "document" ? options.document : undefined,
    timeoutMs,
    outputBytesMax: OUTPUT_BYTES_MAX,
  });
  const { stdout, stderr, durationMs } = result;
  const end = stepEnd(result.end);
  const problem = end === "done" ? undefined : runProblem(program, result, timeoutMs);
  return { intent, end, problem, durationMs, stdout, stderr };
}

function stepEnd(end: CommandEnd): StepEnd {
  if (end.kind === "timed-out") return "late";
  if (end.kind === "interrupted") return "interrupted";
  return end.kind === "exited" && end.code === 0 ? "done" : "failed";
}

function runProblem(program: string, result: CommandResult, timeoutMs: number): string {
  const said = lastWords(result);
  return `${quote(program)} ${endText(result.end, timeoutMs)}${said === "" ? "" : `: ${said}`}`;
}

function endText(end: CommandEnd, timeoutMs: number): string {
  switch (end.kind) {
    case "exited":
      return `exited with status ${end.code}`;
    case "signalled":
      return `was ended by ${end.signal}`;
    case "interrupted":
      return `was ended, since the hook itself got ${end.signal}`;
    case "timed-out":
      return `did not end within ${Math.round(timeoutMs) / 1000} s and ${
        end.stuck ? "cannot be killed: it is stuck in the kernel" : "was killed"
      }`;
    case "not-started":
      return `could not be started: ${visible(end.reason)}`;
    default:
      return end satisfies never;
  }
}

/** What the program said last, on one line. */
function lastWords(result: CommandResult): string {
  const output = result.stderr.trim() === "" ? result.stdout : result.stderr;
  const lines = output.split("\n").map((text) => visible(text.trim())).filter((text) => text !== "");
  const line = lines.join(" | ");
  return line.length > SHOWN_LENGTH_MAX ? `…${line.slice(-SHOWN_LENGTH_MAX)}` : line;
}
