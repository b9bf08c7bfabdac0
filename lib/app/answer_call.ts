/**
 * Answers a call: ends or ensures what its guest holds already, then carries out this host's rules. Loaded only on
 * hosts that have rules or a ledger.
 * @module
 */
import { type Config, CONFIG_DIRECTORY } from "./product.ts";
import { deadlineOf, fileExists, planCall } from "./decide.ts";
import { type CallContext, executeImmediate, finish } from "./execute.ts";
import { loadRules } from "./load_rules.ts";
import type { Maintained } from "./holds/maintain.ts";
import { callingDaemon, type Outcome } from "./outcome.ts";
import { hasLedger } from "../ledger/layout.ts";
import { type HookCall, makeCall, type ParseDocument } from "../libvirt/call.ts";
import { headUuid } from "../libvirt/call_uuid.ts";
import { failurePolicy, type Operation } from "../libvirt/driver.ts";
import type { Invocation } from "../libvirt/invocation.ts";
import type { Plan } from "../plan/plan.ts";
import type { Host } from "../resources/kinds.ts";
import { moreFailures } from "../text/plural.ts";
import { documentProblem, matchRules, type RuleMatch, usesDocument } from "../rules/match.ts";
import { type Issue, issueLine } from "../rules/mistake.ts";
import { NO_RULES, type RuleSet } from "../rules/rule.ts";
import { boundedPaths } from "../sys/bounded_paths.ts";
import type { Sys } from "../sys/sys.ts";
import { visible } from "../text/quote.ts";
import { isDocumentError, XmlLimitError } from "../xml/limit_error.ts";

/** The input of a call. */
export interface CallInput {
  readonly invocation: Invocation;
  readonly facts: Operation;
  readonly config: Config;
  /** What came on stdin; only its head where it is longer than `bytesMax`. */
  readonly document: Uint8Array;
  readonly cut?: { readonly bytesMax: number } | undefined;
}

/** Updates existing holds for the call, then carries out the matching rules. */
export async function answerCall(input: CallInput, host: Host): Promise<Outcome> {
  const begins = input.facts.verb === "acquire";
  const before = begins ? undefined : await maintain(input, [], host);
  const outcome = { ...await applyOwnRules(input, host), ...await aboutCall(input, host.sys) };
  // Resources that the start has just converged need no second check.
  const done = outcome.steps.flatMap(({ end, resource }) => end === "done" && resource !== undefined ? [resource] : []);
  const kept = begins ? await maintain(input, done, host) : before;
  if (kept === undefined) return outcome;
  const problems = kept.results.filter(({ problem }) => problem !== undefined);
  const bad = problems.find(({ end }) => end !== "left") ?? problems[0];
  const merged = {
    ...outcome,
    ...(kept.daemon === undefined ? {} : { daemon: callingDaemon({ daemon: kept.daemon }) }),
    kept: {
      results: [...outcome.kept?.results ?? [], ...kept.results],
      notes: [...outcome.kept?.notes ?? [], ...kept.notes],
    },
  };
  if (bad === undefined || outcome.problem !== undefined) return merged;
  return {
    ...merged,
    kind: "failed",
    weight: "noted",
    problem: visible(`${bad.key}: ${bad.problem}`) + moreFailures(new Set(problems.map(({ key }) => key)).size - 1),
    hint: bad.hint ?? (bad.end === "left" ? LEFT : STATUS),
  };
}

const STATUS = '"virt-hooks status" shows what is held, "virt-hooks reconcile" tries again';
const LEFT = "virt-hooks does not change it again: set it by hand if it should be different";

/** Returns what the history adds to a call whose object does not name it: the guest of a port, the daemon that starts or reloads. */
async function aboutCall(
  { invocation: { driver }, facts, document }: CallInput,
  sys: Sys,
): Promise<Pick<Outcome, "daemon" | "guests">> {
  if (driver.object === "daemon") {
    const { readDaemon } = await import("../ledger/ledger.ts");
    try {
      return { daemon: callingDaemon({ daemon: await readDaemon(sys) }) };
    } catch {
      // The name is for the history alone, which never decides a call.
      return {};
    }
  }
  if (!facts.lifetimes.includes("port") || facts.lifetimes.length > 1) return {};
  const { portOwnerName } = await import("../libvirt/port_owner.ts");
  const name = portOwnerName(document);
  return name === undefined ? {} : { guests: [name] };
}

/** Ends or ensures what is held; that it cannot be done is no reason to do nothing else. */
async function maintain(input: CallInput, done: readonly string[], host: Host): Promise<Maintained | undefined> {
  const { verb, lifetimes, budgetMs } = input.facts;
  const { driver, operation } = input.invocation;
  const isKept = verb === "release" || verb === "ensure" || host.kinds.ensuredAt(driver.name, operation).length > 0;
  if (!isKept || !hasLedger(host.sys)) return undefined;
  const isPort = lifetimes.length === 1 && lifetimes[0] === "port";
  const isParsed = isPort || headUuid(input) === undefined;
  const call = callOf(input, isParsed ? await loadParser() : noParser, host.sys);
  const { maintainHolds } = await import("./holds/maintain.ts");
  try {
    return await maintainHolds(call, { deadlineMs: budgetMs, done }, host);
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    return { results: [{ key: "the ledger", end: "failed", problem }], notes: [] };
  }
}

