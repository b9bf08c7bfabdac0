/**
 * A host in memory: files with owners and modes, programs that are functions, a clock that a test moves. It does not
 * react like a kernel; tests against the real one do that.
 * @module
 */
import { boundedPaths } from "./bounded_paths.ts";
import type { Opener } from "./kernel.ts";
import { memoryKernel, type Reactions } from "./memory_kernel.ts";
import { memoryProcesses } from "./memory_processes.ts";
import type { Command, CommandEnd, CommandResult, FileFacts, Input, Launch, Sys } from "./sys.ts";

/** A file, folder or link of the host in memory. */
export interface MemoryNode {
  readonly kind: FileFacts["kind"];
  readonly text: string;
  readonly uid: number;
  readonly mode: number;
}

/** A program of the host in memory: what it does with a command. */
export type MemoryProgram = (command: Command) => Partial<Omit<CommandResult, "end">> & { readonly end?: CommandEnd };

/** What the host is when a test begins. */
export interface MemoryHost {
  readonly args?: readonly string[];
  readonly uid?: number;
  readonly hostname?: string;
  readonly stdin?: Input;
  /** Files by path; a text alone is root's file of mode 0644. Missing parents are root's folders of mode 0755. */
  readonly files?: Readonly<Record<string, string | Partial<MemoryNode>>>;
  readonly programs?: Readonly<Record<string, MemoryProgram>>;
  /** How launched programs end at once, by their path; others go on. */
  readonly dying?: Readonly<Record<string, CommandEnd>>;
  /** Paths whose writing fails, with what the system says. */
  readonly failing?: Readonly<Record<string, string>>;
  /** How the kernel's files react to writes, by path. */
  readonly reactions?: Reactions;
  /** What programs have open; a test may move it. */
  readonly openers?: readonly Opener[];
  /** Lock files that another process holds. */
  readonly locked?: ReadonlySet<string>;
  /** Lock files that are held on a host that outlives a program; taking and releasing a lock changes it. */
  readonly locks?: Set<string>;
  /** The files of a host that goes on living between programs; `files` then counts for nothing. */
  readonly nodes?: Map<string, MemoryNode>;
  readonly pid?: number;
}

/** A `Sys` whose effects can be looked at. */
export interface MemorySys extends Sys {
  readonly nodes: Map<string, MemoryNode>;
  /** Every program that was run, in order. */
  readonly commands: Command[];
  readonly written: { stdout: string; stderr: string };
  /** Milliseconds since the program started; a test, a program or a sleep moves it. */
  readonly clock: { elapsedMs: number };
  /** The process that called this one; a test moves it. */
  readonly parent: { pid: number };
  /** Process groups that were killed, or asked to end. */
  readonly killed: number[];
  /** Every program that was started to live on, in order. */
  readonly launches: Launch[];
  /** Passes an uncaught error to the handler. */
  crash(error: unknown): number;
}

/** The time at which every program in memory starts. */
const STARTED_MS = Date.UTC(2026, 0, 2, 3, 4, 5);

/** Makes a host in memory. */
export function memorySys(host: MemoryHost = {}): MemorySys {
  const nodes = host.nodes ?? makeNodes(host.files ?? {});
  const commands: Command[] = [];
  const written = { stdout: "", stderr: "" };
  const clock = { elapsedMs: 1 };
  const parent = { pid: 1000 };
  const held = host.locks ?? new Set<string>(host.locked ?? []);
  let onUncaught: (error: unknown) => number = () => 1;
  const files = memoryFiles(nodes, host.failing ?? {});
  const sys: Omit<MemorySys, "paths"> = {
    ...files,
    nodes,
    commands,
    written,
    clock,
    parent,
    ...memoryProcesses(nodes, host.dying ?? {}),
    kernel: memoryKernel(nodes, host.reactions ?? {}, host.openers ?? []),
    program: () => "/etc/libvirt/hooks/qemu",
    ppid: () => parent.pid,
    lock: (path) => memoryLock(path, held, nodes),
    removeFile: (path) => {
      files.removeFile(path);
      held.delete(path);
    },
    sleep: (durationMs) => {
      clock.elapsedMs += durationMs;
      return Promise.resolve();
    },
    args: host.args ?? [],
    pid: host.pid ?? 4242,
    uid: () => host.uid ?? 0,
    hostname: () => host.hostname ?? "hv-01",
    now: () => new Date(STARTED_MS + clock.elapsedMs),
    elapsedMs: () => clock.elapsedMs,
    readStdin: () => host.stdin ?? { kind: "whole", bytes: new Uint8Array() },
    writeStdout: (text) => {
      written.stdout += text;
    },
    writeStderr: (text) => {
      written.stderr += text;
    },
    run: (command) => {
      commands.push(command);
      command.onStart?.(5000 + commands.length);
      return Promise.resolve(runInMemory(command, host.programs ?? {}));
    },
    onUncaught: (handle) => {
      onUncaught = handle;
    },
    crash: (error) => onUncaught(error),
  };
  return { ...sys, paths: boundedPaths(sys, Infinity) };
}

/**
 * A lock of the host in memory; one that is taken stays so until it is disposed of, or its file is removed: then the next one
 * locks another file.
 */
