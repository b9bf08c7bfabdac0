/**
 * Whether what root is about to obey could have been written by anybody else.
 * @module
 */
import type { Paths } from "../sys/paths.ts";
import type { FileFacts } from "../sys/sys.ts";

/** What a trust check needs of the world. */
export interface TrustSys {
  readonly paths: Pick<Paths, "lstat" | "readLink">;
}

/** The result of following a path from `/` to its end. */
export type Trust =
  | { readonly kind: "trusted"; readonly path: string; readonly facts: FileFacts }
  | { readonly kind: "missing"; readonly path: string }
  | Untrusted;

/** A path that others than root can change, or can change what it leads to. */
export interface Untrusted {
  readonly kind: "untrusted";
  readonly reason: string;
  readonly advice: string;
  /** What is at the end, if only that is not root's: only root can replace it. */
  readonly end?: FileFacts;
}

const LINKS_MAX = 40;
const ROOT_UID = 0;
const OTHERS_MAY_WRITE = 0o022;
/** On a folder that all users may write, such as /tmp. */
const STICKY = 0o1000;

/**
 * Follows a path step by step. Every folder, link and file on the way must be root's, and writable by no other user: then
 * only root can change what the path leads to. The returned path has no links.
 * @throws {UnansweredError} when a file system on the way does not answer
 */
export async function checkTrust(path: string, sys: TrustSys): Promise<Trust> {
  return await walk(path, { judge: distrust }, sys);
}

/** Follows a path without checking its owners; `isLast` stops before a link at its end. */
export async function followPath(
  path: string,
  { isLast }: { readonly isLast: boolean },
  sys: TrustSys,
): Promise<FileFacts | undefined> {
  const end = await walk(path, { judge: () => undefined, isLast }, sys);
  return end.kind === "trusted" ? end.facts : undefined;
}

interface ResolvedPath {
  /** Why a path may not be followed further. */
  readonly judge: (path: string, facts: FileFacts) => Untrusted | undefined;
  readonly isLast?: boolean;
}

async function walk(path: string, { judge, isLast = false }: ResolvedPath, { paths }: TrustSys): Promise<Trust> {
  let [done, rest] = ["/", segments(path)];
  let links = 0;
  const root = await paths.lstat("/");
  const top = root === undefined ? undefined : judge("/", root);
  if (top !== undefined) return top;
  while (true) {
    const [segment, ...following] = rest;
    if (segment === undefined) break;
    if (segment === "..") {
      [done, rest] = [folderOf(done), following];
      continue;
    }
    const here = done === "/" ? `/${segment}` : `${done}/${segment}`;
    const facts = await paths.lstat(here);
    if (facts === undefined) return { kind: "missing", path: here };
    const problem = judge(here, facts);
    if (problem !== undefined) {
      return following.length === 0 && facts.kind !== "symlink" ? { ...problem, end: facts } : problem;
    }
    if (facts.kind !== "symlink" || (isLast && following.length === 0)) {
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
    const target = await paths.readLink(here);
    rest = [...segments(target), ...following];
    if (target.startsWith("/")) done = "/";
  }
  const facts = await paths.lstat(done);
  return facts === undefined ? { kind: "missing", path: done } : { kind: "trusted", path: done, facts };
}

function distrust(path: string, facts: FileFacts): Untrusted | undefined {
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

/** The folder of a path. */
export function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/")) || "/";
}

/** A path as one word of a shell command that a person will paste. */
export function shellQuote(path: string): string {
  return /^[\w@%+=:,./-]+$/.test(path) ? path : `'${path.replaceAll("'", `'\\''`)}'`;
}
