/**
 * Programs of users, as resources hold them.
 * @module
 */
import * as v from "valibot";
import type { ProgramWords } from "../../trust/program_words.ts";
import { quote } from "../../text/quote.ts";
import { type ProgramSys, refuseArgv } from "../../trust/refuse_program.ts";
import type { Refused } from "../resource.ts";

/** A program with its arguments. */
export type Argv = readonly [string, ...string[]];

/** A program with its arguments, as a schema. */
export function argvSchema(): v.GenericSchema<unknown, Argv> {
  return v.tupleWithRest([v.string()], v.string());
}

/** Which words of an argv have a value of the call in them, as a schema; none in a ledger of a version that did not note it. */
export function filledSchema(): v.GenericSchema<readonly number[] | undefined, readonly number[]> {
  return v.optional(v.array(v.number()), []);
}

/** Why a program is not run. */
export async function refusedArgv(
  program: ProgramWords,
  sys: ProgramSys,
  options?: { readonly again: boolean },
): Promise<Refused | undefined> {
  const refusal = await refuseArgv(program, sys, options);
  return refusal === undefined
    ? undefined
    : { kind: "refused", reason: `cannot run ${quote(program.argv[0])}: ${refusal.reason}`, hint: refusal.advice };
}
