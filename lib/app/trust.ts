/**
 * Whether what root is about to obey could have been written by anybody else.
 * @module
 */
import { scriptOf } from "../actions/interpreter.ts";
import type { FileFacts, Sys } from "../sys/sys.ts";

/** What a trust check needs of the world. */
export type TrustSys = Pick<Sys, "lstat" | "readLink">;

/** What came of following a path from `/` to its end. */
export type Trust =
  | { readonly kind: "trusted"; readonly path: string; readonly facts: FileFacts }
  | { readonly kind: "missing"; readonly path: string }
  | { readonly kind: "untrusted"; readonly reason: string; readonly repair: string };

const LINKS_MAX = 40;
const ROOT_UID = 0;
const OTHERS_MAY_WRITE = 0o022;

/**
 * Follows a path step by step. Every folder, link and file on the way must be root's, and writable by nobody else: then
 * nobody else can change what the path leads to. The path that comes back has no links left.
 */
export function checkTrust(path: string, sys: TrustSys): Trust {
  let [done, rest] = ["/", segments(path)];
  let links = 0;
  const top = distrust("/", sys.lstat("/"));
  if (top !== undefined) return top;
  while (true) {
    const [segment, ...following] = rest;
    if (segment === undefined) break;
    if (segment === "..") {
      [done, rest] = [parent(done), following];
      continue;
    }
    const here = done === "/" ? `/${segment}` : `${done}/${segment}`;
    const facts = sys.lstat(here);
    if (facts === undefined) return { kind: "missing", path: here };
    const problem = distrust(here, facts);
    if (problem !== undefined) return problem;
    if (facts.kind !== "symlink") {
      [done, rest] = [here, following];
      continue;
    }
    if (++links > LINKS_MAX) {
      return { kind: "untrusted", reason: `${path} leads through too many links`, repair: `ls -l ${shellQuote(here)}` };
    }
    const target = sys.readLink(here);
    rest = [...segments(target), ...following];
    if (target.startsWith("/")) done = "/";
  }
  const facts = sys.lstat(done);
  return facts === undefined ? { kind: "missing", path: done } : { kind: "trusted", path: done, facts };
}

function distrust(path: string, facts: FileFacts | undefined): Trust | undefined {
  if (facts === undefined) return { kind: "missing", path };
  if (facts.uid !== ROOT_UID) {
    const reason = `${path} belongs to user ${facts.uid}, not to root`;
    return {
      kind: "untrusted",
      reason,
      repair: `chown ${facts.kind === "symlink" ? "-h " : ""}root:root ${shellQuote(path)}`,
    };
  }
  if (facts.kind !== "symlink" && (facts.mode & OTHERS_MAY_WRITE) !== 0) {
    const reason = `${path} can be written by others than root (mode ${facts.mode.toString(8).padStart(4, "0")})`;
    return { kind: "untrusted", reason, repair: `chmod go-w ${shellQuote(path)}` };
  }
  return undefined;
}

function segments(path: string): readonly string[] {
  return path.split("/").filter((segment) => segment !== "" && segment !== ".");
}

function parent(path: string): string {
  return path.slice(0, path.lastIndexOf("/")) || "/";
}

/** A path as one word of a shell command that a person will paste. */
function shellQuote(path: string): string {
  return /^[\w@%+=:,./-]+$/.test(path) ? path : `'${path.replaceAll("'", `'\\''`)}'`;
}

/** Why a file may not be run by root, with the command that repairs it. */
export interface Refusal {
  readonly reason: string;
  readonly repair: string;
}

/** Checks the program of an argv, and the script where the program is an interpreter; `undefined` when it may be run. */
export function refuseArgv(argv: readonly [string, ...string[]], sys: TrustSys): Refusal | undefined {
  const script = scriptOf(argv);
  return refuseProgram(argv[0], "execute", sys) ??
    (script === undefined ? undefined : refuseProgram(script, "read", sys));
}

function refuseProgram(path: string, needs: "execute" | "read", sys: TrustSys): Refusal | undefined {
  const trust = checkTrust(path, sys);
  switch (trust.kind) {
    case "missing":
      return { reason: `there is no ${trust.path}`, repair: `ls -l ${shellQuote(parent(trust.path))}` };
    case "untrusted":
      return { reason: `not trusted: ${trust.reason}`, repair: trust.repair };
    case "trusted": {
      const { path: real, facts } = trust;
      if (facts.kind !== "file") {
        return { reason: `${real} is not a regular file`, repair: `ls -ld ${shellQuote(real)}` };
      }
      if (needs === "execute" && (facts.mode & 0o111) === 0) {
        return { reason: `${real} is not executable`, repair: `chmod 755 ${shellQuote(real)}` };
      }
      return undefined;
    }
    default:
      return trust satisfies never;
  }
}
