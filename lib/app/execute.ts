/**
 * Executes the immediate steps of a plan, in order, within the call's deadline, and makes the outcome of all steps.
 * @module
 */
import { endsCall, isFatal, type Outcome, type Step, type StepEnd } from "./outcome.ts";
import type { Scrubber } from "./secrets.ts";
import type { HookCall } from "../libvirt/call.ts";
import type { EditIntent, Fault, ImmediateIntent, RunIntent } from "../plan/intent.ts";
import { renderIntent } from "../plan/render.ts";
import type { Host } from "../resources/kinds.ts";
import type { RuleMatch } from "../rules/match.ts";
import type { RuleSet } from "../rules/rule.ts";
import { runProblem } from "../sys/command_end.ts";
import type { CommandEnd, CommandResult, Sys } from "../sys/sys.ts";
import { moreFailures } from "../text/plural.ts";
import { quote, visible } from "../text/quote.ts";
import { type ProgramSys, refuseArgv } from "../trust/refuse_program.ts";
import { XML_LIMITS } from "../xml/limits.ts";
import type { XmlDocument } from "../xml/tree.ts";

/** What executing needs of the world. */
export type ExecuteSys = ProgramSys & Pick<Sys, "run" | "elapsedMs">;

/** What a plan is carried out with. */
export interface ExecuteOptions {
  readonly call: HookCall;
  /** When the call's time is up, in milliseconds since the program started. */
  readonly deadlineMs: number;
}

/** The result of the immediate actions. */
export interface Execution {
  readonly steps: readonly Step[];
  /** The document that the steps made of the one libvirt sent; `undefined` where none changed it. */
  readonly document: XmlDocument | undefined;
  /** Knows the secrets of both. */
  readonly scrubber: Scrubber;
}

/** Each output stream of a program is kept up to here. */
const OUTPUT_BYTES_MAX = 65_536;
/** A document that is longer is one that cannot be read, also where it was cut off within a character. */
const DOCUMENT_BYTES_MAX = XML_LIMITS.bytes + 4;

/** A step before secrets are taken out of it. */
type BareStep = Omit<Step, "intent" | "plan">;

/** A step, and the document behind it where it made a new one. */
interface ExecutedIntent {
  readonly step: BareStep;
  readonly document?: XmlDocument;
}

/** What a step works with. */
interface ExecuteContext extends ExecuteOptions {
  readonly scrubber: Scrubber;
  /** The document as the steps before have left it; `undefined` where none changed it. */
  readonly document: XmlDocument | undefined;
}

/** Does what is done at once. A refusal, or a failure that fails the call, is the last step. */
export async function executeImmediate(
  immediate: readonly ImmediateIntent[],
  options: ExecuteOptions,
  sys: ExecuteSys,
): Promise<Execution> {
  const { makeScrubber } = await import("./secrets.ts");
  const scrubber = makeScrubber(options.call);
  const steps: Step[] = [];
  let document: XmlDocument | undefined;
  for (const intent of immediate) {
    const done = await executeIntent(intent, { ...options, document, scrubber }, sys);
    if (done.document !== undefined) {
      document = done.document;
      scrubber.learn(document);
    }
    const step = scrubStep(intent, done.step, scrubber);
    steps.push(step);
    if (endsCall(step)) break;
  }
  return { steps, document, scrubber };
}

/** A step as it may be written down. */
function scrubStep(intent: ImmediateIntent, bare: BareStep, scrubber: Scrubber): Step {
  const { problem, stdout, stderr, changes, ...rest } = bare;
  const scrubbed = (text: string | undefined): string | undefined =>
    text === undefined ? undefined : scrubber.scrub(text);
  return {
    ...rest,
    intent,
    plan: scrubber.scrubOwn(renderIntent(intent)),
    problem: problem === undefined ? undefined : scrubber.scrubOwn(problem),
    stdout: scrubbed(stdout),
    stderr: scrubbed(stderr),
    ...(changes === undefined ? {} : {
      changes: changes.map(({ line, from, to }) => ({
        line,
        from: scrubber.scrubPart(from),
        to: scrubber.scrubPart(to),
      })),
    }),
  };
}

