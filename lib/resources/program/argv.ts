/**
 * The programs of users in demands and values of resources.
 * @module
 */
import * as v from "valibot";
import type { ProgramWords } from "../../trust/program_words.ts";
import { quote } from "../../text/quote.ts";
import { type ProgramSys, refuseArgv } from "../../trust/refuse_program.ts";
import type { Refused } from "../resource.ts";

/** A program and its arguments. */
export type ProgramArgv = readonly [string, ...string[]];

/** Schema of a program and its arguments. */
export function argvSchema(): v.GenericSchema<unknown, ProgramArgv> {
  return v.tupleWithRest([v.string()], v.string());
}

/**
 * Schema of the indexes of those words that contain values from the call; empty in a ledger of a version that did not
 * record them.
 */
export function filledSchema(): v.GenericSchema<readonly number[] | undefined, readonly number[]> {
  return v.optional(v.array(v.number()), []);
}

/** Checks a program before it runs. Returns why it is refused, or `undefined`. */
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
