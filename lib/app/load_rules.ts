/**
 * The rules of this host: found, trusted and read.
 * @module
 */
import type { Issue } from "../rules/mistake.ts";
import { readRules, type RulesReading } from "../rules/read.ts";
import type { RulesFile } from "../rules/rule.ts";
import type { FileFacts, Sys } from "../sys/sys.ts";
import { checkTrust } from "../trust/trust.ts";

/** What loading needs of the world. */
export type RulesSys = Pick<Sys, "lstat" | "readLink" | "readDirectory" | "readTextFile">;

/** How rules are loaded. */
export interface LoadOptions {
  /** Whether files and folders must be root's alone: always when hooks obey them. */
  readonly trust: boolean;
  /** How many mistakes are told. */
  readonly most?: number;
}

/** Some thousand rules. What reads them has a small heap, and running guests depend on its not running out of it. */
const FILE_BYTES_MAX = 256 * 1024;
const TOTAL_LENGTH_MAX = 1024 * 1024;

/** Loads `rules.toml`, then `rules.d/*.toml` in byte order of their names. A folder without either has no rules. */
export async function loadRules(directory: string, sys: RulesSys, options: LoadOptions): Promise<RulesReading> {
  const issues: Issue[] = [];
  const files: RulesFile[] = [];
  for (const path of findRulesFiles(directory, sys, issues, options)) {
    const file = readRulesFile(path, directory, sys, options);
    if ("text" in file) files.push(file);
    else issues.push(file);
  }
  const total = files.reduce((sum, { text }) => sum + text.length, 0);
  if (total > TOTAL_LENGTH_MAX) {
    issues.push(wholeFile(directory, `rules of ${total} characters`, `${TOTAL_LENGTH_MAX} at most in all files`));
    return { kind: "broken", issues, count: issues.length };
  }
  const reading = await readRules(files, options.most);
  if (issues.length === 0) return reading;
  if (reading.kind === "rules") return { kind: "broken", issues, count: issues.length };
  return { kind: "broken", issues: [...issues, ...reading.issues], count: issues.length + reading.count };
}

function findRulesFiles(directory: string, sys: RulesSys, issues: Issue[], options: LoadOptions): readonly string[] {
  const main = `${directory}/rules.toml`;
  const dropIns = `${directory}/rules.d`;
  const paths = sys.lstat(main) === undefined ? [] : [main];
  if (sys.lstat(dropIns) === undefined) return paths;
  const problem = options.trust ? trustIssue(dropIns, directory, "directory", sys) : undefined;
  if (problem !== undefined) {
    issues.push(problem);
    return paths;
  }
  const names = (sys.readDirectory(dropIns) ?? []).filter((name) => name.endsWith(".toml") && !name.startsWith("."));
  return [...paths, ...names.map((name) => `${dropIns}/${name}`)];
}

/** Reads one file, or says why it is not read. */
export function readRulesFile(
  path: string,
  directory: string,
  sys: RulesSys,
  options: LoadOptions,
): RulesFile | Issue {
  try {
    const problem = options.trust ? trustIssue(path, directory, "file", sys) : kindIssue(path, "file", sys);
    if (problem !== undefined) return problem;
    return { path, text: sys.readTextFile(path, FILE_BYTES_MAX) };
  } catch (error) {
    if (isDenied(error)) return wholeFile(path, "a file that virt-hooks may not open", "a text file");
    const reason = error instanceof Error ? error.message : String(error);
    return wholeFile(path, `a file that cannot be read (${reason})`, "a text file");
  }
}

/** Refused by the system, or by the runtime, whose advice is for whoever compiled the program. */
function isDenied(error: unknown): boolean {
  return error instanceof Error && (error.name === "NotCapable" || error.name === "PermissionDenied");
}

/** Without trust, what is opened must still not be a FIFO, which would hang the program. */
function kindIssue(path: string, kind: "file" | "directory", sys: RulesSys): Issue | undefined {
  const facts = sys.lstat(path);
  if (facts === undefined) return wholeFile(path, "nothing there", KINDS[kind]);
  return facts.kind === kind || facts.kind === "symlink" ? undefined : wrongKind(path, facts, kind);
}

function trustIssue(path: string, directory: string, kind: "file" | "directory", sys: RulesSys): Issue | undefined {
  const trust = checkTrust(path, sys);
  switch (trust.kind) {
    case "missing":
      return wholeFile(path, `a link to ${trust.path}, which is not there`, KINDS[kind]);
    case "untrusted":
      return wholeFile(path, trust.reason, "rules that only root can write", trust.advice);
    case "trusted": {
      if (trust.facts.kind !== kind) return wrongKind(path, trust.facts, kind);
      // Without a link on the way it is where its name says.
      if (trust.path === path) return undefined;
      const home = checkTrust(directory, sys);
      if (home.kind === "trusted" && trust.path.startsWith(`${home.path}/`)) return undefined;
      return wholeFile(path, `a link out of ${directory}, to ${trust.path}`, `${KINDS[kind]} inside ${directory}`);
    }
    default:
      return trust satisfies never;
  }
}

const KINDS = {
  file: "a file",
  directory: "a folder",
  symlink: "a link",
  other: "a FIFO, socket or device",
} as const satisfies Record<FileFacts["kind"], string>;

function wrongKind(path: string, facts: FileFacts, wanted: "file" | "directory"): Issue {
  return wholeFile(path, KINDS[facts.kind], KINDS[wanted]);
}

function wholeFile(file: string, found: string, expected: string, hint?: string): Issue {
  return { file, line: undefined, column: undefined, path: "", found, expected, hint };
}
