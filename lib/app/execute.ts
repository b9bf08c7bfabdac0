/**
 * The workshop: carries a plan out, step by step, within the call's time.
 * @module
 */
import type { HookCall } from "../libvirt/call.ts";
import type { Edit, Fault, Intent, Run } from "../plan/intent.ts";
import type { Plan } from "../plan/plan.ts";
import { quote, visible } from "../plan/render.ts";
import type { CommandEnd, CommandResult, Sys } from "../sys/sys.ts";
import type { XmlDocument } from "../xml/tree.ts";
import { type Change, changeDocument, readPrinted } from "./document.ts";
import { type ProgramSys, refuseArgv } from "./refuse_program.ts";

/** What executing needs of the world. */
export type ExecuteSys = ProgramSys & Pick<Sys, "run" | "elapsedMs">;

/** What a plan is carried out with. */
export interface ExecuteOptions {
  readonly call: HookCall;
  /** When the call's time is up, in milliseconds since the program started. */
  readonly deadlineMs: number;
}

/** What came of a plan. */
export interface Execution {
  readonly steps: readonly Step[];
  /** The document that the steps made of the one libvirt sent; `undefined` where none changed it. */
  readonly document: XmlDocument | undefined;
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
  /** What an edit changed. */
  readonly changes?: readonly Change[];
}

/** Each output stream of a program is kept up to here. */
const OUTPUT_BYTES_MAX = 65_536;
/** A program may print as long a document as libvirt may send. */
const DOCUMENT_BYTES_MAX = 16 * 1024 * 1024;
/** How much of a program's output goes into our one line. */
const SHOWN_LENGTH_MAX = 500;

/** A step, and the document behind it where it made a new one. */
interface Done {
  readonly step: Step;
  readonly document?: XmlDocument;
}

/** What a step works with. */
interface Work extends ExecuteOptions {
  /** The document as the steps before have left it; `undefined` where none changed it. */
  readonly document: XmlDocument | undefined;
}

/** Carries a plan out. A refusal, or a failure that fails the call, is the last step. */
export async function executePlan(plan: Plan, options: ExecuteOptions, sys: ExecuteSys): Promise<Execution> {
  const steps: Step[] = [];
  let document: XmlDocument | undefined;
  for (const intent of plan) {
    const done = await executeIntent(intent, { ...options, document }, sys);
    steps.push(done.step);
    document = done.document ?? document;
    if (isFatal(done.step) || done.step.end === "interrupted") break;
  }
  return { steps, document };
}

/** Whether a step's end decides the call. */
export function isFatal(step: Step): boolean {
  return step.end !== "done" && (step.intent.kind === "deny" || step.intent.onError === "fail");
}

async function executeIntent(intent: Intent, work: Work, sys: ExecuteSys): Promise<Done> {
  switch (intent.kind) {
    case "deny":
      return { step: { intent, end: "refused", problem: visible(intent.message), durationMs: 0 } };
    case "fault":
      return { step: failed(intent, `cannot ${intent.action}: ${visible(intent.message)}`) };
    case "edit":
      return executeEdit(intent, work);
    case "run":
      return await executeRun(intent, work, sys);
    default:
      return intent satisfies never;
  }
}

function failed(intent: Edit | Run | Fault, problem: string, hint?: string): Step {
  return { intent, end: "failed", problem, hint, durationMs: 0 };
}

function executeEdit(intent: Edit, work: Work): Done {
  const changed = changeDocument(work.document ?? work.call.xml(), intent.step.edit);
  if (changed.kind === "failed") return { step: failed(intent, visible(changed.problem)) };
  const step: Step = { intent, end: "done", durationMs: 0, changes: changed.changes };
  return changed.changes.length === 0 ? { step } : { step, document: changed.document };
}

async function executeRun(intent: Run, work: Work, sys: ExecuteSys): Promise<Done> {
  const [program] = intent.argv;
  const refusal = refuseArgv(intent.argv, sys);
  if (refusal !== undefined) {
    return { step: failed(intent, `cannot run ${quote(program)}: ${visible(refusal.reason)}`, refusal.advice) };
  }
  const leftMs = work.deadlineMs - sys.elapsedMs();
  if (leftMs <= 0) {
    const problem = `cannot run ${quote(program)}: no time is left for this call`;
    return { step: { intent, end: "late", problem, durationMs: 0 } };
  }
  const timeoutMs = Math.min(leftMs, intent.timeoutMs ?? leftMs);
  const result = await sys.run({
    argv: intent.argv,
    environment: intent.environment,
    stdin: intent.input === "document" ? currentDocument(work) : undefined,
    timeoutMs,
    outputBytesMax: intent.output === "document" ? DOCUMENT_BYTES_MAX : OUTPUT_BYTES_MAX,
  });
  const { stderr, durationMs } = result;
  const end = stepEnd(result.end);
  if (end !== "done") {
    const problem = runProblem(program, result, timeoutMs);
    return { step: { intent, end, problem, durationMs, stdout: result.stdout, stderr } };
  }
  if (intent.output === "none") return { step: { intent, end, durationMs, stdout: result.stdout, stderr } };
  // As with libvirt: nothing printed leaves the document as it is.
  if (result.stdout.trim() === "") return { step: { intent, end, durationMs, stderr } };
  const printed = readPrinted(result.stdout);
  if (printed.kind === "changed") return { step: { intent, end, durationMs, stderr }, document: printed.document };
  const problem = `what ${quote(program)} printed cannot be the guest's document: ${visible(printed.problem)}`;
  return { step: { ...failed(intent, problem), durationMs, stderr } };
}

function currentDocument(work: Work): Uint8Array {
  return work.document === undefined ? work.call.document : new TextEncoder().encode(work.document.text);
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
