/**
 * Whether a program that a rule names may be run, and can be.
 * @module
 */
import { isShell, takesInlineCode } from "./interpreter.ts";
import type { ProgramWords } from "./program_words.ts";
import { type Paths, UnansweredError } from "../sys/paths.ts";
import { refuseArguments } from "./refuse_arguments.ts";
import { checkTrust, folderOf, shellQuote, type Trust } from "./trust.ts";

/** What looking at a program needs of the world. */
export interface ProgramSys {
  readonly paths: Pick<Paths, "lstat" | "readLink" | "readStart" | "readStartOfOthers">;
}

/** Why a program is not run, and what to do about it. */
export interface Refusal {
  readonly reason: string;
  readonly advice: string;
}

/** As much of a file's beginning as the kernel looks at. */
const START_BYTES = 256;
/** So many scripts can have each other for interpreters (`BINPRM_MAX_RECURSION` of Linux allows five programs in a row). */
const INTERPRETERS_MAX = 5;
const ELF = "\x7fELF";
/** An ELF header, little-endian: version 1, and the type of a program (2) or of one that can lie anywhere (3). */
// deno-lint-ignore no-control-regex
const ELF_KIND = /^\x7fELF[\x01\x02]\x01\x01[^]{9}[\x02\x03]\x00[^]{2}\x01\x00\x00\x00/;

/**
 * Looks at the program of an argv, its interpreter, and every file that their arguments name. `again`: the program undoes
 * what it was allowed to do, so that a value in its arguments must not keep it from being run.
 */
export async function refuseArgv(
  program: ProgramWords,
  sys: ProgramSys,
  { again = false }: { readonly again?: boolean } = {},
): Promise<Refusal | undefined> {
  try {
    return await refuseProgram(program.argv[0], 0, sys) ?? (again ? undefined : await refuseOtherName(program, sys)) ??
      await refuseArguments(program, { again, refuseScript: (path) => refuseScript(path, 0, sys) }, sys);
  } catch (error) {
    if (!(error instanceof UnansweredError)) throw error;
    return { reason: error.message, advice: "see: findmnt" };
  }
}

/** Programs that are one file, and act by the name that they are run by. */
const MULTI_CALL = /\/(busybox|coreutils|toybox)$/;

/** A link hides that the program runs its arguments; the rules are read by the name that they give. */
async function refuseOtherName(
  { argv: [path, ...args], filled }: ProgramWords,
  sys: ProgramSys,
): Promise<Refusal | undefined> {
  const trust = await checkTrust(path, sys);
  if (trust.kind !== "trusted" || trust.path === path || MULTI_CALL.test(trust.path)) return undefined;
  if (filled.length === 0 || !takesInlineCode({ argv: [trust.path, ...args], filled })) return undefined;
  return {
    reason: `${path} is ${trust.path}, which may run the values of the call that its arguments have`,
    advice: `leave placeholders out of its arguments: the program finds the values in its VIRT_HOOKS_ environment`,
  };
}

async function refuseProgram(path: string, depth: number, sys: ProgramSys): Promise<Refusal | undefined> {
  const trust = await checkTrust(path, sys);
  const refusal = refuseFile(path, trust);
  if (refusal !== undefined || trust.kind !== "trusted") return refusal;
  if ((trust.facts.mode & 0o111) === 0) {
    return { reason: `${trust.path} is not executable`, advice: `try: chmod 755 ${shellQuote(trust.path)}` };
  }
  if (isShell(trust.path) && !isShell(path)) {
    return { reason: `${path} is a shell by another name`, advice: `name it as what it is: ${trust.path}` };
  }
  return await refuseStart(trust.path, depth, sys);
}

/**
 * A file without `#!` that is no ELF program is refused by the kernel, and then run by a shell by the C library
 * (`execvp`): no shell is what we promise. An interpreter that is missing looks like a missing program there.
 */
async function refuseStart(path: string, depth: number, sys: ProgramSys): Promise<Refusal | undefined> {
  const start = await sys.paths.readStart(path, START_BYTES);
  if (start.startsWith(ELF)) {
    return isRunnable(start)
      ? undefined
      : { reason: `${path} is broken, or of another machine`, advice: `see: file ${shellQuote(path)}` };
  }
  const interpreter = interpreterIn(start);
  if (interpreter !== undefined) return await refuseInterpreter(path, { argv: interpreter, depth }, sys);
  return {
    reason: `${path} is neither a program nor a script`,
    advice: 'a script begins with "#!" and its interpreter',
  };
}

/** A file that an argument names need not be a program; where it is a script, its interpreter counts if it is there. */
async function refuseScript(path: string, depth: number, sys: ProgramSys): Promise<Refusal | undefined> {
  const interpreter = interpreterIn(await sys.paths.readStart(path, START_BYTES));
  if (interpreter === undefined || (await checkTrust(interpreter[0], sys)).kind === "missing") return undefined;
  return await refuseInterpreter(path, { argv: interpreter, depth }, sys);
}

/** The words of a `#!` line. A program that is named without a slash at its beginning is in the root folder, where programs start. */
function interpreterIn(start: string): readonly [string, ...string[]] | undefined {
  const [, line] = /^#!([^\n]*)/.exec(start) ?? [];
  const [program, ...words] = line === undefined ? [] : decoded(line).split(/[ \t]+/).filter((word) => word !== "");
  if (program === undefined) return undefined;
  return [program.startsWith("/") ? program : `/${program}`, ...words];
}

/** Bytes as the characters they stand for. */
function decoded(bytes: string): string {
  return new TextDecoder().decode(Uint8Array.from(bytes, (character) => character.codePointAt(0) ?? 0));
}

/** The kernel hands over what is behind an interpreter as one word; `env -S` and others take it apart. */
async function refuseInterpreter(
  script: string,
  { argv, depth }: { readonly argv: readonly [string, ...string[]]; readonly depth: number },
  sys: ProgramSys,
): Promise<Refusal | undefined> {
  if (depth + 1 >= INTERPRETERS_MAX) {
    return { reason: `the interpreters of ${script} are too many`, advice: 'name the last of them behind "#!"' };
  }
  const looking = { again: false, refuseScript: (path: string) => refuseScript(path, depth + 1, sys) };
  const refusal = await refuseProgram(argv[0], depth + 1, sys) ??
    await refuseArguments({ argv, filled: [] }, looking, sys);
  return refusal === undefined
    ? undefined
    : { reason: `the interpreter of ${script}: ${refusal.reason}`, advice: refusal.advice };
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