async function executeIntent(
  intent: ImmediateIntent,
  ledgerContext: ExecuteContext,
  sys: ExecuteSys,
): Promise<ExecutedIntent> {
  switch (intent.kind) {
    case "deny":
      return { step: { end: "refused", problem: visible(intent.message), durationMs: 0 } };
    case "fault":
      return { step: faulty(intent) };
    case "edit":
      return await executeEdit(intent, ledgerContext, sys);
    case "run":
      return await executeRun(intent, ledgerContext, sys);
    default:
      return intent satisfies never;
  }
}

function faulty({ action, message, cause }: Fault): BareStep {
  const step = failed(`cannot ${action}: ${visible(message)}`);
  return cause === "time" ? { ...step, end: "late" } : step;
}

function failed(problem: string, hint?: string): BareStep {
  return { end: "failed", problem, hint, durationMs: 0 };
}

function noTimeLeft(what: string): BareStep {
  return { end: "late", problem: `cannot ${what}: no time is left for this call`, durationMs: 0 };
}

async function executeEdit(
  intent: EditIntent,
  ledgerContext: ExecuteContext,
  sys: ExecuteSys,
): Promise<ExecutedIntent> {
  if (sys.elapsedMs() >= ledgerContext.deadlineMs) return { step: noTimeLeft("edit the document") };
  const { changeDocument, REGEX_MS_MAX } = await import("./document.ts");
  const endMs = Math.min(sys.elapsedMs() + REGEX_MS_MAX, ledgerContext.deadlineMs);
  const document = ledgerContext.document ?? ledgerContext.call.xml();
  const changed = await changeDocument(document, intent.step.edit, () => sys.elapsedMs() > endMs);
  if (changed.kind === "failed") return { step: failed(visible(changed.problem)) };
  const step: BareStep = { end: "done", durationMs: 0, changes: changed.changes };
  return changed.isNew ? { step, document: changed.document } : { step };
}

async function executeRun(intent: RunIntent, ledgerContext: ExecuteContext, sys: ExecuteSys): Promise<ExecutedIntent> {
  const [program] = intent.argv;
  const refusal = await refuseArgv(intent, sys);
  if (refusal !== undefined) {
    return { step: failed(`cannot run ${quote(program)}: ${visible(refusal.reason)}`, refusal.advice) };
  }
  const stdin = intent.input === "document" ? currentDocument(ledgerContext) : undefined;
  if (stdin === "too-long") {
    return { step: failed(`cannot run ${quote(program)}: the document on stdin is too long to be its input`) };
  }
  const leftMs = ledgerContext.deadlineMs - sys.elapsedMs();
  if (leftMs <= 0) return { step: noTimeLeft(`run ${quote(program)}`) };
  const timeoutMs = Math.min(leftMs, intent.timeoutMs ?? leftMs);
  const printed = await sys.run({
    argv: intent.argv,
    environment: intent.environment,
    stdin,
    timeoutMs,
    outputBytesMax: intent.output === "document" ? DOCUMENT_BYTES_MAX : OUTPUT_BYTES_MAX,
  });
  // Of a longer document nothing is shown: its end would say little, and looking for secrets in it takes long.
  const isLong = printed.stdout.length > OUTPUT_BYTES_MAX;
  const result = intent.output === "document" && isLong && stepEnd(printed.end) !== "done"
    ? { ...printed, stdout: "" }
    : printed;
  const { stderr, durationMs } = result;
  const end = stepEnd(result.end);
  if (end !== "done") {
    const problem = runProblem(program, scrubResult(result, ledgerContext.scrubber), timeoutMs);
    return { step: { end, problem, durationMs, stdout: result.stdout, stderr } };
  }
  if (intent.output === "none") return { step: { end, durationMs, stdout: result.stdout, stderr } };
  // As with libvirt: nothing printed leaves the document as it is.
  if (result.stdout.trim() === "") return { step: { end, durationMs, stderr } };
  const { readPrinted } = await import("./document.ts");
  const read = readPrinted(result);
  if (read.kind === "changed") return { step: { end, durationMs, stderr }, document: read.document };
  const problem = `what ${quote(program)} printed cannot be the guest's document: ${visible(read.problem)}`;
  return { step: { ...failed(problem), durationMs, stderr } };
}

