/**
 * Reads rules files into one set of rules, or reports all their mistakes at once.
 * @module
 */
import { parse, TomlError } from "smol-toml";
import * as v from "valibot";
import { lazily } from "../config/table_schema.ts";
import type { Action } from "../actions/action.ts";
import type { HookPoint } from "../config/rule_context.ts";
import { describeValue, type Issue, type Mistake, type TomlPath } from "./mistake.ts";
import { actionSchemas } from "../actions/registry.ts";
import { listedNames } from "../config/listing.ts";
import { allHookPoints, hookPointsOf, lifetimeStartPoints, selectorProblems } from "./hook_points.ts";
import { NO_RULES, type Rule, type RuleSet, type RulesFile, type Settings } from "./rule.ts";
import { fileSchema, type RawRule, ruleSchema, ruleSelectorsSchema, settingsSchema } from "./schema.ts";

/** How many mistakes are reported at most. */
export const ISSUES_MAX = 500;

/** The result of reading. `count` is the number of all mistakes, of which `issues` contains the first. */
export type RulesReading =
  | { readonly kind: "rules"; readonly ruleSet: RuleSet }
  | { readonly kind: "broken"; readonly issues: readonly Issue[]; readonly count: number };

/** A parsed TOML file. */
interface TomlFile {
  readonly path: string;
  readonly rules: readonly unknown[];
  readonly settings: unknown;
}

/** A rule with a valid shape, and its position. */
interface ShapedRule {
  readonly file: string;
  readonly index: number;
  readonly raw: RawRule;
}

/** Reads files in the given order, which is the order of the rules. Reports the first `most` mistakes. */
export async function readRules(files: readonly RulesFile[], most = ISSUES_MAX): Promise<RulesReading> {
  const mistakes: Mistake[] = [];
  const parsed = parseFiles(files, mistakes);
  const settings = readSettings(parsed, mistakes);
  findDuplicateNames(parsed, mistakes);
  const rules = await makeRules(shapeRules(parsed, mistakes), settings, mistakes);
  if (mistakes.length === 0) return { kind: "rules", ruleSet: { rules, settings } };
  // The parser that knows positions is loaded only if there are mistakes.
  const { describeMistakes } = await import("./describe.ts");
  return { kind: "broken", ...describeMistakes(mistakes, files, most) };
}

function parseFiles(files: readonly RulesFile[], mistakes: Mistake[]): readonly TomlFile[] {
  const schema = fileSchema();
  return files.flatMap(({ path, text }): TomlFile[] => {
    let data: Readonly<Record<string, unknown>>;
    try {
      data = parse(text);
    } catch (error) {
      if (!(error instanceof TomlError)) throw error;
      mistakes.push(syntaxMistake(path, error));
      return [];
    }
    checkShape(schema, data, { path, above: [] }, mistakes);
    const { rule, settings } = data;
    return [{ path, rules: Array.isArray(rule) ? rule : [], settings }];
  });
}

function shapeRules(files: readonly TomlFile[], mistakes: Mistake[]): readonly ShapedRule[] {
  const schema = ruleSchema();
  const selectorsSchema = lazily(ruleSelectorsSchema);
  return files.flatMap(({ path, rules }) =>
    rules.flatMap((rule, index): ShapedRule[] => {
      const above = ["rule", index];
      const raw = checkShape(schema, rule, { path, above }, mistakes);
      if (raw !== undefined) return [{ file: path, index, raw }];
      // Report mistakes in selectors even if the rest of the rule is invalid.
      const selectors = v.safeParse(selectorsSchema, rule);
      if (!selectors.success) return [];
      for (const problem of selectorProblems(selectors.output, allHookPoints(NO_RULES.settings))) {
        mistakes.push({ ...problem, at: "value", file: path, path: [...above, ...problem.path] });
      }
      return [];
    })
  );
}

/** Returns a value in its shape, or adds its mistakes and returns `undefined`. */
function checkShape<Output>(
  schema: v.GenericSchema<unknown, Output>,
  value: unknown,
  { path, above }: { readonly path: string; readonly above: TomlPath },
  mistakes: Mistake[],
): Output | undefined {
  const result = v.safeParse(schema, value);
  if (result.success) return result.output;
  mistakes.push(...result.issues.flatMap((issue) => shapeMistakes(path, above, issue)));
  return undefined;
}

function syntaxMistake(file: string, error: TomlError): Mistake {
  // The parser's message continues with lines of the file, which `check` prints itself.
  const [reason = ""] = error.message.replace(/^Invalid TOML document: /, "").split("\n");
  const at = { line: error.line, column: error.column };
  return { file, path: [], at, found: `broken TOML (${reason})`, expected: "TOML 1.0" };
}

function shapeMistakes(file: string, above: TomlPath, issue: v.BaseIssue<unknown>): readonly Mistake[] {
  const inside = (issue.path ?? []).map(({ key }) => typeof key === "number" ? key : String(key));
  const path = [...above, ...inside];
  const isKey = issue.type === "strict_object" && issue.path !== undefined;
  if (isKey && issue.expected === "never") {
    const parent = path.slice(0, -1);
    return unknownKeys(issue).map((key) => ({
      file,
      path: [...parent, key],
      at: "key",
      found: `the key ${JSON.stringify(key)}`,
      expected: issue.message,
    }));
  }
  if (isKey && issue.received === "undefined") {
    const parent = path.slice(0, -1);
    return [{ file, path: parent, at: "value", found: "nothing", expected: `the key ${issue.expected}` }];
  }
  return [{ file, path, at: "value", found: describeValue(issue.input), expected: issue.message }];
}

