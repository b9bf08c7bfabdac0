/**
 * A program and its arguments in rules: run without a shell or PATH lookup, and with an environment of its own.
 * @module
 */
import * as v from "valibot";
import type { HookCall } from "../libvirt/call.ts";
import { takesInlineCode } from "../trust/interpreter.ts";
import type { ProgramWords } from "../trust/program_words.ts";
import type { HookPoint, RuleContext, RuleProblem } from "../config/rule_context.ts";
import {
  beginsWithPlaceholder,
  hasPlaceholder,
  placeholderProblems,
  substitute,
  type Template,
  templateSchema,
} from "../config/placeholder.ts";

/** A program and its arguments, with placeholders. */
export type ArgvTemplate = readonly [Template, ...Template[]];

/** Schema of the list of strings. */
export function argvSchema(): v.GenericSchema<unknown, ArgvTemplate> {
  return v.pipe(
    v.array(templateSchema(), "a list of strings: a program's absolute path, then its arguments"),
    v.rawTransform(({ dataset, addIssue, NEVER }): ArgvTemplate => {
      const [program, ...args] = dataset.value;
      if (program === undefined || !isProgramPath(program)) {
        const message = "the absolute path of a program first, without placeholders or dot segments";
        addIssue({ message, ...listElement(dataset.value, 0) });
        return NEVER;
      }
      const argv: ArgvTemplate = [program, ...args];
      const [filled] = substitutedWords(argv);
      if (filled !== undefined && takesInlineCode(literalProgram(argv))) {
        const message = "no placeholders in what a shell or interpreter runs: use the VIRT_HOOKS_ environment there";
        addIssue({ message, ...listElement(dataset.value, filled) });
        return NEVER;
      }
      return argv;
    }),
  );
}

/** Locates an issue at one element of a list. */
function listElement(
  list: Template[],
  key: number,
): { readonly input: unknown; readonly path?: [v.ArrayPathItem] } {
  const value = list[key];
  if (value === undefined) return { input: list };
  return { input: value.text, path: [{ type: "array", origin: "value", input: list, key, value }] };
}

function isProgramPath(program: Template): boolean {
  return !hasPlaceholder(program) && /^(\/[^/]+)+$/.test(program.text) &&
    !program.text.split("/").some((segment) => segment === "." || segment === "..");
}

/** Returns the argv as the rule writes it. */
export function literalArgv([program, ...args]: ArgvTemplate): readonly [string, ...string[]] {
  return [program.text, ...args.map((argument) => argument.text)];
}

/** Returns the program and its arguments as the rule writes them. */
export function literalProgram(argv: ArgvTemplate): ProgramWords {
  return { argv: literalArgv(argv), filled: substitutedWords(argv) };
}

/** Returns the indexes of the words that contain placeholders. */
export function substitutedWords(argv: ArgvTemplate): readonly number[] {
  return argv.flatMap((word, index) => hasPlaceholder(word) ? [index] : []);
}

/** Finds placeholders that have no value at any call of the rule. `key` is the argv's key in the rule. */
export function argvProblems(
  [, ...args]: ArgvTemplate,
  { key, rule, hookPoints }: {
    readonly key: string;
    readonly rule: RuleContext;
    readonly hookPoints: readonly HookPoint[];
  },
): readonly RuleProblem[] {
  return args.flatMap((argument, index) => placeholderProblems(argument, { rule, hookPoints, path: [key, index + 1] }));
}

/** Substitutes the values of a call, or returns why that is impossible. */
export function substituteArgv(
  [program, ...args]: ArgvTemplate,
  context: RuleContext,
  call: HookCall,
): readonly [string, ...string[]] | { readonly problem: string } {
  const texts: string[] = [];
  for (const argument of args) {
    const filled = substitute(argument, context, call);
    if (filled.kind === "unfilled") return { problem: filled.problem };
    if (beginsWithPlaceholder(argument) && /^(-|$)/.test(filled.text)) {
      const problem =
        `the argument "${argument.text}" would be "${filled.text}": the program could take it for an option`;
      return { problem };
    }
    texts.push(filled.text);
  }
  return [program.text, ...texts];
}

/** Returns the complete environment of a program. */
export function programEnvironment(rule: string, call: HookCall): Readonly<Record<string, string>> {
  return {
    LC_ALL: "C",
    PATH: "/usr/sbin:/usr/bin:/sbin:/bin",
    VIRT_HOOKS_DRIVER: call.driver,
    VIRT_HOOKS_OBJECT: call.object,
    VIRT_HOOKS_OPERATION: call.operation,
    VIRT_HOOKS_SUBOPERATION: call.subOperation,
    VIRT_HOOKS_EXTRA: call.extra,
    VIRT_HOOKS_RULE: rule,
  };
}
