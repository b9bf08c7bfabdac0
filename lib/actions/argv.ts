/**
 * A program with its arguments, as rules write them: no shell, no PATH, nothing inherited.
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

/** A program with its arguments. */
export type Argv = readonly [Template, ...Template[]];

/** The list of strings, as a schema. */
export function argvSchema(): v.GenericSchema<unknown, Argv> {
  return v.pipe(
    v.array(templateSchema(), "a list of strings: a program's absolute path, then its arguments"),
    v.rawTransform(({ dataset, addIssue, NEVER }): Argv => {
      const [program, ...args] = dataset.value;
      if (program === undefined || !isProgramPath(program)) {
        const message = "the absolute path of a program first, without fillings or dot segments";
        addIssue({ message, ...element(dataset.value, 0) });
        return NEVER;
      }
      const argv: Argv = [program, ...args];
      const [filled] = substitutedWords(argv);
      if (filled !== undefined && takesInlineCode(plainProgram(argv))) {
        const message = "no fillings in what a shell or interpreter runs: use the VIRT_HOOKS_ environment there";
        addIssue({ message, ...element(dataset.value, filled) });
        return NEVER;
      }
      return argv;
    }),
  );
}

/** Points an issue at one element of a list. */
function element(
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

/** The argv as the rule writes it. */
export function plainArgv([program, ...args]: Argv): readonly [string, ...string[]] {
  return [program.text, ...args.map((argument) => argument.text)];
}

/** The program with its arguments as the rule writes them. */
export function plainProgram(argv: Argv): ProgramWords {
  return { argv: plainArgv(argv), filled: substitutedWords(argv) };
}

/** Which words have fillings in them, by their place. */
export function substitutedWords(argv: Argv): readonly number[] {
  return argv.flatMap((word, index) => hasPlaceholder(word) ? [index] : []);
}

/** Fillings that no call of the rule can have; `key` is where the argv stands. */
export function argvProblems(
  [, ...args]: Argv,
  { key, rule, hookPoints }: {
    readonly key: string;
    readonly rule: RuleContext;
    readonly hookPoints: readonly HookPoint[];
  },
): readonly RuleProblem[] {
  return args.flatMap((argument, index) => placeholderProblems(argument, { rule, hookPoints, path: [key, index + 1] }));
}

/** The argv with the values of a call, or why it cannot have them. */
export function substituteArgv(
  [program, ...args]: Argv,
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

/** All that a program finds in its environment. */
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
