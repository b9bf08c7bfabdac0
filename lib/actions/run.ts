/**
 * `run = { argv = […] }`: run a program at an event. No shell, no PATH, nothing inherited.
 * @module
 */
import * as v from "valibot";
import type { HookCall } from "../libvirt/call.ts";
import { failurePolicy } from "../libvirt/driver.ts";
import type { Intent, OnError } from "../plan/intent.ts";
import type { Action, Misfit, Place, RuleContext } from "./action.ts";
import { durationSchema } from "./duration.ts";
import {
  beginsWithFilling,
  fill,
  fillingMisfits,
  hasFilling,
  looksAtDocument,
  type Template,
  templateSchema,
} from "./filling.ts";
import { takesInlineCode } from "../plan/interpreter.ts";
import { tableSchema } from "./table_schema.ts";

interface RunConfig {
  readonly program: string;
  readonly args: readonly Template[];
  readonly timeoutMs: number | undefined;
  readonly onError: OnError | undefined;
  readonly input: "document" | "none";
  readonly output: "document" | "none";
}

/** The configuration of `run`, as a schema. */
export function runSchema(): v.GenericSchema<unknown, Action> {
  return v.pipe(
    tableSchema({
      argv: argvSchema(),
      timeout: v.optional(durationSchema()),
      on_error: v.optional(v.picklist(["fail", "continue"], '"fail" or "continue"')),
      input: v.optional(v.picklist(["document", "none"], '"document" or "none"'), "none"),
      output: v.optional(v.picklist(["document", "none"], '"document" or "none"'), "none"),
    }, "a table with argv"),
    v.transform(({ argv: [program, ...args], timeout, on_error, input, output }) =>
      run({ program: program.text, args, timeoutMs: timeout, onError: on_error, input, output })
    ),
  );
}

type Argv = readonly [Template, ...Template[]];

function argvSchema(): v.GenericSchema<unknown, Argv> {
  return v.pipe(
    v.array(templateSchema(), "a list of strings: a program's absolute path, then its arguments"),
    v.rawTransform(({ dataset, addIssue, NEVER }): Argv => {
      const [program, ...args] = dataset.value;
      if (program === undefined || !isProgramPath(program)) {
        const message = "the absolute path of a program first, without fillings or dot segments";
        addIssue({ message, ...element(dataset.value, 0) });
        return NEVER;
      }
      const filled = args.findIndex(hasFilling);
      if (filled !== -1 && takesInlineCode(dataset.value.map((argument) => argument.text))) {
        const message = "no fillings in what a shell or interpreter runs: use the VIRT_HOOKS_ environment there";
        addIssue({ message, ...element(dataset.value, filled + 1) });
        return NEVER;
      }
      return [program, ...args];
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
  return !hasFilling(program) && /^(\/[^/]+)+$/.test(program.text) &&
    !program.text.split("/").some((segment) => segment === "." || segment === "..");
}

function run(config: RunConfig): Action {
  return {
    kind: "run",
    lasts: "event",
    looksAtDocument: config.output === "document" || config.args.some(looksAtDocument),
    programs: [[config.program, ...config.args.map((argument) => argument.text)]],
    misfits: (rule, places) => [...configMisfits(config, places), ...argumentMisfits(config, rule, places)],
    plan: (rule, call) => [planRun(rule, config, call)],
  };
}

function configMisfits(config: RunConfig, places: readonly Place[]): readonly Misfit[] {
  const misfits: Misfit[] = [];
  if (config.onError === "fail" && places.every((place) => failurePolicy(place.facts) === "never")) {
    misfits.push({
      path: ["on_error"],
      found: '"fail"',
      expected: '"continue": at these operations a hook never fails the call',
    });
  }
  if (config.input === "document" && places.every((place) => place.driver.stdin === "nothing")) {
    misfits.push({ path: ["input"], found: '"document"', expected: '"none": libvirt sends no document here' });
  }
  const useless = places.find((place) => !place.facts.filter);
  if (config.output === "document" && useless !== undefined) {
    const expected =
      `"none" at ${useless.driver.name} ${useless.operation}: libvirt reads a document back at migrate and restore`;
    misfits.push({ path: ["output"], found: '"document"', expected });
  }
  const budgetMs = Math.max(...places.map((place) => place.budgetMs));
  if (config.timeoutMs !== undefined && config.timeoutMs > budgetMs) {
    misfits.push({
      path: ["timeout"],
      found: `${config.timeoutMs / 1000} s`,
      expected: `${budgetMs / 1000} s at most, the time a call has here (settings.budgets can change it)`,
    });
  }
  return misfits;
}

function argumentMisfits(config: RunConfig, rule: RuleContext, places: readonly Place[]): readonly Misfit[] {
  return config.args.flatMap((argument, index) =>
    fillingMisfits(argument, { rule, places, path: ["argv", index + 1] })
  );
}

function planRun(context: RuleContext, config: RunConfig, call: HookCall): Intent {
  const rule = context.name;
  const onError = config.onError ?? (failurePolicy(call.facts) === "strict" ? "fail" : "continue");
  const args: string[] = [];
  for (const argument of config.args) {
    const filled = fill(argument, context, call);
    if (filled.kind === "unfilled") return { kind: "fault", rule, action: "run", message: filled.problem, onError };
    if (beginsWithFilling(argument) && /^(-|$)/.test(filled.text)) {
      const message =
        `the argument "${argument.text}" would be "${filled.text}": the program could take it for an option`;
      return { kind: "fault", rule, action: "run", message, onError };
    }
    args.push(filled.text);
  }
  const { input, output, timeoutMs } = config;
  const environment = runEnvironment(rule, call);
  return { kind: "run", rule, argv: [config.program, ...args], environment, input, output, timeoutMs, onError };
}

/** All that a program finds in its environment. */
function runEnvironment(rule: string, call: HookCall): Readonly<Record<string, string>> {
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
