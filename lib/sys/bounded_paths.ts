/**
 * Looks at paths that end in time. On the host's own disks this process looks. On a file system that may wait for a server
 * (NFS, FUSE, …) a child looks, and is left behind when it does not answer: a system call that hangs cannot be interrupted
 * here, and libvirt waits until the hook's process is gone.
 * @module
 */
import { inByteOrder } from "./byte_order.ts";
import { type Mount, parseMounts, remoteMount } from "./mounts.ts";
import { type Paths, UnansweredError } from "./paths.ts";
import type { CommandResult, FileFacts, Sys } from "./sys.ts";
import { TOOL_ENVIRONMENT, TOOLS } from "./tools.ts";

/** What looking takes. */
export type LookingSys =
  & Pick<Sys, "lstat" | "readLink" | "readStart" | "readTextFile" | "readDirectory">
  & Pick<Sys, "readMounts" | "run" | "elapsedMs">;

/** A server that takes longer for one look counts as dead. */
const LOOK_MS_MAX = 5_000;
/** The rest of the call's time is for what depends on the answer. */
const LOOK_SHARE = 0.5;
const NAMES_BYTES_MAX = 1024 * 1024;

/** Asks a child about a path; `undefined` when there is no such path. */
type Ask = (argv: readonly [string, ...string[]], outputBytesMax: number) => Promise<CommandResult | undefined>;

/** Looks that end before `deadlineMs`, in milliseconds since the program started. */
export function boundedPaths(sys: LookingSys, deadlineMs: number): Paths {
  let mounts: readonly Mount[] | undefined;
  // A server that did not answer once is not waited for again.
  const silent = new Set<string>();

  async function look<T>(path: string, here: () => T, apart: (ask: Ask) => Promise<T>): Promise<T> {
    mounts ??= parseMounts(await sys.readMounts());
    const mount = remoteMount(path, mounts);
    return mount === undefined ? here() : await apart(asking(path, mount));
  }

  function asking(path: string, mount?: Mount): Ask {
    return async (argv, outputBytesMax) => {
      const timeoutMs = Math.min(LOOK_MS_MAX, (deadlineMs - sys.elapsedMs()) * LOOK_SHARE);
      if (timeoutMs <= 0 || (mount !== undefined && silent.has(mount.path))) throw new UnansweredError(path, mount);
      const command = { argv, environment: TOOL_ENVIRONMENT, stdin: undefined, timeoutMs, outputBytesMax };
      const result = await sys.run({ ...command, alone: true });
      if (result.end.kind === "exited" && result.end.code === 0) return result;
      if (result.end.kind === "exited" && isMissing(result.stderr)) return undefined;
      if (result.end.kind !== "timed-out") throw new Error(`Cannot look at ${path}: ${reasonIn(result)}`);
      if (mount !== undefined) silent.add(mount.path);
      throw new UnansweredError(path, mount);
    };
  }

  return {
    lstat: (path) => look(path, () => sys.lstat(path), (ask) => askFacts(path, ask)),
    readLink: (path) => look(path, () => sys.readLink(path), (ask) => askLink(path, ask)),
    readStart: (path, max) => look(path, () => sys.readStart(path, max), (ask) => askStart(path, max, ask)),
    readStartOfOthers: (path, max) => askStart(path, max, asking(path)),
    readTextFile: (path, max) => look(path, () => sys.readTextFile(path, max), (ask) => askText(path, max, ask)),
    readDirectory: (path) => look(path, () => sys.readDirectory(path), (ask) => askNames(path, ask)),
  };
}

function isMissing(stderr: string): boolean {
  return /: (No such file or directory|Not a directory)\n$/.test(stderr);
}

function reasonIn({ end, stderr }: CommandResult): string {
  if (end.kind === "not-started") return end.reason;
  return stderr.trim().split("\n").at(-1)?.replace(/^.*: /, "") || "the program that looks was ended";
}

const KINDS: Readonly<Record<string, FileFacts["kind"]>> = { f: "file", d: "directory", l: "symlink" };

async function askFacts(path: string, ask: Ask): Promise<FileFacts | undefined> {
  const result = await ask([TOOLS.find, path, "-maxdepth", "0", "-printf", "%y %U %G %m %s"], NAMES_BYTES_MAX);
  if (result === undefined) return undefined;
  const [kind = "", uid, gid, mode = "", size] = result.stdout.split(" ");
  return {
    kind: KINDS[kind] ?? "other",
    ...{ uid: Number(uid), gid: Number(gid), mode: Number.parseInt(mode, 8), sizeBytes: Number(size) },
  };
}

async function askLink(path: string, ask: Ask): Promise<string> {
  return present(path, await ask([TOOLS.find, path, "-maxdepth", "0", "-printf", "%l"], NAMES_BYTES_MAX)).stdout;
}

async function askStart(path: string, bytesMax: number, ask: Ask): Promise<string> {
  return present(path, await ask([TOOLS.head, "-c", String(bytesMax), "--", path], bytesMax)).stdout;
}

async function askText(path: string, bytesMax: number, ask: Ask): Promise<string> {
  const most = bytesMax + 1;
  const { stdout, stdoutIsUtf8 } = present(path, await ask([TOOLS.head, "-c", String(most), "--", path], most));
  if (!stdoutIsUtf8) throw new TypeError("It is not UTF-8 text");
  if (new TextEncoder().encode(stdout).length > bytesMax) throw new RangeError(`It is longer than ${bytesMax} bytes`);
  return stdout;
}

async function askNames(path: string, ask: Ask): Promise<readonly string[] | undefined> {
  // -H: the folder may be a link, as for this process.
  const argv = [TOOLS.find, "-H", path, "-mindepth", "1", "-maxdepth", "1", "-printf", "%f\\0"] as const;
  const names = (await ask(argv, NAMES_BYTES_MAX))?.stdout.split("\0").slice(0, -1);
  return names === undefined ? undefined : inByteOrder(names);
}

function present(path: string, result: CommandResult | undefined): CommandResult {
  if (result === undefined) throw new Error(`No such file or directory: ${path}`);
  return result;
}
