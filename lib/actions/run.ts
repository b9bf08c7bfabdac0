/**
 * `run = { argv = […] }`: runs a program at an event; with `undo` or `during`, once in a lifetime.
 * @module
 */
import * as v from "valibot";
import type { HookCall } from "../libvirt/call.ts";
import { failurePolicy } from "../libvirt/driver.ts";
import type { Intent, OnError } from "../plan/intent.ts";
import type { Action } from "./action.ts";
import type { HookPoint, RuleContext, RuleProblem } from "../config/rule_context.ts";
import {
  argvProblems,
  argvSchema,
  type ArgvTemplate,
  literalProgram,
  programEnvironment,
  substituteArgv,
  substitutedWords,
} from "./argv.ts";
import { durationSchema } from "../config/duration.ts";
import { usesDocument } from "../config/placeholder.ts";
import { onErrorEntry } from "./hold.ts";
import { lastingRun } from "./lasting_run.ts";
import { onErrorProblems, timeoutProblems } from "./limits.ts";
import { tableSchema } from "../config/table_schema.ts";

interface RunConfig {
  readonly argv: ArgvTemplate;
  readonly timeoutMs: number | undefined;
  readonly onError: OnError | undefined;
  readonly input: "document" | "none";
  readonly output: "document" | "none";
}

/** Schema of `run`. */
export function runSchema(): v.GenericSchema<unknown, Action> {
  return v.pipe(
    tableSchema({
      argv: argvSchema(),
      undo: v.optional(argvSchema()),
      during: v.optional(v.picklist(["domain", "running"], '"domain" or "running"')),
      timeout: v.optional(durationSchema()),
      on_error: onErrorEntry(),
      undo_error: onErrorEntry(),
      input: v.optional(v.picklist(["document", "none"], '"document" or "none"'), "none"),
      output: v.optional(v.picklist(["document", "none"], '"document" or "none"'), "none"),
    }, "a table with argv"),
    v.check(
      ({ undo, undo_error }) => undo !== undefined || undo_error === undefined,
      "undo_error only beside undo: it says what an undo that fails comes to",
    ),
    v.transform(({ argv, undo, during, timeout, on_error, undo_error, input, output }) =>
      undo === undefined && during === undefined
        ? run({ argv, timeoutMs: timeout, onError: on_error, input, output })
        : lastingRun({
          argv,
          undo,
          during,
          timeoutMs: timeout,
          onError: on_error,
          undoError: undo_error,
          input,
          output,
        })
    ),
  );
}

function run(config: RunConfig): Action {
  return {
    kind: "run",
    lasts: "event",
    usesDocument: config.output === "document" || config.argv.some(usesDocument),
    onError: config.onError,
    programs: [literalProgram(config.argv)],
    findProblems: (rule, hookPoints) => [
      ...onErrorProblems(config.onError, hookPoints),
      ...documentProblems(config, hookPoints),
      ...timeoutProblems(config.timeoutMs, hookPoints),
      ...argvProblems(config.argv, { key: "argv", rule, hookPoints }),
    ],
    plan: (rule, call) => [planRun(rule, config, call)],
  };
}

function documentProblems(config: RunConfig, hookPoints: readonly HookPoint[]): readonly RuleProblem[] {
  const problems: RuleProblem[] = [];
  if (config.input === "document" && hookPoints.every((hookPoint) => hookPoint.driver.stdin === "nothing")) {
    problems.push({ path: ["input"], found: '"document"', expected: '"none": libvirt sends no document here' });
  }
  const useless = hookPoints.find((hookPoint) => !hookPoint.facts.filter);
  if (config.output === "document" && useless !== undefined) {
    const expected =
      `"none" at ${useless.driver.name} ${useless.operation}: libvirt reads a document back at migrate and restore`;
    problems.push({ path: ["output"], found: '"document"', expected });
  }
  return problems;
}

function planRun(context: RuleContext, config: RunConfig, call: HookCall): Intent {
  const rule = context.name;
  const onError = config.onError ?? (failurePolicy(call.facts) === "strict" ? "fail" : "continue");
  const argv = substituteArgv(config.argv, context, call);
  if ("problem" in argv) return { kind: "fault", rule, action: "run", message: argv.problem, onError };
  const { input, output, timeoutMs } = config;
  const filled = substitutedWords(config.argv);
  const environment = programEnvironment(rule, call);
  return { kind: "run", rule, argv, filled, environment, input, output, timeoutMs, onError };
}
