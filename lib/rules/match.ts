/**
 * Which rules a call matches, and why. Pure: what a selector must know of the host comes as a parameter.
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
import { startsLife } from "./hook_points.ts";
import type { Rule, RuleSet, Selectors } from "./rule.ts";

/** What one selector said. */
export interface SelectorVerdict {
  readonly holds: boolean;
  /** `domain "web-1" matches "web-*"`, or why not. */
  readonly because: string;
}

/** What one rule said of a call. */
export interface RuleMatch {
  readonly rule: Rule;
  readonly matches: boolean;
  /** The selectors that were looked at, in order; the last one decided. */
  readonly verdicts: readonly SelectorVerdict[];
  /** Why it could not be decided: the document cannot be read, or not in reasonable time; or a path does not answer. */
  readonly problem?: string;
  /** Set where the call's time was up before it was decided, or that of a path which does not answer. */
  readonly isLate?: true;
}

/** Whether answering a call may need its document parsed. */
export function looksAtDocument(ruleSet: RuleSet): boolean {
  return ruleSet.rules.some(({ when, unless, actions }) =>
    [when, ...unless].some(({ uuid, label, xml }) => (uuid ?? label ?? xml) !== undefined) ||
    actions.some((action) => action.looksAtDocument)
  );
}

/** Tells whether a path exists on the host, or why that cannot be told. */
export type FileExists = (path: string) => Promise<boolean | { readonly unknown: string }>;

/** Tells whether the call's time is up. */
export type IsLate = () => boolean;

/** For a command that takes the time it needs. */
export function neverLate(): boolean {
  return false;
}

/** Thrown when the call's time, or that of a path, is up before a rule is decided. */
class OutOfTimeError extends Error {
  override readonly name = "OutOfTimeError";
}

/** What selectors are asked of. */
interface Subject {
  readonly call: HookCall;
  readonly exists: FileExists;
  readonly isLate: IsLate;
}

/**
 * Asks every rule, in order. A document that one rule cannot look at does not keep the others from being asked, but the end
 * of the call's time does.
 */
export async function matchRules(
  ruleSet: RuleSet,
  call: HookCall,
  exists: FileExists,
  isLate: IsLate = neverLate,
): Promise<readonly RuleMatch[]> {
  const subject: Subject = { call, exists, isLate };
  const matches: RuleMatch[] = [];
  for (const rule of ruleSet.rules) matches.push(await tryRule(rule, subject));
  return matches;
}

async function tryRule(rule: Rule, subject: Subject): Promise<RuleMatch> {
  try {
    return await matchRule(rule, subject);
  } catch (error) {
    const isOutOfTime = error instanceof OutOfTimeError;
    if (!isOutOfTime && !isDocumentError(error)) throw error;
    // A document that is too long is not parsed, which is no mistake in its syntax.
    const isUnread = error instanceof XmlSyntaxError || error.message.startsWith("Cannot parse the XML");
    const problem = isUnread ? documentProblem(error) : `rule ${JSON.stringify(rule.name)}: ${error.message}`;
    const match: RuleMatch = { rule, matches: false, verdicts: [{ holds: false, because: problem }], problem };
    return isOutOfTime ? { ...match, isLate: true } : match;
  }
}

/** @throws {OutOfTimeError} when the call's time is up */
function checkTime({ isLate }: Subject): void {
  if (isLate()) throw new OutOfTimeError("Cannot look at the document: no time is left for this call");
}

/** What is wrong with a document, in a sentence about it. */
export function documentProblem(error: Error): string {
  const message = error instanceof XmlSyntaxError ? withoutNames(error) : error.message;
  return message.replace("Cannot parse the XML", "the document on stdin cannot be read");
}

