/**
 * Determines which rules a call matches, and why. Pure: facts about the host are parameters.
 * @module
 */
import type { HookCall } from "../libvirt/call.ts";
import { callUuid } from "../libvirt/call_uuid.ts";
import { labels } from "../libvirt/labels.ts";
import { type Namespaces, parsePath } from "../xml/path_parser.ts";
import { select, type SelectedNode } from "../xml/select.ts";
import { isDocumentError, XmlLimitError } from "../xml/limit_error.ts";
import { XML_LIMITS } from "../xml/limits.ts";
import { positionAt, withoutNames, XmlSyntaxError } from "../xml/syntax_error.ts";
import type { XmlAttribute, XmlElement } from "../xml/tree.ts";
import { globCost, matchGlob } from "./glob.ts";
import { startsLifetime } from "./hook_points.ts";
import type { Rule, RuleSet, Selectors } from "./rule.ts";

/** The result of one selector. */
export interface SelectorVerdict {
  readonly holds: boolean;
  /** The explanation: `domain "web-1" matches "web-*"`. */
  readonly because: string;
}

/** The result of one rule for a call. */
export interface RuleMatch {
  readonly rule: Rule;
  readonly matches: boolean;
  /** The evaluated selectors, in order; the last one decided. */
  readonly verdicts: readonly SelectorVerdict[];
  /** Why the rule is undecided: the document cannot be read or not within the limits, or a path does not respond. */
  readonly problem?: string;
  /** Set if the call's deadline, or the time limit for a path, was reached before a decision. */
  readonly isLate?: true;
}

/** Whether evaluating or planning the rules may parse the call's document. */
export function usesDocument(ruleSet: RuleSet): boolean {
  return ruleSet.rules.some(({ when, unless, actions }) =>
    [when, ...unless].some(({ uuid, label, xml }) => (uuid ?? label ?? xml) !== undefined) ||
    actions.some((action) => action.usesDocument)
  );
}

/** Returns whether a path exists on the host, or why that is unknown. */
export type FileExists = (path: string) => Promise<boolean | { readonly unknown: string }>;

/** Returns whether the call's deadline has passed. */
export type IsLate = () => boolean;

/** The {@linkcode IsLate} of commands without a deadline. */
export function neverLate(): boolean {
  return false;
}

/** The call's deadline, or the time limit for a path, was reached before a rule was decided. */
class OutOfTimeError extends Error {
  override readonly name = "OutOfTimeError";
}

/** Inputs of matching. */
interface MatchContext {
  readonly call: HookCall;
  readonly exists: FileExists;
  readonly isLate: IsLate;
}

/**
 * Evaluates every rule, in order. If a document is unusable for one rule, the others are still evaluated; after the
 * deadline no rule is evaluated further.
 */
export async function matchRules(
  ruleSet: RuleSet,
  call: HookCall,
  exists: FileExists,
  isLate: IsLate = neverLate,
): Promise<readonly RuleMatch[]> {
  const context: MatchContext = { call, exists, isLate };
  const matches: RuleMatch[] = [];
  for (const rule of ruleSet.rules) matches.push(await tryRule(rule, context));
  return matches;
}

async function tryRule(rule: Rule, context: MatchContext): Promise<RuleMatch> {
  try {
    return await matchRule(rule, context);
  } catch (error) {
    const isOutOfTime = error instanceof OutOfTimeError;
    if (!isOutOfTime && !isDocumentError(error)) throw error;
    // A document that is too long is not parsed; that is no syntax error.
    const isUnread = error instanceof XmlSyntaxError || error.message.startsWith("Cannot parse the XML");
    const problem = isUnread ? documentProblem(error) : `rule ${JSON.stringify(rule.name)}: ${error.message}`;
    const match: RuleMatch = { rule, matches: false, verdicts: [{ holds: false, because: problem }], problem };
    return isOutOfTime ? { ...match, isLate: true } : match;
  }
}

/** @throws {OutOfTimeError} when the call's time is up */
function checkTime({ isLate }: MatchContext): void {
  if (isLate()) throw new OutOfTimeError("Cannot read the document: no time is left for this call");
}

/** Describes a problem with the document, in a sentence about it. */
export function documentProblem(error: Error): string {
  const message = error instanceof XmlSyntaxError ? withoutNames(error) : error.message;
  return message.replace("Cannot parse the XML", "the document on stdin cannot be read");
}

async function matchRule(rule: Rule, context: MatchContext): Promise<RuleMatch> {
  const { call } = context;
  const verdicts: SelectorVerdict[] = [];
  if (rule.actions.some(({ lasts }) => lasts !== "event") && !startsLifetime(rule.while, call.facts)) {
    const because =
      `it applies for the lifetime of a ${rule.while}, which does not start at ${call.driver} ${call.operation}`;
    return { rule, matches: false, verdicts: [{ holds: false, because }] };
  }
  for (const pending of whenVerdicts(rule, context)) {
    const verdict = pending instanceof Promise ? await pending : pending;
    verdicts.push(verdict);
    if (!verdict.holds) return { rule, matches: false, verdicts };
  }
  for (const table of rule.unless) {
    const excludes: SelectorVerdict[] = [];
    for (const pending of selectorVerdicts({ selectors: table, namespaces: rule.namespaces }, context)) {
      excludes.push(pending instanceof Promise ? await pending : pending);
      if (excludes.at(-1)?.holds === false) break;
    }
    if (excludes.every((verdict) => verdict.holds)) {
      const because = `unless ${excludes.map((verdict) => verdict.because).join(", ")}`;
      return { rule, matches: false, verdicts: [...verdicts, { holds: false, because }] };
    }
  }
  return { rule, matches: true, verdicts };
}

