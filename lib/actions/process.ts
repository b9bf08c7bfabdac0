/**
 * `process = { argv = […] }`: a program that runs during a lifetime.
 * @module
 */
import * as v from "valibot";
import type { HookCall } from "../libvirt/call.ts";
import type { OnError } from "../plan/intent.ts";
import { quote } from "../text/quote.ts";
import type { Action } from "./action.ts";
import type { RuleContext } from "../config/rule_context.ts";
import {
  argvProblems,
  argvSchema,
  type ArgvTemplate,
  literalArgv,
  literalProgram,
  programEnvironment,
  substituteArgv,
  substitutedWords,
} from "./argv.ts";
import { usesDocument } from "../config/placeholder.ts";
import { type DemandSpecs, holdAction, onErrorEntry } from "./hold.ts";
import { isAcquiredAt, onErrorProblems } from "./limits.ts";
import { tableSchema } from "../config/table_schema.ts";

/** Schema of `process`. */
export function processSchema(): v.GenericSchema<unknown, Action> {
  return v.pipe(
    tableSchema({ argv: argvSchema(), on_error: onErrorEntry() }, "a table with argv"),
    v.transform(({ argv, on_error }) => process(argv, on_error)),
  );
}

function process(argv: ArgvTemplate, onError: OnError | undefined): Action {
  return holdAction({
    kind: "process",
    lasts: "running",
    whiles: ["guest", "network", "port"],
    usesDocument: argv.some(usesDocument),
    programs: [literalProgram(argv)],
    onError,
    findProblems: (rule, hookPoints) => {
      const acquiringPoints = hookPoints.filter(({ facts }) => isAcquiredAt(facts, "running", rule));
      return [
        ...onErrorProblems(onError, acquiringPoints),
        ...argvProblems(argv, { key: "argv", rule, hookPoints: acquiringPoints }),
      ];
    },
    parts: (rule, call) => parts(argv, rule, call),
  });
}

/** Determines the demand. If the call only checks it, placeholders are kept: they may have no value yet. */
function parts(argv: ArgvTemplate, rule: RuleContext, call: HookCall): DemandSpecs {
  const words = isAcquiredAt(call.facts, "running", rule) ? substituteArgv(argv, rule, call) : literalArgv(argv);
  if ("problem" in words) return words;
  const demand = { argv: words, filled: substitutedWords(argv), environment: programEnvironment(rule.name, call) };
  return [{ resource: "process", demand, text: `process ${words.map(quote).join(" ")}` }];
}
