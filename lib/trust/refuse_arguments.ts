/**
 * Files that the arguments of a program name. Any program may run them, so those that a rule writes must be root's alone; a
 * value of the call, such as a guest's disk, is a program only where it looks like one, or where the program runs its arguments.
 * @module
 */
import { type NamedPath, namedPaths, runsArguments, runsFolders } from "./interpreter.ts";
import type { ProgramWords } from "./program_words.ts";
import { type Paths, UnansweredError } from "../sys/paths.ts";
import type { FileFacts } from "../sys/sys.ts";
import { checkTrust, followPath, shellQuote, type Untrusted } from "./trust.ts";

/** Why an argument keeps a program from being run, and what to do about it. */
interface ArgumentRefusal {
  readonly reason: string;
  readonly advice: string;
}

interface ArgumentSys {
  readonly paths: Pick<Paths, "lstat" | "readLink" | "readStartOfOthers">;
}

/** How arguments are looked at. */
interface RefusalContext {
  /** Whether values of the call were looked at before, and count no more. */
  readonly again: boolean;
  /** Why a trusted script cannot be run: its interpreter. */
  readonly refuseScript: (path: string) => Promise<ArgumentRefusal | undefined>;
}

/** The kernel takes no longer path, and no longer name in one (`PATH_MAX`, `NAME_MAX`). */
const PATH_LENGTH_MAX = 4096;
const NAME_LENGTH_MAX = 255;
/** So many paths in one argument are looked at. */
const PATHS_MAX = 1_000;
const EXECUTABLE = 0o111;
const START_BYTES = 4;
const PROGRAM_START = /^(#!|\x7fELF)/;

/** Why the arguments keep a program from being run. */
export async function refuseArguments(
  { argv, filled }: ProgramWords,
  looking: RefusalContext,
  sys: ArgumentSys,
): Promise<ArgumentRefusal | undefined> {
  for (const [index, word] of argv.entries()) {
    if (index === 0) continue;
    const isRunner = runsArguments(argv.slice(0, index));
    const isFilled = filled.includes(index);
    if (isFilled && looking.again && !isRunner) continue;
    const paths = namedPaths(word).filter((named) => isPath(named) && (isRunner || !isFilled || named.kind !== "code"));
    if (paths.length > PATHS_MAX) {
      return { reason: `an argument names more than ${PATHS_MAX} paths`, advice: "give the program fewer at once" };
    }
    for (const named of paths) {
      const one = { named, isFilled, isRunner, isFolderRun: runsFolders(argv[0]) };
      const refusal = await refusePath(one, looking, sys);
      if (refusal !== undefined) return refusal;
    }
  }
  return undefined;
}

/** Whether the kernel takes it for a path at all. */
function isPath({ path }: NamedPath): boolean {
  return path.length < PATH_LENGTH_MAX && path.split("/").every((name) => name.length <= NAME_LENGTH_MAX);
}

interface CheckedArgument {
  readonly named: NamedPath;
  readonly isFilled: boolean;
  /** Whether the program, or a word before this one, is known to run what its arguments name. */
  readonly isRunner: boolean;
  readonly isFolderRun: boolean;
}

async function refusePath(
  argument: CheckedArgument,
  looking: RefusalContext,
  sys: ArgumentSys,
): Promise<ArgumentRefusal | undefined> {
  const { named: { path }, isFilled } = argument;
  try {
    const trust = await checkTrust(path, sys);
    if (trust.kind === "untrusted") return await refuseUntrusted(argument, trust, sys);
    const isProgram = trust.kind === "trusted" && trust.facts.kind === "file" && (trust.facts.mode & EXECUTABLE) !== 0;
    return isProgram && !isFilled ? await looking.refuseScript(trust.path) : undefined;
  } catch (error) {
    if (error instanceof UnansweredError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    return { reason: `cannot look at the argument ${path}: ${reason}`, advice: `see: ls -ld ${shellQuote(path)}` };
  }
}

async function refuseUntrusted(
  argument: CheckedArgument,
  trust: Untrusted,
  sys: ArgumentSys,
): Promise<ArgumentRefusal | undefined> {
  const { named: { path, kind }, isFilled, isRunner, isFolderRun } = argument;
  const facts = trust.end ?? await followPath(path, { isLast: false }, sys);
  const isFolder = kind === "folder" || isFolderRun;
  switch (facts?.kind) {
    case "file": {
      const mustBeTrusted = kind !== "code" && (isRunner || !isFilled);
      return mustBeTrusted || await looksLikeProgram(argument, facts, sys) ? refusal(argument, trust) : undefined;
    }
    case "directory":
    case undefined:
      if (isFolder && facts !== undefined) return refusal(argument, trust);
      // A program that is run in a folder of others may be one of theirs (env -C), and a script can appear in it at any
      // moment. A slash at the end says that the folder is data.
      return isRunner && kind !== "code" && !path.endsWith("/") ? folderRefusal(argument, trust) : undefined;
    default:
      return undefined;
  }
}

async function looksLikeProgram(
  { named: { path, kind } }: CheckedArgument,
  facts: FileFacts,
  { paths }: ArgumentSys,
): Promise<boolean> {
  if ((facts.mode & EXECUTABLE) !== 0) return true;
  return kind !== "code" && PROGRAM_START.test(await paths.readStartOfOthers(path, START_BYTES));
}

function folderRefusal(argument: CheckedArgument, trust: Untrusted): ArgumentRefusal {
  const { reason, advice } = refusal(argument, trust);
  if (trust.end === undefined) return { reason, advice };
  const data = `or, where the program only keeps data in it, write ${shellQuote(`${argument.named.path}/`)}`;
  return { reason, advice: `${trust.advice}; ${data}` };
}

function refusal(
  { named: { path }, isFilled, isRunner }: CheckedArgument,
  { reason, advice }: Untrusted,
): ArgumentRefusal {
  const what = `the argument ${shellQuote(path)} could be run, and is not trusted: ${reason}`;
  if (isFilled && isRunner) {
    return { reason: what, advice: `${advice}; or make the script executable and name it as the program` };
  }
  return { reason: what, advice: `${advice}; or, where it is data, let the program itself name it` };
}
