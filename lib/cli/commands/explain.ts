/**
 * `virt-hooks explain`: the very plan a hook would carry out, and for each rule why or why not.
 * @module
 */
import { fileExists, planCall, timeLimit } from "../../app/decide.ts";
import { CONFIG_DIRECTORY, DISABLED_FILE, lookAtConfig } from "../../app/product.ts";
import { hostLibvirt, runningDaemons } from "../../libvirt/host_version.ts";
import { exitCodeOf } from "../../app/outcome.ts";
import { refuseArgv } from "../../trust/refuse_program.ts";
import type { HookCall } from "../../libvirt/call.ts";
import { type Consequence, failurePolicy } from "../../libvirt/driver.ts";
import type { Intent } from "../../plan/intent.ts";
import type { Plan } from "../../plan/plan.ts";
import type { ProgramWords } from "../../trust/program_words.ts";
import { renderIntent } from "../../plan/render.ts";
import { quote, visible } from "../../text/quote.ts";
import { matchRules, type RuleMatch } from "../../rules/match.ts";
import { issueLine } from "../../rules/mistake.ts";
import type { RuleSet } from "../../rules/rule.ts";
import { callNotes } from "../checks/libvirt.ts";
import { type Args, type CliContext, CommandError, type Subcommand, USAGE_CODE } from "../subcommand.ts";
import { formatCount } from "../../text/plural.ts";
import { explainHolds, type HoldNotes, needsHolder } from "../explain_holds.ts";
import { readCall, readDocument } from "../read_call.ts";
import { loadAskedRules } from "../rules_folder.ts";

/** The subcommand. */
export const explain: Subcommand = {
  name: "explain",
  summary: "Show what a hook call would do, and why each rule matches or not",
  description: [
    "Nothing is changed: explain runs the hook's own code on a view of this host. Rules that look at the guest's XML read it from stdin, and so does explain to know whose resources are meant. Write -- before a name that begins with a dash.",
    "As root, explain also prints what each resource is now and would become, what would be restored, and the commands that would load forwarded ports.",
  ],
  args: [
    { name: "DRIVER", description: "qemu, lxc, libxl, network or daemon" },
    { name: "OBJECT", description: "The name of the guest or network" },
    { name: "OPERATION", description: "The operation: prepare, started, release ..." },
    { name: "SUB-OPERATION", description: "begin, end ... (default: the usual one)", isOptional: true },
    { name: "EXTRA", description: "The fourth argument of libvirt's call (default: -)", isOptional: true },
  ],
  options: [
    {
      name: "rules",
      value: "DIR",
      description: `Read DIR/rules.toml and DIR/rules.d instead of ${CONFIG_DIRECTORY}, whoever owns them`,
    },
    { name: "all", description: "Print commands in full" },
  ],
  stdin: "DOCUMENT",
  exitCodes: [
    { code: USAGE_CODE, meaning: "A rule cannot be decided" },
    { code: exitCodeOf("bad-rules"), meaning: "The rules have mistakes" },
  ],
  examples: [
    {
      command: "virsh dumpxml web-1 | virt-hooks explain qemu web-1 prepare",
      description: "What happens when web-1 starts?",
    },
    {
      command: "virt-hooks explain qemu web-1 release </dev/null",
      description: "What is restored when web-1 stops?",
    },
  ],
  run,
};

/** Lines of a script that are printed without `--all`. */
const SCRIPT_LINES_MAX = 30;

async function run(args: Args, context: CliContext): Promise<number> {
  const call = readCall(args.positionals, new Uint8Array(), context);
  const { directory, own, reading } = await loadAskedRules(args, context);
  printCall(call, context);
  if (own && await lookAtConfig(context.sys) === "disabled") {
    context.print(
      context.paint("yellow", `${DISABLED_FILE} is there: the hooks do nothing of this until "virt-hooks enable"`),
    );
  }
  if (reading.kind === "broken") {
    for (const issue of reading.issues) context.print(context.paint("red", visible(issueLine(issue))));
    context.print(`The rules are broken: ${brokenNote(call)}`);
    return exitCodeOf("bad-rules");
  }
  if (reading.ruleSet.rules.length === 0) context.print(`there are no rules in ${directory}`);
  const stdin = readOnce(context);
  const { matches, plan } = await decide(reading.ruleSet, args.positionals, { context, stdin });
  for (const match of matches) printMatch(match, context);
  if (own) await printLibvirt(call, reading.ruleSet, context);
  const whose = needsHolder(plan, call, context) ? readCall(args.positionals, stdin(), context) : call;
  const notes = await explainHolds(plan, { call: whose }, context);
  await printPlan(plan, { own, notes, linesMax: args.flags.has("all") ? Infinity : SCRIPT_LINES_MAX }, context);
  return 0;
}

/** What the rules of this host ask of libvirt and this host's libvirt does not do. */
async function printLibvirt(call: HookCall, ruleSet: RuleSet, context: CliContext): Promise<void> {
  const libvirt = await hostLibvirt(await runningDaemons(context.sys), context.sys);
  for (const note of callNotes(call, ruleSet, libvirt)) {
    context.print(context.paint("yellow", `note: ${visible(note)}`));
  }
}

/** Reads stdin at most once, and only when needed, since it may be a terminal. */
function readOnce(context: CliContext): () => Uint8Array {
  let document: Uint8Array | undefined;
  return () => document ??= readDocument(context);
}

interface Decision {
  readonly matches: readonly RuleMatch[];
  readonly plan: Plan;
}

