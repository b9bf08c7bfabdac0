/**
 * The real world. With its siblings `deno_*.ts` the only code below `lib/` that a binary holds and that
 * says `Deno.`; it decides nothing.
 * @module
 */
import { boundedPaths } from "./bounded_paths.ts";
import { inByteOrder } from "./byte_order.ts";
import { runCommand } from "./deno_command.ts";
import { launchProgram } from "./deno_launch.ts";
import { denoKernel } from "./deno_kernel.ts";
import { mayHaveServers } from "./mounts.ts";
import type { FileFacts, Input, Sys } from "./sys.ts";
import { TOOL_ENVIRONMENT, TOOLS } from "./tools.ts";

/** The machine this program runs on. */
export function denoSys(): Sys {
  const sys: Omit<Sys, "paths"> = {
    args: Deno.args,
    pid: Deno.pid,
    program: () => Deno.execPath(),
    kernel: denoKernel(),
    ppid: () => Deno.ppid,
    uid: () => Deno.uid() ?? -1,
    hostname: () => Deno.hostname(),
    now: () => new Date(),
    elapsedMs: () => performance.now(),
    readStdin,
    writeStdout: (text) => writeWhole(Deno.stdout, text),
    writeStderr: (text) => writeWhole(Deno.stderr, text),
    lstat,
    readLink: (path) => Deno.readLinkSync(path),
    readDirectory,
    readTextFile,
    readStart,
    readMounts,
    appendLine,
    createFile: (path, text, mode) => Deno.writeTextFileSync(path, text, { createNew: true, mode }),
    makeDirectory: (path, mode) => Deno.mkdirSync(path, { mode }),
    rename: (from, to) => Deno.renameSync(from, to),
    removeFile: (path) => Deno.removeSync(path),
    lock,
    sleep: (durationMs) => new Promise((resolve) => setTimeout(resolve, durationMs)),
    killGroup,
    tryWithLock,
    run: runCommand,
    launch: launchProgram,
    onUncaught,
  };
  return { ...sys, paths: boundedPaths(sys, Infinity) };
}

const CHUNK_BYTES = 65_536;
const NEWLINE = 0x0a;

/** Of an input that is too long, so much is kept. */
const HEAD_BYTES = 65_536;

/** A pipe hands over a few KB at a time, so the buffer grows instead of keeping each piece. */
function readStdin(bytesMax: number): Input {
  let bytes = new Uint8Array(CHUNK_BYTES);
  let total = 0;
  while (total <= bytesMax) {
    if (total === bytes.length) bytes = grown(bytes);
    const length = Deno.stdin.readSync(bytes.subarray(total));
    if (length === null) return { kind: "whole", bytes: bytes.subarray(0, total) };
    total += length;
  }
  const head = bytes.slice(0, HEAD_BYTES);
  drainStdin();
  return { kind: "too-long", head };
}

function grown(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const larger = new Uint8Array(bytes.length * 2);
  larger.set(bytes);
  return larger;
}

/** Its writer ends only when all of it is read. */
function drainStdin(): void {
  const rest = new Uint8Array(CHUNK_BYTES);
  while (Deno.stdin.readSync(rest) !== null);
}

function writeWhole(stream: { writeSync(bytes: Uint8Array): number }, text: string): void {
  let rest = new TextEncoder().encode(text);
  while (rest.length > 0) rest = rest.subarray(stream.writeSync(rest));
}

function lstat(path: string): FileFacts | undefined {
  let info: Deno.FileInfo;
  try {
    info = Deno.lstatSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return undefined;
    throw error;
  }
  return {
    kind: info.isFile ? "file" : info.isDirectory ? "directory" : info.isSymlink ? "symlink" : "other",
    // Linux always reports these; the other values belong to no user.
    uid: info.uid ?? -1,
    gid: info.gid ?? -1,
    mode: (info.mode ?? 0o7777) & 0o7777,
    sizeBytes: info.size,
  };
}

function readDirectory(path: string): readonly string[] | undefined {
  try {
    return inByteOrder([...Deno.readDirSync(path)].map((entry) => entry.name));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return undefined;
    throw error;
  }
}

