/**
 * Rules and a call → what was done. Loaded only on hosts that have rules.
 * @module
 */
import { type HookCall, makeCall, type ParseDocument } from "../libvirt/call.ts";
import { failurePolicy, type Operation } from "../libvirt/driver.ts";
import type { Invocation } from "../libvirt/invocation.ts";
import { visible } from "../plan/render.ts";
import type { Plan } from "../plan/plan.ts";
import { documentProblem, looksAtDocument, matchRules, type RuleMatch } from "../rules/match.ts";
import { type Issue, issueLine } from "../rules/mistake.ts";
import type { RuleSet } from "../rules/rule.ts";
import type { Sys } from "../sys/sys.ts";
import { isDocumentError } from "../xml/limit_error.ts";
import { endsCall, executePlan, type Execution, isFatal, type Step } from "./execute.ts";
import { fileExists } from "./file_exists.ts";
import { loadRules } from "./load_rules.ts";
import type { Outcome } from "./outcome.ts";
import { CONFIG_DIRECTORY } from "./paths.ts";
import type { Scrubber } from "./secrets.ts";
import { planCall } from "./plan_call.ts";

/** What a call is about. */
export interface Asked {
  readonly invocation: Invocation;
  readonly facts: Operation;
  readonly document: Uint8Array;
}

/** Does what this host's rules want at a call. */
export async function obeyRules(asked: Asked, sys: Sys): Promise<Outcome> {
  const reading = await loadRules(CONFIG_DIRECTORY, sys, { trust: true, most: 1 });
  if (reading.kind === "broken") return brokenRules(reading);
  try {
    return await obey(reading.ruleSet, asked, sys);
  } catch (error) {
    // An edit looks where no rule's selectors did.
    if (!isDocumentError(error)) throw error;
    return { ...NOTHING_DONE, kind: "bad-call", weight: "fails", problem: documentProblem(error) };
  }
}

function brokenRules(
  { issues: [first], count }: { readonly issues: readonly Issue[]; readonly count: number },
): Outcome {
  const line = first === undefined ? "" : visible(issueLine(first));
  const more = count > 1 ? ` (and ${count - 1} more)` : "";
  const problem = `the rules are broken: ${line}${more}`;
  const hint = '"virt-hooks check" shows every mistake; "virt-hooks disable" turns all rules off';
  return { kind: "bad-rules", weight: "fails", problem, hint, matches: [], steps: [] };
}

async function obey(ruleSet: RuleSet, asked: Asked, sys: Sys): Promise<Outcome> {
  const parser = looksAtDocument(ruleSet) ? await loadParser() : undefined;
  const planned = callOf(asked, parser ?? noParser, sys);
  const matches = matchRules(ruleSet, planned, fileExists(sys));
  const undecided = matches.find((match) => match.problem !== undefined);
  // Nothing is begun where it can still be refused.
  if (undecided !== undefined && failurePolicy(asked.facts) === "strict") return unreadable(undecided, NOTHING_DONE);
  const plan = planCall(matches, planned);
  // Whatever is done, secrets are looked for in the document.
  const call = parser === undefined && plan.length > 0 ? callOf(asked, await loadParser(), sys) : planned;
  const outcome = plan.length === 0
    ? { ...NOTHING_DONE, matches }
    : await carryOut(plan, { matches, ruleSet, call, sys });
  return undecided === undefined || outcome.problem !== undefined ? outcome : unreadable(undecided, outcome);
}

const NOTHING_DONE: Outcome = { kind: "done", weight: "noted", matches: [], steps: [] };

function unreadable({ problem }: RuleMatch, outcome: Outcome): Outcome {
  return { ...outcome, kind: "bad-call", weight: "fails", problem };
}

/** What carrying out a plan takes. */
interface Errand {
  readonly matches: readonly RuleMatch[];
  readonly ruleSet: RuleSet;
  readonly call: HookCall;
  readonly sys: Sys;
}

async function carryOut(plan: Plan, { matches, ruleSet, call, sys }: Errand): Promise<Outcome> {
  const deadlineMs = ruleSet.settings.budgetsMs[call.driver]?.[call.operation] ?? call.facts.budgetMs;
  const execution = await executePlan(plan, { call, deadlineMs }, sys);
  const outcome = outcomeOfSteps(scrubMatches(matches, execution.scrubber), execution.steps);
  return outcome.weight === "noted" ? await withDocument(outcome, execution, call) : outcome;
}

function callOf({ invocation, facts, document }: Asked, parse: ParseDocument, sys: Sys): HookCall {
  return makeCall(invocation, facts, { host: sys.hostname(), document, parse });
}

/** The parser is loaded only for calls that need it. */
async function loadParser(): Promise<ParseDocument> {
  return (await import("../libvirt/parse.ts")).parseLibvirtDocument;
}

function noParser(): never {
  throw new Error("A document is looked at that no rule looks at");
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
  const step = decisive ?? steps.find((candidate) => candidate.end !== "done");
  if (step === undefined) return { kind: "done", weight: "noted", matches, steps };
  const problem = `rule "${step.intent.rule}": ${step.problem ?? step.end}`;
  const kind = step.end === "interrupted" ? "failed" : step.end;
  return { kind, weight: weightOf(decisive), problem, hint: step.hint, matches, steps };
}

function weightOf(decisive: Step | undefined): Outcome["weight"] {
  if (decisive === undefined) return "noted";
  return isFatal(decisive) ? "insists" : "fails";
}
