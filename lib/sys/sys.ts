/**
 * The world as our code sees it: everything outside the program comes and goes through one `Sys`, handed in as a
 * parameter. `deno_sys.ts` is the real one, `memory_sys.ts` a host in memory.
 * @module
 */

import type { Kernel } from "./kernel.ts";
import type { Paths } from "./paths.ts";

/** What `lstat` says of a path. */
export interface FileFacts {
  readonly kind: "file" | "directory" | "symlink" | "other";
  readonly uid: number;
  readonly gid: number;
  /** Permission bits, without the file type. */
  readonly mode: number;
  readonly sizeBytes: number;
}

/** A program to run with an environment of its own and nothing inherited. */
export interface Command {
  /** Absolute path, then its arguments. */
  readonly argv: readonly [string, ...string[]];
  readonly environment: Readonly<Record<string, string>>;
  /** What the program reads, or nothing (`/dev/null`). */
  readonly stdin: Uint8Array | undefined;
  /** After this time the program's whole process group is killed. */
  readonly timeoutMs: number;
  /** How much of each output stream is kept, of stderr 64 KiB at most; the rest is read and thrown away. */
  readonly outputBytesMax: number;
  /** Told of the process at once. It leads a session and a process group of its own, unless it is `alone`. */
  readonly onStart?: (pid: number) => void;
  /** It starts no other program, so it needs no session: making one takes longer than all the rest of a start. */
  readonly alone?: true;
}

/** How a program ended. */
export type CommandEnd =
  | { readonly kind: "exited"; readonly code: number }
  | { readonly kind: "signalled"; readonly signal: string }
  /** Killed after its timeout; `stuck` when not even SIGKILL ended it. */
  | { readonly kind: "timed-out"; readonly stuck: boolean }
  /** We were told to end (the signal's name) and killed it. */
  | { readonly kind: "interrupted"; readonly signal: string }
  | { readonly kind: "not-started"; readonly reason: string };

/** The signals that tell a program to end: an administrator's, a service manager's, a terminal's. */
const INTERRUPTED_TEXT: readonly string[] = ["SIGTERM", "SIGINT", "SIGHUP"];

/** Whether a tool of ours ended because it, or this program, was told to end: another try can succeed. */
export function wasInterrupted(end: CommandEnd): boolean {
  return end.kind === "interrupted" || (end.kind === "signalled" && INTERRUPTED_TEXT.includes(end.signal));
}

/** The result of a {@linkcode Command}. */
export interface CommandResult {
  readonly end: CommandEnd;
  readonly stdout: string;
  /** Whether stdout was UTF-8; other bytes are U+FFFD in the text. */
  readonly stdoutIsUtf8: boolean;
  readonly stderr: string;
  readonly durationMs: number;
}

/** A program that lives on when we end, in a session of its own, with no stream of anybody's. */
export interface Launch {
  /** Absolute path, then its arguments. */
  readonly argv: readonly [string, ...string[]];
  readonly environment: Readonly<Record<string, string>>;
  /** How long it is watched, to tell one that ends at once. */
  readonly watchMs: number;
  /** Told of the process at once. */
  readonly onStart: (pid: number) => void;
}

/** The result of a {@linkcode Launch}. */
export type Launched =
  | { readonly kind: "running"; readonly pid: number }
  | { readonly kind: "ended"; readonly end: CommandEnd };

/** What was read from a stream that has a limit. */
export type Input =
  | { readonly kind: "whole"; readonly bytes: Uint8Array }
  /** Read to its end, but longer than allowed: only its first bytes are kept. */
  | { readonly kind: "too-long"; readonly head: Uint8Array };

/** A narrow interface to the world. Every method that can fail throws an `Error` whose message says what the system said. */
export interface Sys {
  /** The arguments after the program's name. */
  readonly args: readonly string[];
  readonly pid: number;
  /** Where this program itself lies. */
  program(): string;
  /** The kernel's own files. */
  readonly kernel: Kernel;
  /** The process that called this one, as of now: another one once that has died. */
  ppid(): number;
  uid(): number;
  hostname(): string;
  now(): Date;
  /** Milliseconds since the program started. */
  elapsedMs(): number;
  /**
   * Reads stdin to its end. Only its writer, which waits for us, can make that take long: libvirt writes what it has in
   * memory, and its end closes the pipe. So no timer is paid for.
   */
  readStdin(bytesMax: number): Input;
  writeStdout(text: string): void;
  writeStderr(text: string): void;
  /** `undefined` when there is no such path. Never follows a link. */
  lstat(path: string): FileFacts | undefined;
  readLink(path: string): string;
  /** The names in a folder, in byte order; `undefined` when there is no such folder. */
  readDirectory(path: string): readonly string[] | undefined;
  /** Reads a regular file; the caller has looked at it with {@linkcode Sys.lstat}, since opening a FIFO would wait for ever. */
  readTextFile(path: string, bytesMax: number): string;
  /** The first bytes of a regular file, each as one character. */
  readStart(path: string, bytesMax: number): string;
  /** The text of `/proc/self/mountinfo`; empty where no file system of this host can wait for a server. */
  readMounts(): Promise<string>;
  /** Looks at paths that an administrator names; the methods above are for paths of our own. */
  readonly paths: Paths;
  /**
   * Appends a line in one write, creating the file readable by its owner alone. Where a full disk cut the last line off, the
   * new one begins on a line of its own.
   */
  appendLine(path: string, line: string): void;
  /** Creates a file that must not be there yet. */
  createFile(path: string, text: string, mode: number): void;
  makeDirectory(path: string, mode: number): void;
  rename(from: string, to: string): void;
  removeFile(path: string): void;
  /**
   * Takes the lock file at `path`, made if need be; `undefined` when another process holds it. It is let go by disposing, and
   * when the process ends, however that happens. The lock's holder may remove its file: a lock is taken only on the file that
   * is at `path` at that moment.
   */
  lock(path: string): Disposable | undefined;
  sleep(durationMs: number): Promise<void>;
  /** Sends a signal to a whole process group, SIGKILL unless said; one that is gone is no error. */
  killGroup(group: number, signal?: "SIGTERM" | "SIGKILL"): void;
  /** Runs `action` while holding the lock file at `path`, or not at all when another process holds it. */
  tryWithLock(path: string, action: () => void): void;
  run(command: Command): Promise<CommandResult>;
  /** Starts a program without waiting for it. */
  launch(launch: Launch): Promise<Launched>;
  /** Sets the handler of uncaught errors: `handle` returns the exit code. */
  onUncaught(handle: (error: unknown) => number): void;
}
