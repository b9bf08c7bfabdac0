/**
 * `edit = [{ path = "…", … }]`: changes the XML with which libvirt continues, at the operations that read it back.
 * @module
 */
import * as v from "valibot";
import type { HookCall } from "../libvirt/call.ts";
import type { EditStep, Intent, OnError } from "../plan/intent.ts";
import { XmlSyntaxError } from "../xml/syntax_error.ts";
import { indexOfForbiddenCharacter } from "../xml/names.ts";
import { parsePath } from "../xml/path_parser.ts";
import type { Regex } from "../xml/regex.ts";
import type { Action } from "./action.ts";
import type { HookPoint, RuleContext, RuleProblem } from "../config/rule_context.ts";
import { pathProblem, placeholderProblems, substitute, type Template, templateSchema } from "../config/placeholder.ts";
import { tableSchema } from "../config/table_schema.ts";

/** The change to the nodes that the path selects. */
type EditStepConfig =
  | { readonly kind: "set"; readonly value: Template }
  | { readonly kind: "replace"; readonly search: string; readonly with: Template }
  | { readonly kind: "regex" } & Regex
  | { readonly kind: "remove" }
  | { readonly kind: "insert"; readonly xml: string; readonly place: "first" | "last" | "before" | "after" };

interface EditConfig {
  readonly path: string;
  readonly change: EditStepConfig;
  readonly onError: OnError | undefined;
}

const SEARCH = "the text to look for, in characters that XML allows";
const EXPECTED = "an edit: path with one of set, replace and with, regex and with, remove = true, insert";

/** Schema of one edit. */
export function editSchema(): v.GenericSchema<unknown, Action> {
  const text = v.string("a string");
  return v.pipe(
    tableSchema({
      path: text,
      set: v.optional(templateSchema()),
      replace: v.optional(v.pipe(text, v.nonEmpty(SEARCH), v.check(isXmlText, SEARCH))),
      regex: v.optional(v.pipe(text, v.nonEmpty("the regular expression to look for"))),
      with: v.optional(text),
      remove: v.optional(v.literal(true, "true")),
      insert: v.optional(text),
      place: v.optional(v.picklist(["first", "last", "before", "after"], '"first", "last", "before" or "after"')),
      on_error: v.optional(v.picklist(["fail", "continue"], '"fail" or "continue"')),
    }, EXPECTED),
    v.rawTransform(({ dataset, addIssue, NEVER }) => {
      const change = parseChange(dataset.value);
      if (typeof change !== "string") {
        return editAction({ path: dataset.value.path, change, onError: dataset.value.on_error });
      }
      addIssue({ message: change });
      return NEVER;
    }),
  );
}

function isXmlText(text: string): boolean {
  return indexOfForbiddenCharacter(text) === -1;
}

interface RawEdit {
  readonly set?: Template | undefined;
  readonly replace?: string | undefined;
  readonly regex?: string | undefined;
  readonly with?: string | undefined;
  readonly remove?: true | undefined;
  readonly insert?: string | undefined;
  readonly place?: "first" | "last" | "before" | "after" | undefined;
}

/** Returns the one change in a table, or what was expected instead. */
function parseChange(raw: RawEdit): EditStepConfig | string {
  const verbs = (["set", "replace", "regex", "remove", "insert"] as const).filter((key) => raw[key] !== undefined);
  if (verbs.length !== 1) return "exactly one of set, replace, regex, remove and insert";
  if ((raw.replace ?? raw.regex) === undefined && raw.with !== undefined) return "with only beside replace or regex";
  if (raw.insert === undefined && raw.place !== undefined) return "place only beside insert";
  if (raw.set !== undefined) return { kind: "set", value: raw.set };
  if (raw.insert !== undefined) return { kind: "insert", xml: raw.insert, place: raw.place ?? "last" };
  if (raw.remove !== undefined) return { kind: "remove" };
  if (raw.with === undefined) return "with beside replace or regex: what to write instead";
  if (raw.regex !== undefined) return { kind: "regex", expression: raw.regex, with: raw.with };
  const replacement = v.safeParse(templateSchema(), raw.with);
  if (!replacement.success) return `in with ${replacement.issues[0].message}`;
  return { kind: "replace", search: raw.replace ?? "", with: replacement.output };
}

