/**
 * `virt-hooks explain`: the very plan a hook would carry out, and for each rule why or why not.
 * @module
 */
import { fileExists } from "../../app/file_exists.ts";
import { lookAtConfig } from "../../app/config_folder.ts";
import { hostLibvirt, runningDaemons } from "../../app/host_libvirt.ts";
import { exitCodeOf } from "../../app/outcome.ts";
import { CONFIG_DIRECTORY, DISABLED_FILE } from "../../app/paths.ts";
import { planCall } from "../../app/plan_call.ts";
import { timeLimit } from "../../app/time_limit.ts";
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
import { CommandError, type Desk, type Given, type Subcommand, USAGE_CODE } from "../subcommand.ts";
import { counted } from "../../text/plural.ts";
import { asksWhose, explainHolds, type HoldNotes } from "../explain_holds.ts";
import { readCall, readDocument } from "../read_call.ts";
import { loadAskedRules } from "../rules_folder.ts";

/** The subcommand. */
export const explain: Subcommand = {
  name: "explain",
  usage: "DRIVER OBJECT OPERATION [SUB-OPERATION] [EXTRA] [--rules DIR] [--all]",
  summary: "Shows what a hook call would do and, for each rule, why or why not",
  details: [
    "Nothing is done: the plan is the one that the hook would carry out.",
    `--rules DIR reads DIR/rules.toml and DIR/rules.d instead of ${CONFIG_DIRECTORY}, whoever owns them.`,
    "A name that begins with a dash stands behind --.",
    "Rules that look at the document (uuid, label, xml, edit) read it from stdin; so does what is held, to know whose it",
    "is. As root it tells what each hold is now and would become, and what would be given back; of forwarded ports also",
    "the very text that would be loaded, or the beginning of it; --all shows all of it.",
    "Example: virsh dumpxml web-1 | virt-hooks explain qemu web-1 prepare",
  ],
  texts: ["rules"],
  switches: ["all"],
  words: { min: 3, max: 5 },
  run,
};

/** A person reads no more than this of a script that nobody asked for. */
const SCRIPT_LINES_MAX = 30;

async function run(given: Given, desk: Desk): Promise<number> {
  const call = readCall(given.words, new Uint8Array(), desk);
  const { directory, own, reading } = await loadAskedRules(given, desk);
  tellCall(call, desk);
  if (own && await lookAtConfig(desk.sys) === "disabled") {
    desk.print(
      desk.paint("yellow", `${DISABLED_FILE} is there: the hooks do nothing of this until "virt-hooks enable"`),
    );
  }
  if (reading.kind === "broken") {
    for (const issue of reading.issues) desk.print(desk.paint("red", visible(issueLine(issue))));
    desk.print(`The rules are broken: ${brokenNote(call)}`);
    return exitCodeOf("bad-rules");
  }
  if (reading.ruleSet.rules.length === 0) desk.print(`there are no rules in ${directory}`);
  const stdin = readOnce(desk);
  const { matches, plan } = await decide(reading.ruleSet, given.words, { desk, stdin });
  for (const match of matches) tellMatch(match, desk);
  if (own) await tellLibvirt(call, reading.ruleSet, desk);
  const whose = asksWhose(plan, call, desk) ? readCall(given.words, stdin(), desk) : call;
  const notes = await explainHolds(plan, { call: whose }, desk);
  await tellPlan(plan, { own, notes, linesMax: given.switches.has("all") ? Infinity : SCRIPT_LINES_MAX }, desk);
  return 0;
}

/** What the rules of this host ask of libvirt and this host's libvirt does not do. */
async function tellLibvirt(call: HookCall, ruleSet: RuleSet, desk: Desk): Promise<void> {
  const libvirt = await hostLibvirt(await runningDaemons(desk.sys), desk.sys);
  for (const note of callNotes(call, ruleSet, libvirt)) desk.print(desk.paint("yellow", `note: ${visible(note)}`));
}

/** Stdin can be read but once, and somebody may have to type it: it is read when it is needed. */
function readOnce(desk: Desk): () => Uint8Array {
  let document: Uint8Array | undefined;
  return () => document ??= readDocument(desk);
}

