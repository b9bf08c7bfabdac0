/**
 * `${…}` in a rule's strings: values of the call, each filling the whole or a part of one string, never splitting it.
 * @module
 */
import * as v from "valibot";
import type { HookCall } from "../libvirt/call.ts";
import { callUuid } from "../libvirt/call_uuid.ts";
import { XML_LIMITS } from "../xml/limits.ts";
import { PathSyntaxError } from "../xml/path.ts";
import { parsePath } from "../xml/path_parser.ts";
import { select } from "../xml/select.ts";
import { textContent } from "../xml/tree.ts";
import type { HookPoint, RuleContext, RuleProblem } from "./rule_context.ts";

interface Placeholder {
  /** Whether calls at this place can have the value. */
  at(hookPoint: HookPoint): boolean;
  value(call: HookCall): string | undefined;
}

const PLACEHOLDERS: Readonly<Record<string, Placeholder>> = {
  domain: { at: (hookPoint) => hookPoint.driver.object === "domain", value: (call) => call.domain },
  uuid: { at: (hookPoint) => hookPoint.driver.stdin !== "nothing", value: callUuid },
  network: { at: (hookPoint) => hookPoint.driver.object === "network", value: (call) => call.network },
  host: { at: () => true, value: (call) => call.host },
  operation: { at: () => true, value: (call) => call.operation },
  reason: { at: (hookPoint) => hookPoint.driver.reasonAt.includes(hookPoint.operation), value: (call) => call.reason },
};

/** `xml:PATH`: the one value that a path finds in the document. */
const XML_PLACEHOLDER = "xml:";

/** A string of a rule, cut at its fillings. */
export interface Template {
  readonly text: string;
  readonly parts: readonly ({ readonly kind: "text" | "filling"; readonly text: string })[];
}

const KNOWN = [...Object.keys(PLACEHOLDERS), "xml:PATH"].map((name) => `\${${name}}`).join(" ");

/** A string with placeholders, as a schema. `$${` is `${` itself. */
export function templateSchema(): v.GenericSchema<string, Template> {
  return v.pipe(
    v.string("a string"),
    v.check((text) => !text.includes("\0"), "a string without a NUL character"),
    v.rawTransform(({ dataset, addIssue, NEVER }) => {
      const template = cut(dataset.value);
      if (template.parts.every((part) => part.kind === "text" || isKnown(part.text))) return template;
      addIssue({ message: `one of the fillings ${KNOWN} ($\${ for a plain \${)` });
      return NEVER;
    }),
  );
}

function isKnown(name: string): boolean {
  return Object.hasOwn(PLACEHOLDERS, name) || name.startsWith(XML_PLACEHOLDER);
}

function cut(text: string): Template {
  const parts: Template["parts"][number][] = [];
  let end = 0;
  for (const match of text.matchAll(/\$\$\{|\$\{([^}]*)\}?/g)) {
    if (match.index > end) parts.push({ kind: "text", text: text.slice(end, match.index) });
    parts.push(match[0] === "$${" ? { kind: "text", text: "${" } : { kind: "filling", text: match[1] ?? "" });
    end = match.index + match[0].length;
  }
  if (end < text.length) parts.push({ kind: "text", text: text.slice(end) });
  return { text, parts };
}

/** Whether anything of the call gets into the string. */
export function hasPlaceholder(template: Template): boolean {
  return template.parts.some((part) => part.kind === "filling");
}

/** Whether a filling's value may have to be looked for in the document. */
export function usesDocument(template: Template): boolean {
  return template.parts.some(({ kind, text }) =>
    kind === "filling" && (text === "uuid" || text.startsWith(XML_PLACEHOLDER))
  );
}

/** Whether the string's first character comes from the call. */
export function beginsWithPlaceholder(template: Template): boolean {
  return template.parts[0]?.kind === "filling";
}

/** The fillings of a string that no call of the rule can have, and paths in them that are none. */
export function placeholderProblems(
  template: Template,
  at: { readonly rule: RuleContext; readonly hookPoints: readonly HookPoint[]; readonly path: RuleProblem["path"] },
): readonly RuleProblem[] {
  return template.parts.filter((part) => part.kind === "filling").flatMap(({ text }): RuleProblem[] => {
    const found = `\${${text}}`;
    if (text.startsWith(XML_PLACEHOLDER)) {
      const problem = pathProblem(text.slice(XML_PLACEHOLDER.length), at.rule);
      if (problem !== undefined) return [{ path: at.path, found, expected: problem }];
    }
    const placeholder = text.startsWith(XML_PLACEHOLDER) ? PLACEHOLDERS["uuid"] : PLACEHOLDERS[text];
    if (placeholder !== undefined && at.hookPoints.some((hookPoint) => placeholder.at(hookPoint))) return [];
    return [{ path: at.path, found, expected: "a filling that has a value at the rule's operations" }];
  });
}

/** Why a text is no path, as the end of "expected …"; `undefined` when it is one. */
export function pathProblem(text: string, rule: Pick<RuleContext, "namespaces">): string | undefined {
  try {
    parsePath(text, rule.namespaces);
    return undefined;
  } catch (error) {
    if (!(error instanceof PathSyntaxError)) throw error;
    return `a path: ${error.message.replace(`Cannot parse the path "${text}" at `, "")}`;
  }
}

/** A filled string, or why a filling has no value at this call. */
export type Substitution =
  | { readonly kind: "filled"; readonly text: string }
  | { readonly kind: "unfilled"; readonly problem: string };

/**
 * Fills a string with the values of a call.
 * @throws {XmlSyntaxError} when a value comes from the document, and that is not XML that we read
 */
export function substitute(template: Template, rule: RuleContext, call: HookCall): Substitution {
  let text = "";
  for (const part of template.parts) {
    if (part.kind === "text") {
      text += part.text;
      continue;
    }
    const values = part.text.startsWith(XML_PLACEHOLDER)
      ? xmlValues(part.text.slice(XML_PLACEHOLDER.length), rule, call)
      : [PLACEHOLDERS[part.text]?.value(call)].filter((value) => value !== undefined);
    const [value] = values;
    if (value === undefined) return { kind: "unfilled", problem: `\${${part.text}} has no value at this call` };
    if (values.length > 1) {
      return {
        kind: "unfilled",
        problem: `\${${part.text}} has ${values.length} values at this call, and must have one`,
      };
    }
    if (value.length > XML_LIMITS.filledCharacters) {
      const problem = `\${${part.text}} has more than ${XML_LIMITS.filledCharacters} characters at this call`;
      return { kind: "unfilled", problem };
    }
    if (value.includes("\0")) return { kind: "unfilled", problem: `\${${part.text}} has a NUL character in its value` };
    text += value;
  }
  return { kind: "filled", text };
}

function xmlValues(path: string, rule: RuleContext, call: HookCall): readonly string[] {
  return select(parsePath(path, rule.namespaces), call.xml()).map(textContent);
}