function memoryLock(path: string, held: Set<string>, nodes: Map<string, MemoryNode>): Disposable | undefined {
  if (held.has(path)) return undefined;
  if (!nodes.has(path.slice(0, path.lastIndexOf("/")))) {
    throw new Error(`No such file or directory (os error 2): "${path}"`);
  }
  const file = nodes.get(path) ?? { kind: "file", text: "", uid: 0, mode: 0o600 };
  nodes.set(path, file);
  held.add(path);
  let isOurs = true;
  return {
    [Symbol.dispose]: () => {
      if (isOurs && nodes.get(path) === file) held.delete(path);
      isOurs = false;
    },
  };
}

function runInMemory(command: Command, programs: Readonly<Record<string, MemoryProgram>>): CommandResult {
  const program = programs[command.argv[0]];
  const silent = { stdout: "", stdoutIsUtf8: true, stderr: "", durationMs: 1 };
  if (program === undefined) {
    return { ...silent, end: { kind: "not-started", reason: "No such file or directory" } };
  }
  return { ...silent, end: { kind: "exited", code: 0 }, ...program(command) };
}

function makeNodes(files: NonNullable<MemoryHost["files"]>): Map<string, MemoryNode> {
  const nodes = new Map<string, MemoryNode>();
  const folder: MemoryNode = { kind: "directory", text: "", uid: 0, mode: 0o755 };
  nodes.set("/", folder);
  for (const [path, given] of Object.entries(files)) {
    for (let at = path.indexOf("/", 1); at !== -1; at = path.indexOf("/", at + 1)) {
      const parent = path.slice(0, at);
      if (!nodes.has(parent)) nodes.set(parent, folder);
    }
    const file: MemoryNode = { kind: "file", text: "", uid: 0, mode: 0o644 };
    nodes.set(path, typeof given === "string" ? { ...file, text: given } : { ...file, ...given });
  }
  return nodes;
}

type Files = Pick<
  Sys,
  | "lstat"
  | "readLink"
  | "readDirectory"
  | "readTextFile"
  | "readStart"
  | "readMounts"
  | "appendLine"
  | "createFile"
  | "makeDirectory"
  | "rename"
  | "removeFile"
  | "tryWithLock"
>;

function memoryFiles(nodes: Map<string, MemoryNode>, failing: Readonly<Record<string, string>>): Files {
  function node(path: string): MemoryNode {
    const found = nodes.get(path);
    if (found === undefined) throw new Error(`No such file or directory (os error 2): "${path}"`);
    return found;
  }
  function write(path: string, made: MemoryNode): void {
    const problem = failing[path];
    if (problem !== undefined) throw new Error(problem);
    node(path.slice(0, path.lastIndexOf("/")) || "/");
    nodes.set(path, made);
  }
  return {
    lstat: (path) => factsOf(nodes.get(path)),
    readLink: (path) => node(path).text,
    readDirectory: (path) => namesIn(nodes, path),
    readTextFile: (path) => node(path).text,
    readStart: (path, bytesMax) => node(path).text.slice(0, bytesMax),
    readMounts: () => Promise.resolve(nodes.get("/proc/self/mountinfo")?.text ?? ""),
    appendLine: (path, line) => {
      const before = nodes.get(path) ?? { kind: "file", text: "", uid: 0, mode: 0o600 };
      const begin = /[^\n]$/.test(before.text) ? "\n" : "";
      write(path, { ...before, text: `${before.text}${begin}${line}\n` });
    },
    createFile: (path, text, mode) => {
      if (nodes.has(path)) throw new Error(`File exists (os error 17): "${path}"`);
      write(path, { kind: "file", text, uid: 0, mode });
    },
    makeDirectory: (path, mode) => write(path, { kind: "directory", text: "", uid: 0, mode }),
    rename: (from, to) => {
      const moved = [...nodes].filter(([path]) => path.startsWith(`${from}/`));
      if (moved.length > 0 && hasInside(nodes, to)) throw new Error(`Directory not empty (os error 39): "${to}"`);
      write(to, node(from));
      nodes.delete(from);
      for (const [path, inside] of moved) {
        nodes.delete(path);
        nodes.set(to + path.slice(from.length), inside);
      }
    },
    removeFile: (path) => {
      node(path);
      if (hasInside(nodes, path)) throw new Error(`Directory not empty (os error 39): "${path}"`);
      nodes.delete(path);
    },
    tryWithLock: (_path, action) => action(),
  };
}

function hasInside(nodes: Map<string, MemoryNode>, folder: string): boolean {
  return nodes.keys().some((path) => path.startsWith(`${folder}/`));
}

function factsOf(node: MemoryNode | undefined): FileFacts | undefined {
  if (node === undefined) return undefined;
  return { kind: node.kind, uid: node.uid, gid: node.uid, mode: node.mode, sizeBytes: node.text.length };
}

function namesIn(nodes: Map<string, MemoryNode>, folder: string): readonly string[] | undefined {
  if (nodes.get(folder)?.kind !== "directory") return undefined;
  const inside = `${folder}/`;
  const names = [...nodes.keys()].filter((path) => path.startsWith(inside)).map((path) => path.slice(inside.length));
  return names.filter((name) => !name.includes("/")).sort();
}
