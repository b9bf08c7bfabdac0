/**
 * A copy-on-write view of a system: reads fall through, and what is written is kept in memory and forgotten with the view. So code
 * that changes a host can be run to see what it would do.
 * @module
 */
import { inByteOrder } from "./byte_order.ts";
import type { CommandResult, FileFacts, Sys } from "./sys.ts";

/** A file or folder that was written to the view; `null` was removed. */
type Written = { readonly kind: "file"; readonly text: string; readonly mode: number } | OverlayFolder | null;

/** Nothing of the system below is seen in a folder that the view has made. */
interface OverlayFolder {
  readonly kind: "directory";
  readonly mode: number;
}

type OverlayFiles = Pick<
  Sys,
  "lstat" | "readDirectory" | "readTextFile" | "readStart" | "createFile" | "makeDirectory" | "rename" | "removeFile"
>;

/**
 * Makes the view. Locks are free at first, even if they are held on the system; time passes at once in {@linkcode Sys.sleep}; no program
 * is run, no process is signalled and no file of the kernel is written: each of these is answered as a system would that refuses it.
 */
export function overlaySys(sys: Sys): Sys {
  const files = overlayFiles(sys);
  const held = new Set<string>();
  let sleptMs = 0;
  return {
    ...sys,
    ...files,
    appendLine: () => {},
    elapsedMs: () => sys.elapsedMs() + sleptMs,
    sleep: (durationMs) => {
      sleptMs += durationMs;
      return Promise.resolve();
    },
    lock: (path) => overlayLock(path, held, files),
    tryWithLock: (_path, action) => action(),
    killGroup: () => {},
    run: () => Promise.resolve(NOT_RUN),
    launch: () => Promise.resolve({ kind: "ended", end: NOT_RUN.end }),
    kernel: { ...sys.kernel, write: () => Promise.resolve({ kind: "refused", reason: NOT_WRITTEN }) },
  };
}

const NOT_WRITTEN = "this is a dry run";
const NOT_RUN: CommandResult = {
  end: { kind: "not-started", reason: NOT_WRITTEN },
  stdout: "",
  stdoutIsUtf8: true,
  stderr: "",
  durationMs: 0,
};

function overlayLock(path: string, held: Set<string>, files: OverlayFiles): Disposable | undefined {
  if (held.has(path)) return undefined;
  if (files.lstat(path) === undefined) files.createFile(path, "", 0o600);
  held.add(path);
  return { [Symbol.dispose]: () => held.delete(path) };
}

/** The system below, and what was written above it. */
interface Layers {
  readonly sys: Sys;
  readonly written: Map<string, Written>;
}

function overlayFiles(sys: Sys): OverlayFiles {
  const layers: Layers = { sys, written: new Map() };
  const { written } = layers;
  return {
    lstat: (path) => factsOf(path, layers),
    readDirectory: (path) => namesIn(path, layers),
    readTextFile: (path, bytesMax) => writtenText(path, layers) ?? sys.readTextFile(path, bytesMax),
    readStart: (path, bytesMax) => writtenText(path, layers)?.slice(0, bytesMax) ?? sys.readStart(path, bytesMax),
    createFile: (path, text, mode) => add(path, { kind: "file", text, mode }, layers),
    makeDirectory: (path, mode) => add(path, { kind: "directory", mode }, layers),
    rename: (from, to) => {
      copy(from, to, layers);
      remove(from, layers);
    },
    removeFile: (path) => {
      if (factsOf(path, layers) === undefined) throw missing(path);
      if ((namesIn(path, layers) ?? []).length > 0) throw new Error(`Directory not empty (os error 39): "${path}"`);
      written.set(path, null);
    },
  };
}

function missing(path: string): Error {
  return new Error(`No such file or directory (os error 2): "${path}"`);
}

/** What was written at a path; `undefined` where the system below is seen. */
function find(path: string, { written }: Layers): Written | undefined {
  const own = written.get(path);
  if (own !== undefined) return own;
  for (let folder = parentOf(path); folder !== "/"; folder = parentOf(folder)) {
    if (written.has(folder)) return null;
  }
  return undefined;
}

function factsOf(path: string, layers: Layers): FileFacts | undefined {
  const own = find(path, layers);
  if (own === undefined) return layers.sys.lstat(path);
  if (own === null) return undefined;
  return { kind: own.kind, uid: 0, gid: 0, mode: own.mode, sizeBytes: own.kind === "file" ? own.text.length : 0 };
}

/** The text of a file that was written; `undefined` for one of the system below. */
function writtenText(path: string, layers: Layers): string | undefined {
  const own = find(path, layers);
  if (own === undefined) return undefined;
  if (own?.kind === "file") return own.text;
  throw missing(path);
}

function namesIn(folder: string, layers: Layers): readonly string[] | undefined {
  const own = find(folder, layers);
  if (own === null || own?.kind === "file") return undefined;
  const below = own === undefined ? layers.sys.readDirectory(folder) : [];
  if (below === undefined) return undefined;
  const names = new Set(below);
  for (const [path, node] of layers.written) {
    if (parentOf(path) !== folder) continue;
    const name = path.slice(path.lastIndexOf("/") + 1);
    if (node === null) names.delete(name);
    else names.add(name);
  }
  return inByteOrder([...names]);
}

function add(path: string, node: NonNullable<Written>, layers: Layers): void {
  if (factsOf(path, layers) !== undefined) throw new Error(`File exists (os error 17): "${path}"`);
  if (factsOf(parentOf(path), layers) === undefined) throw missing(path);
  layers.written.set(path, node);
}

function remove(path: string, layers: Layers): void {
  for (const name of namesIn(path, layers) ?? []) remove(`${path}/${name}`, layers);
  layers.written.set(path, null);
}

function copy(from: string, to: string, layers: Layers): void {
  const facts = factsOf(from, layers);
  if (facts === undefined) throw missing(from);
  if (facts.kind === "directory") {
    layers.written.set(to, { kind: "directory", mode: facts.mode });
    for (const name of namesIn(from, layers) ?? []) copy(`${from}/${name}`, `${to}/${name}`, layers);
  } else if (facts.kind === "file") {
    const text = writtenText(from, layers) ?? layers.sys.readTextFile(from, facts.sizeBytes);
    layers.written.set(to, { kind: "file", text, mode: facts.mode });
  }
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(path.lastIndexOf("/"), 1));
}