/** Returns all unknown keys of a table: valibot reports only the first. */
function unknownKeys(issue: v.BaseIssue<unknown>): readonly string[] {
  const table = issue.path?.at(-1)?.input ?? {};
  const known = listedNames(issue.message);
  return Object.keys(table).filter((key) => !known.includes(key));
}

/** Merges the settings of all files; each setting may be given once. */
function readSettings(files: readonly TomlFile[], mistakes: Mistake[]): Settings {
  const schema = lazily(settingsSchema);
  const budgetsMs: Record<string, Record<string, number>> = {};
  let forwardMark: number | undefined;
  for (const { path: file, settings } of files) {
    const addDuplicate = (path: TomlPath): void => {
      mistakes.push({ file, path, at: "key", found: "a second value", expected: "one value in all files" });
    };
    const given = settings === undefined
      ? undefined
      : checkShape(schema, settings, { path: file, above: ["settings"] }, mistakes);
    if (given?.forwardMark !== undefined && forwardMark !== undefined) addDuplicate(["settings", "forward_mark"]);
    forwardMark ??= given?.forwardMark;
    for (const [driver, operations] of Object.entries(given?.budgets ?? {})) {
      const merged = budgetsMs[driver] ??= {};
      for (const [operation, budgetMs] of Object.entries(operations)) {
        if (merged[operation] !== undefined) addDuplicate(["settings", "budgets", driver, operation]);
        merged[operation] = budgetMs;
      }
    }
  }
  return { budgetsMs, forwardMark };
}

async function makeRules(
  shaped: readonly ShapedRule[],
  settings: Settings,
  mistakes: Mistake[],
): Promise<readonly Rule[]> {
  const allPoints = allHookPoints(settings);
  const { forwardMark } = settings;
  const rules: Rule[] = [];
  for (const { file, index, raw } of shaped) {
    for (const mistake of await ruleMistakes(raw, allPoints)) {
      mistakes.push({ ...mistake, file, path: ["rule", index, ...mistake.path] });
    }
    const { name, when, unless, namespaces, while: life = "guest" } = raw;
    const actions = Object.values(raw.actions).flat();
    rules.push({ name, file, when, unless, while: life, namespaces, forwardMark, actions });
  }
  return rules;
}

/** Finds names that two rules share, whatever else is wrong in them. */
function findDuplicateNames(files: readonly TomlFile[], mistakes: Mistake[]): void {
  const fileOfName = new Map<string, string>();
  for (const { path: file, rules } of files) {
    for (const [index, rule] of rules.entries()) {
      const name: unknown = typeof rule === "object" && rule !== null && "name" in rule ? rule.name : undefined;
      if (typeof name !== "string") continue;
      const other = fileOfName.get(name);
      if (other !== undefined) {
        const found = `a second rule ${JSON.stringify(name)}`;
        const expected = `a unique name: ${other} has a rule with this name`;
        mistakes.push({ file, path: ["rule", index, "name"], at: "value", found, expected });
      }
      fileOfName.set(name, file);
    }
  }
}

type RuleMistake = Omit<Mistake, "file">;

/** Finds values in a rule that can never take effect. */
async function ruleMistakes(rule: RawRule, allPoints: readonly HookPoint[]): Promise<readonly RuleMistake[]> {
  const mistake = eventMistake(rule);
  if (mistake !== undefined) return [{ ...mistake, at: "value" }];
  const life = rule.while ?? "guest";
  const possible = rule.when.on === undefined ? lifetimeStartPoints(life, allPoints) : allPoints;
  const problems = selectorProblems(rule, possible);
  if (problems.length > 0) return problems.map((problem) => ({ ...problem, at: "value" }));
  const hookPoints = hookPointsOf(rule.when, possible);
  const mistakes: RuleMistake[] = [];
  for (const [key, actions] of Object.entries(rule.actions)) {
    for (const [index, action] of actions.entries()) {
      for (const problem of await action.findProblems({ ...rule, while: life }, hookPoints)) {
        mistakes.push({ ...problem, path: actionPath(key, index, actions, problem.path), at: "value" });
      }
    }
  }
  return mistakes;
}

/** Checks `on` and `while`: event actions need `on`, lasting actions must not have it, and a rule cannot mix both. */
function eventMistake(rule: RawRule): Omit<RuleMistake, "at"> | undefined {
  const keys = Object.keys(rule.actions);
  if (keys.length === 0) {
    return { path: [], found: "no action", expected: `an action: ${Object.keys(actionSchemas).join(", ")}` };
  }
  const eventKeys = keys.filter((key) => rule.actions[key]?.some(({ lasts }) => lasts === "event"));
  const lastingKeys = keys.filter((key) => rule.actions[key]?.some(({ lasts }) => lasts !== "event"));
  if (rule.when.on === undefined && eventKeys.length > 0) {
    const expected = `the key "on", since ${eventKeys.join(" and ")} must know at which operations to act`;
    return { path: ["when"], found: "no on", expected };
  }
  if (rule.when.on !== undefined && lastingKeys.length > 0) {
    const expected = `no "on", since ${lastingKeys.join(" and ")} lasts for the lifetime of the guest or network`;
    return { path: ["when", "on"], found: "on", expected };
  }
  if (rule.while !== undefined && lastingKeys.length === 0) {
    const expected = `no "while", since ${eventKeys.join(" and ")} does not last`;
    return { path: ["while"], found: JSON.stringify(rule.while), expected };
  }
  return undefined;
}

/** Returns the path of a part of an action. The index is omitted if the file has no list. */
function actionPath(key: string, index: number, actions: readonly Action[], rest: TomlPath): TomlPath {
  return actions.length === 1 ? [key, ...rest] : [key, index, ...rest];
}