/** @throws {Error} when the file is longer than `bytesMax` or not UTF-8 */
function readTextFile(path: string, bytesMax: number): string {
  const bytes = readBytes(path, bytesMax + 1);
  if (bytes.length > bytesMax) throw new RangeError(`It is longer than ${bytesMax} bytes`);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    // TextDecoder's own message names no cause a reader could use.
    throw new TypeError("It is not UTF-8 text");
  }
}

/** Each byte is an argument, and arguments take the stack. */
const ARGUMENTS_MAX = 8_192;

function readStart(path: string, bytesMax: number): string {
  const bytes = readBytes(path, bytesMax);
  let text = "";
  for (let at = 0; at < bytes.length; at += ARGUMENTS_MAX) {
    text += String.fromCharCode(...bytes.subarray(at, at + ARGUMENTS_MAX));
  }
  return text;
}

function readBytes(path: string, bytesMax: number): Uint8Array {
  const file = Deno.openSync(path);
  using _file = file;
  const bytes = new Uint8Array(Math.min(file.statSync().size + 1, bytesMax));
  let length = 0;
  while (length < bytes.length) {
    const read = file.readSync(bytes.subarray(length));
    if (read === null) break;
    length += read;
  }
  return bytes.subarray(0, length);
}

const MOUNTS_BYTES_MAX = 16 * 1024 * 1024;
const MOUNTS_MS_MAX = 5_000;

/** A child reads the kernel's file, which this process may not open; most hosts need none. */
async function readMounts(): Promise<string> {
  if (!mayHaveServers(readDirectory("/sys/class/bdi"))) return "";
  const argv = [TOOLS.head, "-c", String(MOUNTS_BYTES_MAX), "/proc/self/mountinfo"] as const;
  const limits = { timeoutMs: MOUNTS_MS_MAX, outputBytesMax: MOUNTS_BYTES_MAX, alone: true } as const;
  const { end, stdout } = await runCommand({ argv, environment: TOOL_ENVIRONMENT, stdin: undefined, ...limits });
  if (end.kind !== "exited" || end.code !== 0) throw new Error("Cannot read /proc/self/mountinfo");
  return stdout;
}

function appendLine(path: string, line: string): void {
  const file = Deno.openSync(path, { read: true, append: true, create: true, mode: 0o600 });
  using _file = file;
  const { size } = file.statSync();
  const last = new Uint8Array(1);
  if (size > 0) {
    file.seekSync(size - 1, Deno.SeekMode.Start);
    file.readSync(last);
  }
  const begin = size > 0 && last[0] !== NEWLINE ? "\n" : "";
  file.writeSync(new TextEncoder().encode(`${begin}${line}\n`));
}

function lock(path: string): Disposable | undefined {
  while (true) {
    const file = Deno.openSync(path, { read: true, write: true, create: true, mode: 0o600 });
    try {
      if (!file.tryLockSync(true)) {
        file.close();
        return undefined;
      }
      if (isAt(path, file)) return letGoOnce(file);
    } catch (error) {
      file.close();
      throw error;
    }
    // Its holder has removed it between our opening and our locking.
    file.close();
  }
}

function isAt(path: string, file: Deno.FsFile): boolean {
  const opened = file.statSync();
  try {
    const found = Deno.lstatSync(path);
    return found.ino === opened.ino && found.dev === opened.dev;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** Disposing of it again is no error: who lets a lock go early is also left by `using`. */
function letGoOnce(file: Deno.FsFile): Disposable {
  let isHeld = true;
  return {
    [Symbol.dispose]: () => {
      if (isHeld) file.close();
      isHeld = false;
    },
  };
}

function tryWithLock(path: string, action: () => void): void {
  const held = lock(path);
  using _held = held;
  if (held !== undefined) action();
}

function killGroup(group: number, signal: "SIGTERM" | "SIGKILL" = "SIGKILL"): void {
  try {
    Deno.kill(-group, signal);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

function onUncaught(handle: (error: unknown) => number): void {
  addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    Deno.exit(handle(event.reason));
  });
  addEventListener("error", (event) => {
    event.preventDefault();
    Deno.exit(handle(event.error));
  });
}
