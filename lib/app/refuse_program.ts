/**
 * Whether a program that a rule names may be run, and can be.
 * @module
 */
import { scriptOf } from "../actions/interpreter.ts";
import type { Sys } from "../sys/sys.ts";
import { checkTrust, folderOf, shellQuote, type Trust } from "./trust.ts";

/** What looking at a program needs of the world. */
export type ProgramSys = Pick<Sys, "lstat" | "readLink" | "readStart">;

/** Why a program is not run, and what to do about it. */
export interface Refusal {
  readonly reason: string;
  readonly advice: string;
}

/** As much of a file's beginning as the kernel looks at. */
const START_BYTES = 256;
const ELF = "\x7fELF";

/** Looks at the program of an argv, its interpreter, and the script that an interpreter is given. */
export function refuseArgv(argv: readonly [string, ...string[]], sys: ProgramSys): Refusal | undefined {
  const script = scriptOf(argv);
  return refuseProgram(argv[0], sys) ??
    (script === undefined ? undefined : refuseFile(script, checkTrust(script, sys)));
}

function refuseProgram(path: string, sys: ProgramSys): Refusal | undefined {
  const trust = checkTrust(path, sys);
  const refusal = refuseFile(path, trust);
  if (refusal !== undefined || trust.kind !== "trusted") return refusal;
  if ((trust.facts.mode & 0o111) === 0) {
    return { reason: `${trust.path} is not executable`, advice: `try: chmod 755 ${shellQuote(trust.path)}` };
  }
  return refuseStart(trust.path, sys);
}

/**
 * A file without `#!` that is no ELF program is refused by the kernel, and then run by a shell by the C library
 * (`execvp`): no shell is what we promise. An interpreter that is missing looks like a missing program there.
 */
function refuseStart(path: string, sys: ProgramSys): Refusal | undefined {
  const start = sys.readStart(path, START_BYTES);
  if (start.startsWith(ELF)) return undefined;
  const [, interpreter] = /^#![ \t]*([^ \t\n]+)/.exec(start) ?? [];
  if (interpreter === undefined) {
    return {
      reason: `${path} is neither a program nor a script`,
      advice: 'a script begins with "#!" and its interpreter',
    };
  }
  const refusal = refuseFile(interpreter, checkTrust(interpreter, sys));
  return refusal === undefined ? undefined : { ...refusal, reason: `the interpreter of ${path}: ${refusal.reason}` };
}

function refuseFile(path: string, trust: Trust): Refusal | undefined {
  switch (trust.kind) {
    case "missing":
      return { reason: `there is no ${trust.path}`, advice: `see: ls -l ${shellQuote(folderOf(trust.path))}` };
    case "untrusted":
      return { reason: `not trusted: ${trust.reason}`, advice: trust.advice };
    case "trusted":
      if (trust.facts.kind === "file") return undefined;
      return { reason: `${path} is not a regular file`, advice: `see: ls -ld ${shellQuote(path)}` };
    default:
      return trust satisfies never;
  }
}
