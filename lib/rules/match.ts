/**
 * Which rules a call matches, and why. Pure: what a selector must know of the host comes as a parameter.
 * @module
 */
import type { HookCall } from "../libvirt/call.ts";
import { callUuid } from "../libvirt/call_uuid.ts";
import { labels } from "../libvirt/labels.ts";
import { type Namespaces, parsePath } from "../xml/path_parser.ts";
import { select, type SelectedNode } from "../xml/select.ts";
import { isDocumentError } from "../xml/limit_error.ts";
import { positionAt } from "../xml/syntax_error.ts";
import { matchGlob } from "./glob.ts";
import { beginsLife } from "./places.ts";
import type { Rule, RuleSet, Selectors } from "./rule.ts";

/** What one selector said. */
export interface Verdict {
  readonly holds: boolean;
  /** `domain "web-1" matches "web-*"`, or why not. */
  readonly because: string;
}

/** What one rule said of a call. */
export interface RuleMatch {
  readonly rule: Rule;
  readonly matches: boolean;
  /** The selectors that were looked at, in order; the last one decided. */
  readonly verdicts: readonly Verdict[];
  /** Why it could not be decided: the document cannot be read, or not in reasonable time. */
  readonly problem?: string;
}

/** Whether answering a call may need its document parsed. */
export function looksAtDocument(ruleSet: RuleSet): boolean {
  return ruleSet.rules.some(({ when, unless, actions }) =>
    [when, ...unless].some(({ uuid, label, xml }) => (uuid ?? label ?? xml) !== undefined) ||
    actions.some((action) => action.looksAtDocument)
  );
}

/** Tells whether a path exists on the host. */
export type FileExists = (path: string) => boolean;

/** Asks every rule, in order. A document that one rule cannot look at does not keep the others from being asked. */
export function matchRules(ruleSet: RuleSet, call: HookCall, exists: FileExists): readonly RuleMatch[] {
  return ruleSet.rules.map((rule) => {
    try {
      return matchRule(rule, call, exists);
    } catch (error) {
      if (!isDocumentError(error)) throw error;
      const problem = documentProblem(error);
      return { rule, matches: false, verdicts: [{ holds: false, because: problem }], problem };
    }
  });
}

/** What is wrong with a document, in a sentence about it. */
export function documentProblem(error: Error): string {
  return error.message.replace("Cannot parse the XML", "the document on stdin cannot be read");
}

function matchRule(rule: Rule, call: HookCall, exists: FileExists): RuleMatch {
  const verdicts: Verdict[] = [];
  if (rule.actions.some(({ lasts }) => lasts !== "event") && !beginsLife(rule.while, call.facts)) {
    const because = `it holds while a ${rule.while} lives, and no such life begins at ${call.driver} ${call.operation}`;
    return { rule, matches: false, verdicts: [{ holds: false, because }] };
  }
  for (const verdict of whenVerdicts(rule, call, exists)) {
    verdicts.push(verdict);
    if (!verdict.holds) return { rule, matches: false, verdicts };
  }
  for (const table of rule.unless) {
    const excludes = selectorVerdicts({ selectors: table, namespaces: rule.namespaces }, call, exists).toArray();
    if (excludes.every((verdict) => verdict.holds)) {
      const because = `unless ${excludes.map((verdict) => verdict.because).join(", ")}`;
      return { rule, matches: false, verdicts: [...verdicts, { holds: false, because }] };
    }
  }
  return { rule, matches: true, verdicts };
}

function* whenVerdicts({ when, namespaces }: Rule, call: HookCall, exists: FileExists): Generator<Verdict> {
  if (when.on !== undefined) yield oneOf("operation", call.operation, when.on);
  yield* selectorVerdicts({ selectors: when, namespaces }, call, exists);
}

/** Cheap ones first: the document is looked at only when everything else holds. */
function* selectorVerdicts(
  { selectors, namespaces }: { readonly selectors: Selectors; readonly namespaces: Namespaces },
  call: HookCall,
  exists: FileExists,
): Generator<Verdict> {
  if (selectors.driver !== undefined) yield oneOf("driver", call.driver, selectors.driver);
  if (selectors.domain !== undefined) yield globbed("domain", call.domain, selectors.domain);
  if (selectors.network !== undefined) yield globbed("network", call.network, selectors.network);
  if (selectors.host !== undefined) yield globbed("host", call.host, selectors.host);
  if (selectors.reason !== undefined) yield globbed("reason", call.reason, selectors.reason);
  if (selectors.file !== undefined) yield present(selectors.file, exists);
  if (selectors.uuid !== undefined) yield globbed("uuid", callUuid(call), selectors.uuid);
  for (const [name, globs] of Object.entries(selectors.label ?? {})) yield labelled(name, globs, call);
  if (selectors.xml !== undefined) yield found(selectors.xml, namespaces, call);
}

function labelled(name: string, globs: readonly string[], call: HookCall): Verdict {
  const document = call.xml();
  const named = labels(document.root).filter((label) => label.name === name);
  if (named.length === 0) return { holds: false, because: `the guest has no label "${name}"` };
  for (const { value, element } of named) {
    const glob = globs.find((candidate) => matchGlob(candidate, value));
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

function found(paths: readonly string[], namespaces: Namespaces, call: HookCall): Verdict {
  const document = call.xml();
  for (const path of paths) {
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
      return `<${node.name.raw}>`;
    case "attribute":
      return `the attribute ${node.name.raw}`;
    case "text":
    case "cdata":
      return "text";
    default:
      return node satisfies never;
  }
}

function oneOf(what: string, value: string, wanted: readonly string[]): Verdict {
  return wanted.includes(value)
    ? { holds: true, because: `${what} is ${value}` }
    : { holds: false, because: `${what} is ${value}, not ${wanted.join(" or ")}` };
}

function globbed(what: string, value: string | undefined, globs: readonly string[]): Verdict {
  if (value === undefined) return { holds: false, because: `this call has no ${what}` };
  const glob = globs.find((candidate) => matchGlob(candidate, value));
  const shown = JSON.stringify(value);
  return glob === undefined
    ? { holds: false, because: `${what} ${shown} does not match ${globs.map((g) => JSON.stringify(g)).join(" or ")}` }
    : { holds: true, because: `${what} ${shown} matches ${JSON.stringify(glob)}` };
}

function present(paths: readonly string[], exists: FileExists): Verdict {
  const path = paths.find(exists);
  return path === undefined
    ? { holds: false, because: `there is no ${paths.join(" nor ")}` }
    : { holds: true, because: `${path} is there` };
}