async function applyOwnRules(input: CallInput, host: Host): Promise<Outcome> {
  const { sys } = host;
  const reading = input.config === "nothing"
    ? { kind: "rules", ruleSet: NO_RULES } as const
    : await loadRules(CONFIG_DIRECTORY, sys, { trust: true, most: 1 });
  if (reading.kind === "broken") return brokenRules(reading);
  try {
    const { ruleSet } = reading;
    return await withReasonNote(
      await applyRules(ruleSet, input, { ...host, sys: withinBudget(ruleSet, input, sys) }),
      ruleSet,
      input,
      sys,
    );
  } catch (error) {
    // An edit looks where no rule's selectors did.
    if (!isDocumentError(error)) throw error;
    return { ...NOTHING_DONE, kind: "bad-call", weight: "fails", problem: documentProblem(error) };
  }
}

/** Looks at paths within the time that the settings give the call. */
function withinBudget({ settings }: RuleSet, { invocation: { driver, operation } }: CallInput, sys: Sys): Sys {
  const budgetMs = settings.budgetsMs[driver.name]?.[operation];
  return budgetMs === undefined ? sys : { ...sys, paths: boundedPaths(sys, budgetMs) };
}

/** Notes where rules select by the shut-off reason and libvirt passes none: it is too old. */
async function withReasonNote(
  outcome: Outcome,
  { rules }: RuleSet,
  { invocation }: CallInput,
  sys: Sys,
): Promise<Outcome> {
  const { driver, operation, extra } = invocation;
  const isUntold = driver.reasonAt.includes(operation) && extra === "-";
  const isWanted = rules.some(({ when, unless }) => [when, ...unless].some(({ reason }) => reason !== undefined));
  if (!isUntold || !isWanted) return outcome;
  const { untoldReasonNote } = await import("../libvirt/host_version.ts");
  const { results = [], notes = [] } = outcome.kept ?? {};
  return { ...outcome, kept: { results, notes: [...notes, await untoldReasonNote(sys)] } };
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

async function applyRules(ruleSet: RuleSet, input: CallInput, host: Host): Promise<Outcome> {
  const { sys } = host;
  const parser = usesDocument(ruleSet) ? await loadParser() : undefined;
  const planned = callOf(input, parser ?? noParser, sys);
  const deadlineMs = deadlineOf(planned, ruleSet);
  const isLate = (): boolean => sys.elapsedMs() >= deadlineMs;
  const matches = await matchRules(ruleSet, planned, fileExists(sys), isLate);
  const undecided = matches.find((match) => match.problem !== undefined);
  // Nothing is begun where it can still be refused.
  if (undecided !== undefined && failurePolicy(input.facts) === "strict") return unreadable(undecided, NOTHING_DONE);
  const plan = planCall(matches, planned, isLate);
  // A new life begins with nothing, so what an earlier one left is given back then.
  const isBeginning = input.facts.verb === "acquire" && hasLedger(sys);
  if (plan.length === 0 && !isBeginning) {
    return undecided === undefined ? { ...NOTHING_DONE, matches } : unreadable(undecided, { ...NOTHING_DONE, matches });
  }
  // Whatever is done, secrets are looked for in the document.
  const call = parser === undefined ? callOf(input, await loadParser(), sys) : planned;
  const outcome = await carryOut(plan, { ...host, matches, ruleSet, call });
  return undecided === undefined || outcome.problem !== undefined ? outcome : unreadable(undecided, outcome);
}

const NOTHING_DONE: Outcome = { kind: "done", weight: "noted", matches: [], steps: [] };

function unreadable({ problem, isLate }: RuleMatch, outcome: Outcome): Outcome {
  return { ...outcome, kind: isLate ? "late" : "bad-call", weight: "fails", problem };
}

function callOf({ invocation, facts, document, cut }: CallInput, parse: ParseDocument, sys: Sys): HookCall {
  const host = sys.hostname();
  if (cut === undefined) return makeCall(invocation, facts, { host, document, parse });
  return makeCall(invocation, facts, { host, document, cut: true, parse: () => refuseLength(cut.bytesMax) });
}

function refuseLength(bytesMax: number): never {
  throw new XmlLimitError(`Cannot parse the XML: it is longer than ${bytesMax} bytes`);
}

/** The parser is loaded only for calls that need it. */
async function loadParser(): Promise<ParseDocument> {
  return (await import("../libvirt/parse.ts")).parseLibvirtDocument;
}

function noParser(): never {
  throw new Error("A document is looked at that no rule looks at");
}

/** Carries a plan out. */
export async function carryOut(plan: Plan, context: CallContext): Promise<Outcome> {
  const { call } = context;
  const deadlineMs = deadlineOf(call, context.ruleSet);
  const immediate = plan.filter((intent) => intent.kind !== "hold");
  const holds = plan.filter((intent) => intent.kind === "hold");
  const isHolding = call.facts.verb === "acquire" && (holds.length > 0 || hasLedger(context.sys));
  if (!isHolding) {
    return await finish(await executeImmediate(immediate, { call, deadlineMs }, context.sys), [], context);
  }
  const { carryOutHolding } = await import("./holds/begin.ts");
  return await carryOutHolding({ immediate, holds, deadlineMs }, context);
}
