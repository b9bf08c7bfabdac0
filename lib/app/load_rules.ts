/**
 * The rules of this host: found, trusted and read.
 * @module
 */
import type { Issue } from "../rules/mistake.ts";
import { readRules, type RulesReading } from "../rules/read.ts";
import type { RulesFile } from "../rules/rule.ts";
import { UnansweredError } from "../sys/paths.ts";
import type { FileFacts, Sys } from "../sys/sys.ts";
import { checkTrust } from "../trust/trust.ts";

/** What loading needs of the world. */
export type RulesSys = Pick<Sys, "paths">;

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
  for (const path of await findRulesFiles(directory, sys, issues, options)) {
    const file = await readRulesFile(path, directory, sys, options);
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

async function findRulesFiles(
  directory: string,
  sys: RulesSys,
  issues: Issue[],
  options: LoadOptions,
): Promise<readonly string[]> {
  try {
    const folder = options.trust ? await trustedFolder(directory, sys) : directory;
    if (folder === undefined) return [];
    if (typeof folder === "object") {
      issues.push(folder);
      return [];
    }
    const main = await sys.paths.lstat(`${folder}/rules.toml`) === undefined ? [] : [`${directory}/rules.toml`];
    if (await sys.paths.lstat(`${folder}/rules.d`) === undefined) return main;
    const dropIns = options.trust
      ? await trustedPath(`${directory}/rules.d`, directory, "directory", sys)
      : `${folder}/rules.d`;
    if (typeof dropIns === "object") {
      issues.push(dropIns);
      return main;
    }
    const names = (await sys.paths.readDirectory(dropIns) ?? [])
      .filter((name) => name.endsWith(".toml") && !name.startsWith("."));
    return [...main, ...names.map((name) => `${directory}/rules.d/${name}`)];
  } catch (error) {
    if (!(error instanceof UnansweredError)) throw error;
    issues.push(wholeFile(directory, error.message, "a folder that can be read", "see: findmnt"));
    return [];
  }
}

/** Others who can write the folder itself could take rules away. */
async function trustedFolder(directory: string, sys: RulesSys): Promise<string | Issue | undefined> {
  const trust = await checkTrust(directory, sys);
  switch (trust.kind) {
    case "missing":
      return undefined;
    case "untrusted":
      return wholeFile(directory, trust.reason, "a folder that only root can write", trust.advice);
    case "trusted":
      return trust.path;
    default:
      return trust satisfies never;
  }
}

/** Reads one file, or says why it is not read. */
export async function readRulesFile(
  path: string,
  directory: string,
  sys: RulesSys,
  options: LoadOptions,
): Promise<RulesFile | Issue> {
  try {
    const found = options.trust
      ? await trustedPath(path, directory, "file", sys)
      : await readablePath(path, "file", sys);
    return typeof found === "object" ? found : { path, text: await sys.paths.readTextFile(found, FILE_BYTES_MAX) };
  } catch (error) {
    if (isDenied(error)) return wholeFile(path, "a file that virt-hooks may not open", "a text file");
    const reason = error instanceof Error ? error.message : String(error);
    return wholeFile(path, `a file that cannot be read (${reason})`, "a text file");
  }
}

/** Refused by the system, or by the runtime, whose advice concerns how the program was compiled. */
function isDenied(error: unknown): boolean {
  return error instanceof Error && (error.name === "NotCapable" || error.name === "PermissionDenied");
}

/** Without trust, what is opened must still not be a FIFO, which would hang the program. */
async function readablePath(path: string, kind: "file" | "directory", sys: RulesSys): Promise<string | Issue> {
  const facts = await sys.paths.lstat(path);
  if (facts === undefined) return wholeFile(path, "nothing there", KINDS[kind]);
  return facts.kind === kind || facts.kind === "symlink" ? path : wrongKind(path, facts, kind);
}

/** Where a path of the rules leads, without links, or why it is not read. */
async function trustedPath(
  path: string,
  directory: string,
  kind: "file" | "directory",
  sys: RulesSys,
): Promise<string | Issue> {
  const trust = await checkTrust(path, sys);
  switch (trust.kind) {
    case "missing":
      return wholeFile(path, `a link to ${trust.path}, which is not there`, KINDS[kind]);
    case "untrusted":
      return wholeFile(path, trust.reason, "rules that only root can write", trust.advice);
    case "trusted": {
      if (trust.facts.kind !== kind) return wrongKind(path, trust.facts, kind);
      // Without a link on the way it is where its name says.
      if (trust.path === path) return path;
      const home = await checkTrust(directory, sys);
      if (home.kind === "trusted" && trust.path.startsWith(`${home.path}/`)) return trust.path;
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
