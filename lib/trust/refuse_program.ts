/**
 * Whether a program that a rule names may be run, and can be.
 * @module
 */
import { isShell, scriptsIn } from "../plan/interpreter.ts";
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
/** An ELF header, little-endian: version 1, and the type of a program (2) or of one that can lie anywhere (3). */
// deno-lint-ignore no-control-regex
const ELF_KIND = /^\x7fELF[\x01\x02]\x01\x01[^]{9}[\x02\x03]\x00[^]{2}\x01\x00\x00\x00/;

/** Looks at the program of an argv, its interpreter, and the programs and scripts that it is given to run. */
export function refuseArgv(argv: readonly [string, ...string[]], sys: ProgramSys): Refusal | undefined {
  const [program] = argv;
  const refusal = refuseProgram(program, sys);
  if (refusal !== undefined) return refusal;
  for (const path of scriptsIn(argv)) {
    // What is no file there is no script: a word, a folder to work in, a device.
    const kind = sys.lstat(path)?.kind;
    const script = kind === "file" || kind === "symlink" ? refuseScript(path, sys) : undefined;
    if (script !== undefined) return script;
  }
  return undefined;
}

function refuseScript(path: string, sys: ProgramSys): Refusal | undefined {
  const trust = checkTrust(path, sys);
  return trust.kind === "untrusted" ? refuseFile(path, trust) : undefined;
}

function refuseProgram(path: string, sys: ProgramSys): Refusal | undefined {
  const trust = checkTrust(path, sys);
  const refusal = refuseFile(path, trust);
  if (refusal !== undefined || trust.kind !== "trusted") return refusal;
  if ((trust.facts.mode & 0o111) === 0) {
    return { reason: `${trust.path} is not executable`, advice: `try: chmod 755 ${shellQuote(trust.path)}` };
  }
  if (isShell(trust.path) && !isShell(path)) {
    return { reason: `${path} is a shell by another name`, advice: `name it as what it is: ${trust.path}` };
  }
  return refuseStart(trust.path, sys);
}

/**
 * A file without `#!` that is no ELF program is refused by the kernel, and then run by a shell by the C library
 * (`execvp`): no shell is what we promise. An interpreter that is missing looks like a missing program there.
 */
function refuseStart(path: string, sys: ProgramSys): Refusal | undefined {
  const start = sys.readStart(path, START_BYTES);
  if (start.startsWith(ELF)) {
    return isRunnable(start)
      ? undefined
      : { reason: `${path} is broken, or of another machine`, advice: `see: file ${shellQuote(path)}` };
  }
  const [, interpreter] = /^#![ \t]*([^ \t\n]+)/.exec(start) ?? [];
  if (interpreter === undefined) {
    return {
      reason: `${path} is neither a program nor a script`,
      advice: 'a script begins with "#!" and its interpreter',
    };
  }
  const trust = checkTrust(interpreter, sys);
  if (trust.kind !== "missing") return undefined;
  const { reason, advice } = missing(trust.path);
  return { reason: `the interpreter of ${path}: ${reason}`, advice };
}

function missing(path: string): Refusal {
  return { reason: `there is no ${path}`, advice: `see: ls -l ${shellQuote(folderOf(path))}` };
}

/** What the kernel refuses, the C library would hand to a shell. */
function isRunnable(start: string): boolean {
  return ELF_KIND.test(start);
}

function refuseFile(path: string, trust: Trust): Refusal | undefined {
  switch (trust.kind) {
    case "missing":
      return missing(trust.path);
    case "untrusted":
      return { reason: `not trusted: ${trust.reason}`, advice: trust.advice };
    case "trusted":
      if (trust.facts.kind === "file") return undefined;
      return { reason: `${path} is not a regular file`, advice: `see: ls -ld ${shellQuote(path)}` };
    default:
      return trust satisfies never;
  }
}