function editAction(config: EditConfig): Action {
  return {
    kind: "edit",
    lasts: "event",
    usesDocument: true,
    onError: config.onError,
    programs: [],
    findProblems: (rule, hookPoints) => editProblems(config, rule, hookPoints),
    plan: (rule, call) => [planEdit(config, rule, call)],
  };
}

async function editProblems(
  config: EditConfig,
  rule: RuleContext,
  hookPoints: readonly HookPoint[],
): Promise<readonly RuleProblem[]> {
  const useless = hookPoints.filter(({ facts }) => !facts.filter).slice(0, 1).map((
    { driver, operation },
  ): RuleProblem => ({
    path: [],
    found: `edit at ${driver.name} ${operation}`,
    expected: "migrate or restore, the operations at which libvirt reads the document back",
  }));
  const path = pathProblem(config.path, rule);
  const problems: readonly RuleProblem[] = path === undefined
    ? await stepProblems(config.change, rule, hookPoints)
    : [{ path: ["path"], found: JSON.stringify(config.path), expected: path }];
  return [...useless, ...problems];
}

async function stepProblems(
  change: EditStepConfig,
  rule: RuleContext,
  hookPoints: readonly HookPoint[],
): Promise<readonly RuleProblem[]> {
  switch (change.kind) {
    case "set":
      return placeholderProblems(change.value, { rule, hookPoints, path: ["set"] });
    case "replace":
      return placeholderProblems(change.with, { rule, hookPoints, path: ["with"] });
    case "regex":
      return await regexProblems(change);
    case "insert":
      return await insertProblems(change.xml, rule);
    case "remove":
      return [];
    default:
      return change satisfies never;
  }
}

async function regexProblems(regex: Regex): Promise<readonly RuleProblem[]> {
  // Only rules with an expression load the engine.
  const { compileRegex, RegexSyntaxError } = await import("../xml/regex.ts");
  try {
    compileRegex(regex, () => false);
    return [];
  } catch (error) {
    if (!(error instanceof RegexSyntaxError)) throw error;
    return error.part === "expression"
      ? [unusableValue("regex", `a regular expression: ${error.message}`)]
      : [unusableValue("with", `what to write instead: ${error.message}`)];
  }
}

async function insertProblems(xml: string, rule: RuleContext): Promise<readonly RuleProblem[]> {
  const { parseFragment } = await import("../xml/document.ts");
  try {
    parseFragment(xml, (prefix) => Object.hasOwn(rule.namespaces, prefix) ? rule.namespaces[prefix] : undefined);
    return [];
  } catch (error) {
    if (!(error instanceof XmlSyntaxError)) throw error;
    return [unusableValue("insert", `well-formed XML: ${error.message}`)];
  }
}

function unusableValue(key: "regex" | "with" | "insert", expected: string): RuleProblem {
  return { path: [key], found: `a ${key} that cannot be used`, expected };
}

function planEdit(config: EditConfig, rule: RuleContext, call: HookCall): Intent {
  const onError = config.onError ?? "fail";
  const step = buildStep(config, rule, call);
  return typeof step === "string"
    ? { kind: "fault", rule: rule.name, action: "edit", message: step, onError }
    : { kind: "edit", rule: rule.name, step, onError };
}

/** Builds the edit with the values of the call, or returns why that is impossible. */
function buildStep({ path: pathText, change }: EditConfig, rule: RuleContext, call: HookCall): EditStep | string {
  const path = parsePath(pathText, rule.namespaces);
  switch (change.kind) {
    case "set": {
      const filled = substitute(change.value, rule, call);
      if (filled.kind === "unfilled") return filled.problem;
      return { edit: { kind: "set", path, value: filled.text }, text: `${pathText} = "${filled.text}"` };
    }
    case "replace": {
      const filled = substitute(change.with, rule, call);
      if (filled.kind === "unfilled") return filled.problem;
      const { search } = change;
      const text = `${pathText}: "${search}" becomes "${filled.text}"`;
      return { edit: { kind: "replace", path, search, with: filled.text }, text };
    }
    case "regex": {
      return { edit: { ...change, path }, text: `${pathText}: /${change.expression}/ becomes "${change.with}"` };
    }
    case "remove":
      return { edit: { kind: "remove", path }, text: `${pathText} removed` };
    case "insert": {
      const { xml, place } = change;
      return { edit: { kind: "insert", path, place, xml }, text: `${xml.trim()} inserted ${place} in ${pathText}` };
    }
    default:
      return change satisfies never;
  }
}