interface Decision {
  readonly matches: readonly RuleMatch[];
  readonly plan: Plan;
}

/** Stdin is read only for rules that look at the document. */
async function decide(
  ruleSet: RuleSet,
  words: readonly string[],
  { desk, stdin }: { readonly desk: Desk; readonly stdin: () => Uint8Array },
): Promise<Decision> {
  const blind = await decideCall(ruleSet, readCall(words, new Uint8Array(), desk), desk);
  if (documentTrouble(blind) === undefined) return blind;
  const document = stdin();
  if (document.length === 0) {
    const hint = "give it on stdin: virsh dumpxml GUEST | virt-hooks explain …";
    throw new CommandError("Cannot decide: a rule looks at the document", { hint, code: USAGE_CODE });
  }
  const decision = await decideCall(ruleSet, readCall(words, document, desk), desk);
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

async function decideCall(ruleSet: RuleSet, call: HookCall, desk: Desk): Promise<Decision> {
  const isLate = timeLimit(call, ruleSet, desk.sys);
  const matches = await matchRules(ruleSet, call, fileExists(desk.sys), isLate);
  return { matches, plan: planCall(matches, call, isLate) };
}

const IF_IT_FAILS = {
  aborts: "libvirt gives up what was asked for",
  kills: "libvirt kills the guest, so failures are only noted unless a rule insists",
  abandons: "libvirt loses sight of the guest, so failures are only noted unless a rule insists",
  leaks: "libvirt 9 leaves the bridge behind, so the hook never fails here",
  reports: "the change stays and its caller sees an error, so failures are only noted unless a rule insists",
  ignored: "libvirt ignores it, so the hook never fails here",
} as const satisfies Record<Consequence, string>;

function tellCall(call: HookCall, desk: Desk): void {
  const { driver, object, operation, subOperation, extra, facts, host } = call;
  desk.print(
    desk.paint("bold", `${driver} ${quote(object)} ${operation} ${subOperation} ${quote(extra)} on host ${host}`),
  );
  desk.print(`when it fails, ${IF_IT_FAILS[facts.onFailure]}`);
}

function brokenNote(call: HookCall): string {
  return failurePolicy(call.facts) === "strict"
    ? `this call would fail with exit code ${exitCodeOf("bad-rules")}`
    : "this call would do nothing and exit 0";
}

function tellMatch({ rule, matches, verdicts, isLate, problem }: RuleMatch, desk: Desk): void {
  if (isLate === true) return desk.print(desk.paint("red", visible(problem ?? "")));
  const because = verdicts.filter((verdict) => verdict.holds === matches).map((verdict) => visible(verdict.because));
  const name = `rule "${rule.name}"`;
  desk.print(
    matches
      ? `${desk.paint("green", `${name} matches`)}: ${because.join(", ")}`
      : desk.paint("dim", `${name} does not match: ${because.join(", ")}`),
  );
}

async function tellPlan(
  plan: Plan,
  { own, notes, linesMax }: { readonly own: boolean; readonly notes: HoldNotes; readonly linesMax: number },
  desk: Desk,
): Promise<void> {
  desk.print(desk.paint("bold", "plan:"));
  if (plan.length === 0) desk.print("  nothing to do");
  for (const intent of plan) {
    desk.print(`  ${renderIntent(intent)}  ${desk.paint("dim", `(rule "${intent.rule}")`)}`);
    for (const line of own ? await refusals(programsOf(intent), desk) : []) desk.print(`        ${line}`);
    for (const line of notes.beneath.get(intent) ?? []) desk.print(`        ${line}`);
    for (const line of cut(notes.scripts.get(intent) ?? [], linesMax)) desk.print(`          ${visible(line)}`);
  }
  for (const line of notes.behind) desk.print(`  ${line}`);
}

/** Why programs would not be run; an `argv` and its `undo` may be the same one. */
async function refusals(programs: ReturnType<typeof programsOf>, { paint, sys }: Desk): Promise<ReadonlySet<string>> {
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
  return [...lines.slice(0, max), `… and ${counted(lines.length - max, "line")} more: --all shows them`];
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