/** Stdin is read only for rules that look at the document. */
async function decide(
  ruleSet: RuleSet,
  words: readonly string[],
  { context, stdin }: { readonly context: CliContext; readonly stdin: () => Uint8Array },
): Promise<Decision> {
  const blind = await decideCall(ruleSet, readCall(words, new Uint8Array(), context), context);
  if (documentTrouble(blind) === undefined) return blind;
  const document = stdin();
  if (document.length === 0) {
    const hint = "give it on stdin: virsh dumpxml GUEST | virt-hooks explain …";
    throw new CommandError("Cannot decide: a rule looks at the document", { hint, code: USAGE_CODE });
  }
  const decision = await decideCall(ruleSet, readCall(words, document, context), context);
  const undecided = decision.matches.find((match) => match.problem !== undefined);
  if (undecided?.problem !== undefined) {
    throw new CommandError(`Cannot decide: ${undecided.problem}`, { code: exitCodeOf("bad-call") });
  }
  return decision;
}

/** What keeps a rule from looking at the document. */
function documentTrouble({ matches, plan }: Decision): string | undefined {
  const undecided = matches.find((match) => match.problem !== undefined && match.isLate !== true);
  const fault = plan.find((intent) => intent.kind === "fault" && intent.cause === "document");
  return undecided?.problem ?? (fault?.kind === "fault" ? fault.message : undefined);
}

async function decideCall(ruleSet: RuleSet, call: HookCall, context: CliContext): Promise<Decision> {
  const isLate = timeLimit(call, ruleSet, context.sys);
  const matches = await matchRules(ruleSet, call, fileExists(context.sys), isLate);
  return { matches, plan: planCall(matches, call, isLate) };
}

const FAILURE_TEXTS = {
  aborts: "libvirt aborts the operation",
  kills: "libvirt kills the guest, so failures are only noted unless a rule insists",
  abandons: "libvirt loses track of the guest, so failures are only noted unless a rule insists",
  leaks: "libvirt 9 leaves the bridge behind, so the hook never fails here",
  reports: "the change stays and its caller sees an error, so failures are only noted unless a rule insists",
  ignored: "libvirt ignores it, so the hook never fails here",
} as const satisfies Record<Consequence, string>;

function printCall(call: HookCall, context: CliContext): void {
  const { driver, object, operation, subOperation, extra, facts, host } = call;
  context.print(
    context.paint("bold", `${driver} ${quote(object)} ${operation} ${subOperation} ${quote(extra)} on host ${host}`),
  );
  context.print(`if this hook fails, ${FAILURE_TEXTS[facts.onFailure]}`);
}

function brokenNote(call: HookCall): string {
  return failurePolicy(call.facts) === "strict"
    ? `this call would fail with exit code ${exitCodeOf("bad-rules")}`
    : "this call would do nothing and exit 0";
}

function printMatch({ rule, matches, verdicts, isLate, problem }: RuleMatch, context: CliContext): void {
  if (isLate === true) return context.print(context.paint("red", visible(problem ?? "")));
  const because = verdicts.filter((verdict) => verdict.holds === matches).map((verdict) => visible(verdict.because));
  const name = `rule "${rule.name}"`;
  context.print(
    matches
      ? `${context.paint("green", `${name} matches`)}: ${because.join(", ")}`
      : context.paint("dim", `${name} does not match: ${because.join(", ")}`),
  );
}

async function printPlan(
  plan: Plan,
  { own, notes, linesMax }: { readonly own: boolean; readonly notes: HoldNotes; readonly linesMax: number },
  context: CliContext,
): Promise<void> {
  context.print(context.paint("bold", "plan:"));
  if (plan.length + notes.behind.length === 0) context.print("  nothing to do");
  for (const intent of plan) {
    context.print(`  ${renderIntent(intent)}  ${context.paint("dim", `(rule "${intent.rule}")`)}`);
    for (const line of own ? await refusals(programsOf(intent), context) : []) context.print(`        ${line}`);
    for (const line of notes.beneath.get(intent) ?? []) context.print(`        ${line}`);
    for (const line of cut(notes.scripts.get(intent) ?? [], linesMax)) context.print(`          ${visible(line)}`);
  }
  for (const line of notes.behind) context.print(`  ${line}`);
}

/** Why programs would not be run; an `argv` and its `undo` may be the same one. */
async function refusals(
  programs: ReturnType<typeof programsOf>,
  { paint, sys }: CliContext,
): Promise<ReadonlySet<string>> {
  const lines = new Set<string>();
  for (const program of programs) {
    const refusal = await refuseArgv(program, sys);
    if (refusal === undefined) continue;
    lines.add(paint("red", `would not be run: ${visible(`${refusal.reason}; ${refusal.advice}`)}`));
  }
  return lines;
}

function cut(lines: readonly string[], max: number): readonly string[] {
  if (lines.length <= max) return lines;
  return [...lines.slice(0, max), `… and ${formatCount(lines.length - max, "line")} more: --all shows them`];
}

/** The programs that an intent runs itself. */
function programsOf(intent: Intent): readonly ProgramWords[] {
  if (intent.kind === "run") return [intent];
  if (intent.kind !== "hold") return [];
  switch (intent.resource) {
    case "command": {
      const { undo, undoFilled } = intent.demand;
      return undo === undefined ? [intent.demand] : [intent.demand, { argv: undo, filled: undoFilled }];
    }
    case "process":
      return [intent.demand];
    default:
      return [];
  }
}
