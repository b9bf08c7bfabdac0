/**
 * `process = { argv = […] }`: a program that lives while somebody lives.
 * @module
 */
import * as v from "valibot";
import type { HookCall } from "../libvirt/call.ts";
import type { OnError } from "../plan/intent.ts";
import { quote } from "../text/quote.ts";
import type { Action } from "./action.ts";
import type { RuleContext } from "../config/rule_context.ts";
import {
  type Argv,
  argvProblems,
  argvSchema,
  plainArgv,
  plainProgram,
  programEnvironment,
  substituteArgv,
  substitutedWords,
} from "./argv.ts";
import { looksAtDocument } from "../config/placeholder.ts";
import { type DemandSpecs, holdAction, onErrorEntry } from "./hold.ts";
import { isAcquiredAt, onErrorProblems } from "./limits.ts";
import { tableSchema } from "../config/table_schema.ts";

/** The configuration of `process`, as a schema. */
export function processSchema(): v.GenericSchema<unknown, Action> {
  return v.pipe(
    tableSchema({ argv: argvSchema(), on_error: onErrorEntry() }, "a table with argv"),
    v.transform(({ argv, on_error }) => process(argv, on_error)),
  );
}

function process(argv: Argv, onError: OnError | undefined): Action {
  return holdAction({
    kind: "process",
    lasts: "running",
    whiles: ["guest", "network", "port"],
    looksAtDocument: argv.some(looksAtDocument),
    programs: [plainProgram(argv)],
    onError,
    findProblems: (rule, hookPoints) => {
      const due = hookPoints.filter(({ facts }) => isAcquiredAt(facts, "running", rule));
      return [...onErrorProblems(onError, due), ...argvProblems(argv, { key: "argv", rule, hookPoints: due })];
    },
    parts: (rule, call) => parts(argv, rule, call),
  });
}

/** Where it is only checked, fillings stay as the rule writes them: they may get their value later. */
function parts(argv: Argv, rule: RuleContext, call: HookCall): DemandSpecs {
  const own = isAcquiredAt(call.facts, "running", rule) ? substituteArgv(argv, rule, call) : plainArgv(argv);
  if ("problem" in own) return own;
  const demand = { argv: own, filled: substitutedWords(argv), environment: programEnvironment(rule.name, call) };
  return [{ resource: "process", demand, text: `process ${own.map(quote).join(" ")}` }];
}
