/**
 * Whether what root is about to obey could have been written by anybody else.
 * @module
 */
import type { FileFacts, Sys } from "../sys/sys.ts";

/** What a trust check needs of the world. */
export type TrustSys = Pick<Sys, "lstat" | "readLink">;

/** What came of following a path from `/` to its end. */
export type Trust =
  | { readonly kind: "trusted"; readonly path: string; readonly facts: FileFacts }
  | { readonly kind: "missing"; readonly path: string }
  | { readonly kind: "untrusted"; readonly reason: string; readonly advice: string };

const LINKS_MAX = 40;
const ROOT_UID = 0;
const OTHERS_MAY_WRITE = 0o022;
/** On a folder for everybody, such as /tmp: it is meant to be written by all. */
const STICKY = 0o1000;

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
      [done, rest] = [folderOf(done), following];
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
      return {
        kind: "untrusted",
        reason: `${path} leads through too many links`,
        advice: `see: ls -l ${shellQuote(here)}`,
      };
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
    const chown = facts.kind === "symlink" ? "chown -h" : "chown";
    const reason = `${path} belongs to user ${facts.uid}, not to root`;
    return { kind: "untrusted", reason, advice: `try: ${chown} root:root ${shellQuote(path)}` };
  }
  if (facts.kind === "symlink" || (facts.mode & OTHERS_MAY_WRITE) === 0) return undefined;
  const reason = `${path} can be written by others than root (mode ${facts.mode.toString(8).padStart(4, "0")})`;
  const advice = (facts.mode & STICKY) === 0
    ? `try: chmod go-w ${shellQuote(path)}`
    : "keep it in a folder that only root can write";
  return { kind: "untrusted", reason, advice };
}

function segments(path: string): readonly string[] {
  return path.split("/").filter((segment) => segment !== "" && segment !== ".");
}

/** The folder that a path stands in. */
export function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/")) || "/";
}

/** A path as one word of a shell command that a person will paste. */
export function shellQuote(path: string): string {
  return /^[\w@%+=:,./-]+$/.test(path) ? path : `'${path.replaceAll("'", `'\\''`)}'`;
}
