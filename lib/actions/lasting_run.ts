/**
 * `run` with `undo` or `during`: a program that is run once when a life begins, and one that undoes it at its end.
 * @module
 */
import type { HookCall } from "../libvirt/call.ts";
import type { OnError } from "../plan/intent.ts";
import { quote } from "../text/quote.ts";
import type { Action } from "./action.ts";
import type { HookPoint, RuleContext, RuleProblem } from "../config/rule_context.ts";
import {
  type Argv,
  argvProblems,
  plainArgv,
  plainProgram,
  programEnvironment,
  substituteArgv,
  substitutedWords,
} from "./argv.ts";
import { looksAtDocument } from "../config/placeholder.ts";
import { type DemandSpecs, holdAction } from "./hold.ts";
import { isAcquiredAt, onErrorProblems, timeoutProblems } from "./limits.ts";

/** What `run` says of one that lasts. */
export interface LastingRunConfig {
  readonly argv: Argv;
  readonly undo: Argv | undefined;
  readonly during: "domain" | "running" | undefined;
  readonly timeoutMs: number | undefined;
  readonly onError: OnError | undefined;
  /** `"continue"`: an undo that fails is noted and forgotten. */
  readonly undoError: OnError | undefined;
  readonly input: "document" | "none";
  readonly output: "document" | "none";
}

/** Makes the action. */
export function lastingRun(config: LastingRunConfig): Action {
  const { argv, undo, during } = config;
  const lasts = during ?? "domain";
  return holdAction({
    kind: "run",
    lasts,
    whiles: ["guest", "network", "port"],
    looksAtDocument: [...argv, ...undo ?? []].some(looksAtDocument),
    programs: [plainProgram(argv), ...(undo === undefined ? [] : [plainProgram(undo)])],
    onError: config.onError,
    undo: undo === undefined ? undefined : { argv: plainArgv(undo), onError: config.undoError },
    findProblems: (rule, hookPoints) => {
      const due = hookPoints.filter(({ facts }) => isAcquiredAt(facts, lasts, rule));
      return [...operationProblems(config, rule), ...hookPointProblems(config, rule, due)];
    },
    parts: (rule, call) => parts(config, rule, call),
  });
}

/** What has no meaning for a program that is run for a whole life. */
function operationProblems({ during, input, output }: LastingRunConfig, rule: RuleContext): readonly RuleProblem[] {
  const problems: RuleProblem[] = [];
  for (const [key, found] of Object.entries({ input, output })) {
    if (found === "none") continue;
    const expected = `no ${key}, since a run that lasts (undo, during) has nothing to do with a call's document`;
    problems.push({ path: [key], found: JSON.stringify(found), expected });
  }
  if (during !== undefined && rule.while !== "guest") {
    const expected = `no "during" beside while = "${rule.while}", since only a guest can be there and not run`;
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

/** Where it is only checked, fillings stay as the rule writes them: they may get their value later. */
function parts(config: LastingRunConfig, rule: RuleContext, call: HookCall): DemandSpecs {
  const { argv, undo, during, timeoutMs, undoError } = config;
  const isDue = isAcquiredAt(call.facts, during ?? "domain", rule);
  const fillOwn = (own: Argv): ReturnType<typeof substituteArgv> =>
    isDue ? substituteArgv(own, rule, call) : plainArgv(own);
  const begin = fillOwn(argv);
  if ("problem" in begin) return begin;
  const end = undo === undefined ? undefined : fillOwn(undo);
  if (end !== undefined && "problem" in end) return end;
  const undone = end === undefined ? "" : `, undone by ${textOf(end)}`;
  const limit = timeoutMs === undefined ? "" : `, each for ${timeoutMs / 1000} s at most`;
  const demand = {
    ...{ argv: begin, filled: substitutedWords(argv), environment: programEnvironment(rule.name, call), timeoutMs },
    ...{ undo: end, undoFilled: undo === undefined ? [] : substitutedWords(undo) },
    ...(undoError === "continue" ? { undoError } : {}),
  };
  const lenient = undoError === "continue" ? ", whose failure is noted" : "";
  return [{ resource: "command", demand, text: `run ${textOf(begin)}${undone}${lenient}${limit}` }];
}

function textOf(argv: readonly string[]): string {
  return argv.map(quote).join(" ");
}
