/**
 * `run` with `undo` or `during`: a program that runs once at the start of a lifetime, and one that undoes it at the
 * end.
 * @module
 */
import type { HookCall } from "../libvirt/call.ts";
import type { OnError } from "../plan/intent.ts";
import { quote } from "../text/quote.ts";
import type { Action } from "./action.ts";
import type { HookPoint, RuleContext, RuleProblem } from "../config/rule_context.ts";
import {
  argvProblems,
  type ArgvTemplate,
  literalArgv,
  literalProgram,
  programEnvironment,
  substituteArgv,
  substitutedWords,
} from "./argv.ts";
import { usesDocument } from "../config/placeholder.ts";
import { type DemandSpecs, holdAction } from "./hold.ts";
import { isAcquiredAt, onErrorProblems, timeoutProblems } from "./limits.ts";

/** The configuration of a lasting `run`. */
export interface LastingRunConfig {
  readonly argv: ArgvTemplate;
  readonly undo: ArgvTemplate | undefined;
  readonly during: "domain" | "running" | undefined;
  readonly timeoutMs: number | undefined;
  readonly onError: OnError | undefined;
  /** `"continue"`: an undo that fails is recorded and not repeated. */
  readonly undoError: OnError | undefined;
  readonly input: "document" | "none";
  readonly output: "document" | "none";
}

/** Creates the action. */
export function lastingRun(config: LastingRunConfig): Action {
  const { argv, undo, during } = config;
  const lasts = during ?? "domain";
  return holdAction({
    kind: "run",
    lasts,
    whiles: ["guest", "network", "port"],
    usesDocument: [...argv, ...undo ?? []].some(usesDocument),
    programs: [literalProgram(argv), ...(undo === undefined ? [] : [literalProgram(undo)])],
    onError: config.onError,
    undo: undo === undefined ? undefined : { argv: literalArgv(undo), onError: config.undoError },
    findProblems: (rule, hookPoints) => {
      const acquiringPoints = hookPoints.filter(({ facts }) => isAcquiredAt(facts, lasts, rule));
      return [...operationProblems(config, rule), ...hookPointProblems(config, rule, acquiringPoints)];
    },
    parts: (rule, call) => parts(config, rule, call),
  });
}

/** Finds keys that have no meaning for a program that runs for a whole lifetime. */
function operationProblems({ during, input, output }: LastingRunConfig, rule: RuleContext): readonly RuleProblem[] {
  const problems: RuleProblem[] = [];
  for (const [key, found] of Object.entries({ input, output })) {
    if (found === "none") continue;
    const expected = `no ${key}, since a run that lasts (undo, during) has nothing to do with a call's document`;
    problems.push({ path: [key], found: JSON.stringify(found), expected });
  }
  if (during !== undefined && rule.while !== "guest") {
    const expected = `no "during" beside while = "${rule.while}", since only a guest can exist without running`;
    problems.push({ path: ["during"], found: JSON.stringify(during), expected });
  }
  return problems;
}

function hookPointProblems(
  config: LastingRunConfig,
  rule: RuleContext,
  hookPoints: readonly HookPoint[],
): readonly RuleProblem[] {
  const { argv, undo, onError, timeoutMs } = config;
  return [
    ...onErrorProblems(onError, hookPoints),
    ...timeoutProblems(timeoutMs, hookPoints),
    ...argvProblems(argv, { key: "argv", rule, hookPoints }),
    ...(undo === undefined ? [] : argvProblems(undo, { key: "undo", rule, hookPoints })),
  ];
}

/** Determines the demand. If the call only checks it, placeholders are kept: they may have no value yet. */
function parts(config: LastingRunConfig, rule: RuleContext, call: HookCall): DemandSpecs {
  const { argv, undo, during, timeoutMs, undoError } = config;
  const isDue = isAcquiredAt(call.facts, during ?? "domain", rule);
  const resolveArgv = (template: ArgvTemplate): ReturnType<typeof substituteArgv> =>
    isDue ? substituteArgv(template, rule, call) : literalArgv(template);
  const startArgv = resolveArgv(argv);
  if ("problem" in startArgv) return startArgv;
  const undoArgv = undo === undefined ? undefined : resolveArgv(undo);
  if (undoArgv !== undefined && "problem" in undoArgv) return undoArgv;
  const undoText = undoArgv === undefined ? "" : `, undone by ${textOf(undoArgv)}`;
  const limitText = timeoutMs === undefined ? "" : `, each for ${timeoutMs / 1000} s at most`;
  const demand = {
    ...{ argv: startArgv, filled: substitutedWords(argv), environment: programEnvironment(rule.name, call), timeoutMs },
    ...{ undo: undoArgv, undoFilled: undo === undefined ? [] : substitutedWords(undo) },
    ...(undoError === "continue" ? { undoError } : {}),
  };
  const failureText = undoError === "continue" ? ", whose failure is only recorded" : "";
  return [{ resource: "command", demand, text: `run ${textOf(startArgv)}${undoText}${failureText}${limitText}` }];
}

function textOf(argv: readonly string[]): string {
  return argv.map(quote).join(" ");
}