/** The result of a selector; a promise if it depends on the host. */
type PendingVerdict = SelectorVerdict | Promise<SelectorVerdict>;

function* whenVerdicts({ when, namespaces }: Rule, context: MatchContext): Generator<PendingVerdict> {
  if (when.on !== undefined) yield listVerdict("operation", context.call.operation, when.on);
  yield* selectorVerdicts({ selectors: when, namespaces }, context);
}

/** Evaluates selectors, cheap ones first: the document is parsed only if all others match. */
function* selectorVerdicts(
  { selectors, namespaces }: { readonly selectors: Selectors; readonly namespaces: Namespaces },
  context: MatchContext,
): Generator<PendingVerdict> {
  const { call, exists } = context;
  if (selectors.driver !== undefined) yield listVerdict("driver", call.driver, selectors.driver);
  if (selectors.domain !== undefined) yield globVerdict("domain", call.domain, selectors.domain);
  if (selectors.network !== undefined) yield globVerdict("network", call.network, selectors.network);
  if (selectors.host !== undefined) yield globVerdict("host", call.host, selectors.host);
  if (selectors.reason !== undefined) yield globVerdict("reason", call.reason, selectors.reason);
  if (selectors.file !== undefined) yield fileVerdict(selectors.file, exists);
  if (selectors.uuid !== undefined) yield globVerdict("uuid", callUuid(call), selectors.uuid);
  for (const [name, globs] of Object.entries(selectors.label ?? {})) yield labelVerdict(name, globs, context);
  if (selectors.xml !== undefined) yield xmlVerdict(selectors.xml, namespaces, context);
}

function labelVerdict(name: string, globs: readonly string[], context: MatchContext): SelectorVerdict {
  checkTime(context);
  const document = context.call.xml();
  const named = labels(document.root).filter((label) => label.name === name);
  if (named.length === 0) return { holds: false, because: `the guest has no label "${name}"` };
  let compared = 0;
  for (const { value, element } of named) {
    const glob = globs.find((candidate) => {
      compared += globCost(candidate, value);
      if (compared > XML_LIMITS.globCharacters) {
        const limit = `its globs compare more than ${XML_LIMITS.globCharacters} characters`;
        throw new XmlLimitError(`Cannot compare the label "${name}" in this document: ${limit}`);
      }
      return matchGlob(candidate, value);
    });
    if (glob === undefined) continue;
    const { line } = positionAt(document.text, element.span.start);
    return {
      holds: true,
      because: `label ${name} ${JSON.stringify(value)} in line ${line} matches ${JSON.stringify(glob)}`,
    };
  }
  const values = named.map(({ value }) => JSON.stringify(value)).join(", ");
  const wanted = globs.map((glob) => JSON.stringify(glob)).join(" or ");
  return { holds: false, because: `label ${name} ${values} does not match ${wanted}` };
}

function xmlVerdict(paths: readonly string[], namespaces: Namespaces, context: MatchContext): SelectorVerdict {
  for (const path of paths) {
    checkTime(context);
    const document = context.call.xml();
    const [node] = select(parsePath(path, namespaces), document);
    if (node === undefined) continue;
    const { line } = positionAt(document.text, node.span.start);
    return { holds: true, because: `${path} finds ${describeNode(node)} in line ${line}` };
  }
  return { holds: false, because: `nothing is at ${paths.join(" nor ")}` };
}

/** Describes a node by its name only: its content may be secret. */
function describeNode(node: SelectedNode): string {
  switch (node.type) {
    case "element":
      return `<${shortName(node)}>`;
    case "attribute":
      return `the attribute ${shortName(node)}`;
    case "text":
    case "cdata":
      return "text";
    default:
      return node satisfies never;
  }
}

function shortName({ name: { raw } }: XmlElement | XmlAttribute): string {
  return raw.length > SHOWN_NAME_LENGTH ? `${raw.slice(0, SHOWN_NAME_LENGTH)}…` : raw;
}

const SHOWN_NAME_LENGTH = 60;

function listVerdict(what: string, value: string, wanted: readonly string[]): SelectorVerdict {
  return wanted.includes(value)
    ? { holds: true, because: `${what} is ${value}` }
    : { holds: false, because: `${what} is ${value}, not ${wanted.join(" or ")}` };
}

function globVerdict(what: string, value: string | undefined, globs: readonly string[]): SelectorVerdict {
  if (value === undefined) return { holds: false, because: `this call has no ${what}` };
  const glob = globs.find((candidate) => matchGlob(candidate, value));
  const shown = JSON.stringify(value);
  return glob === undefined
    ? { holds: false, because: `${what} ${shown} does not match ${globs.map((g) => JSON.stringify(g)).join(" or ")}` }
    : { holds: true, because: `${what} ${shown} matches ${JSON.stringify(glob)}` };
}

/** Checks for any existing path. One that exists decides, even if others do not respond. */
async function fileVerdict(paths: readonly string[], exists: FileExists): Promise<SelectorVerdict> {
  let unknown: string | undefined;
  for (const path of paths) {
    const result = await exists(path);
    if (result === true) return { holds: true, because: `${path} is there` };
    if (result !== false) unknown ??= result.unknown;
  }
  if (unknown !== undefined) throw new OutOfTimeError(`Cannot determine whether it applies: ${unknown}`);
  return { holds: false, because: `there is no ${paths.join(" nor ")}` };
}