async function matchRule(rule: Rule, subject: Subject): Promise<RuleMatch> {
  const { call } = subject;
  const verdicts: SelectorVerdict[] = [];
  if (rule.actions.some(({ lasts }) => lasts !== "event") && !startsLife(rule.while, call.facts)) {
    const because = `it holds while a ${rule.while} lives, and no such life begins at ${call.driver} ${call.operation}`;
    return { rule, matches: false, verdicts: [{ holds: false, because }] };
  }
  for (const pending of whenVerdicts(rule, subject)) {
    const verdict = pending instanceof Promise ? await pending : pending;
    verdicts.push(verdict);
    if (!verdict.holds) return { rule, matches: false, verdicts };
  }
  for (const table of rule.unless) {
    const excludes: SelectorVerdict[] = [];
    for (const pending of selectorVerdicts({ selectors: table, namespaces: rule.namespaces }, subject)) {
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

/** What a selector says; what the host is asked comes later. */
type Pending = SelectorVerdict | Promise<SelectorVerdict>;

function* whenVerdicts({ when, namespaces }: Rule, subject: Subject): Generator<Pending> {
  if (when.on !== undefined) yield oneOf("operation", subject.call.operation, when.on);
  yield* selectorVerdicts({ selectors: when, namespaces }, subject);
}

/** Cheap ones first: the document is looked at only when everything else holds. */
function* selectorVerdicts(
  { selectors, namespaces }: { readonly selectors: Selectors; readonly namespaces: Namespaces },
  subject: Subject,
): Generator<Pending> {
  const { call, exists } = subject;
  if (selectors.driver !== undefined) yield oneOf("driver", call.driver, selectors.driver);
  if (selectors.domain !== undefined) yield globbed("domain", call.domain, selectors.domain);
  if (selectors.network !== undefined) yield globbed("network", call.network, selectors.network);
  if (selectors.host !== undefined) yield globbed("host", call.host, selectors.host);
  if (selectors.reason !== undefined) yield globbed("reason", call.reason, selectors.reason);
  if (selectors.file !== undefined) yield present(selectors.file, exists);
  if (selectors.uuid !== undefined) yield globbed("uuid", callUuid(call), selectors.uuid);
  for (const [name, globs] of Object.entries(selectors.label ?? {})) yield labelled(name, globs, subject);
  if (selectors.xml !== undefined) yield found(selectors.xml, namespaces, subject);
}

function labelled(name: string, globs: readonly string[], subject: Subject): SelectorVerdict {
  checkTime(subject);
  const document = subject.call.xml();
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
  const shown = named.map(({ value }) => JSON.stringify(value)).join(", ");
  const wanted = globs.map((glob) => JSON.stringify(glob)).join(" or ");
  return { holds: false, because: `label ${name} ${shown} does not match ${wanted}` };
}

function found(paths: readonly string[], namespaces: Namespaces, subject: Subject): SelectorVerdict {
  for (const path of paths) {
    checkTime(subject);
    const document = subject.call.xml();
    const [node] = select(parsePath(path, namespaces), document);
    if (node === undefined) continue;
    const { line } = positionAt(document.text, node.span.start);
    return { holds: true, because: `${path} finds ${describeNode(node)} in line ${line}` };
  }
  return { holds: false, because: `nothing is at ${paths.join(" nor ")}` };
}

/** A node by its name alone: what it holds may be a secret. */
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

function oneOf(what: string, value: string, wanted: readonly string[]): SelectorVerdict {
  return wanted.includes(value)
    ? { holds: true, because: `${what} is ${value}` }
    : { holds: false, because: `${what} is ${value}, not ${wanted.join(" or ")}` };
}

function globbed(what: string, value: string | undefined, globs: readonly string[]): SelectorVerdict {
  if (value === undefined) return { holds: false, because: `this call has no ${what}` };
  const glob = globs.find((candidate) => matchGlob(candidate, value));
  const shown = JSON.stringify(value);
  return glob === undefined
    ? { holds: false, because: `${what} ${shown} does not match ${globs.map((g) => JSON.stringify(g)).join(" or ")}` }
    : { holds: true, because: `${what} ${shown} matches ${JSON.stringify(glob)}` };
}

/** A path that is there decides, whatever others do not answer. */
async function present(paths: readonly string[], exists: FileExists): Promise<SelectorVerdict> {
  let unknown: string | undefined;
  for (const path of paths) {
    const answer = await exists(path);
    if (answer === true) return { holds: true, because: `${path} is there` };
    if (answer !== false) unknown ??= answer.unknown;
  }
  if (unknown !== undefined) throw new OutOfTimeError(`Cannot tell whether it applies: ${unknown}`);
  return { holds: false, because: `there is no ${paths.join(" nor ")}` };
}