function currentDocument({ document, call }: ExecuteContext): Uint8Array | "too-long" {
  if (document !== undefined) return new TextEncoder().encode(document.text);
  return call.cut ? "too-long" : call.document;
}

/** Before its end goes into a message: half a secret is not found. */
function scrubResult(result: CommandResult, scrubber: Scrubber): CommandResult {
  return { ...result, stdout: scrubber.scrub(result.stdout), stderr: scrubber.scrub(result.stderr) };
}

function stepEnd(end: CommandEnd): StepEnd {
  if (end.kind === "timed-out") return "late";
  if (end.kind === "interrupted") return "interrupted";
  return end.kind === "exited" && end.code === 0 ? "done" : "failed";
}

/** What carrying out a plan takes. */
export interface CallContext extends Host {
  readonly matches: readonly RuleMatch[];
  readonly ruleSet: RuleSet;
  readonly call: HookCall;
}

/** The outcome of what was done at once and of what is held. */
export async function finish(
  execution: Execution,
  holds: readonly Step[],
  { matches, call }: CallContext,
): Promise<Outcome> {
  const { scrubber } = execution;
  const steps = [...execution.steps, ...holds.map((step) => scrubHold(step, scrubber))];
  const outcome = outcomeOfSteps(scrubMatches(matches, scrubber), steps);
  return outcome.weight === "noted" ? await withDocument(outcome, execution, call) : outcome;
}

/** What is held may be named after something in the document. */
function scrubHold(step: Step, scrubber: Scrubber): Step {
  const { problem } = step;
  return {
    ...step,
    plan: scrubber.scrubOwn(step.plan),
    problem: problem === undefined ? undefined : scrubber.scrubOwn(problem),
  };
}

/** The outcome with the document for libvirt, or why it cannot be the document. */
async function withDocument(outcome: Outcome, { document, scrubber }: Execution, call: HookCall): Promise<Outcome> {
  if (document === undefined || !call.facts.filter) return outcome;
  const { refuseDocument } = await import("./document.ts");
  const problem = refuseDocument(call.xml(), document);
  if (problem !== undefined) {
    return { ...outcome, kind: "failed", weight: "fails", problem: scrubber.scrubOwn(problem) };
  }
  return document.text === call.xml().text ? outcome : { ...outcome, stdout: document.text };
}

/** A label's value can be a secret too. */
function scrubMatches(matches: readonly RuleMatch[], scrubber: Scrubber): readonly RuleMatch[] {
  return matches.map((match) => ({
    ...match,
    verdicts: match.verdicts.map(({ holds, because }) => ({ holds, because: scrubber.scrubOwn(because) })),
  }));
}

/** What the steps of a plan come to: the one that decides the call, else the first that went wrong at all. */
function outcomeOfSteps(matches: readonly RuleMatch[], steps: readonly Step[]): Outcome {
  const decisive = steps.find(endsCall);
  const unsuccessful = steps.filter(({ end }) => end !== "done");
  const step = decisive ?? unsuccessful[0];
  if (step === undefined) return { kind: "done", weight: "noted", matches, steps };
  const problem = `rule "${step.intent.rule}": ${step.problem ?? step.end}${moreFailures(unsuccessful.length - 1)}`;
  const kind = step.end === "interrupted" ? "failed" : step.end;
  return { kind, weight: weightOf(decisive), problem, hint: step.hint, matches, steps };
}

function weightOf(decisive: Step | undefined): Outcome["weight"] {
  if (decisive === undefined) return "noted";
  return isFatal(decisive) ? "insists" : "fails";
}
