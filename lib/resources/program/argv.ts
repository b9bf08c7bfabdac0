/**
 * Programs of users, as resources hold them.
 * @module
 */
import * as v from "valibot";
import { quote } from "../../plan/render.ts";
import { type ProgramSys, refuseArgv } from "../../trust/refuse_program.ts";
import type { Refused } from "../resource.ts";

/** A program with its arguments. */
export type Argv = readonly [string, ...string[]];

/** A program with its arguments, as a schema. */
export function argvSchema(): v.GenericSchema<unknown, Argv> {
  return v.tupleWithRest([v.string()], v.string());
}

/** Why a program is not run. */
export function refusedArgv(argv: Argv, sys: ProgramSys): Refused | undefined {
  const refusal = refuseArgv(argv, sys);
  return refusal === undefined
    ? undefined
    : { kind: "refused", reason: `cannot run ${quote(argv[0])}: ${refusal.reason}`, hint: refusal.advice };
}
