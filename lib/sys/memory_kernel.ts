/**
 * The kernel's files of a host in memory: they take what is written, unless a test says how one reacts.
 * @module
 */
import { InterruptedError, type Kernel, type KernelWrite, type Opener } from "./kernel.ts";
import type { MemoryNode } from "./memory_sys.ts";

/** The kernel holds even root to the modes of its own files. */
const [OWNER_READS, OWNER_WRITES] = [0o400, 0o200];

/** The program that writes: one that has ended when anybody looks. */
const WRITER_PID = 6000;

/** The host's files by path, for a reaction to change. */
export type Nodes = Map<string, MemoryNode>;

/**
 * What a file holds after a write, or how the write ends otherwise. A reaction may change other files too, as a kernel
 * does.
 */
export type Reaction = (text: string, nodes: Nodes) => string | Exclude<KernelWrite, { readonly kind: "written" }>;

/** Reactions by path. */
export type Reactions = Readonly<Record<string, Reaction>>;

/** Makes the kernel's files of a host in memory out of its files; `held` is what programs have open, as a test moves it. */
export function memoryKernel(nodes: Nodes, reactions: Reactions, held: readonly Opener[]): Kernel {
  return {
    // deno-lint-ignore require-await
    read: async (paths, timeoutMs) => {
      needTime(timeoutMs);
      return new Map(paths.flatMap((path) => {
        const node = nodes.get(path);
        return node?.kind === "file" && (node.mode & OWNER_READS) !== 0 ? [[path, node.text]] : [];
      }));
    },
    // deno-lint-ignore require-await
    write: async (path, text, _timeoutMs, onStart) => {
      onStart?.(WRITER_PID);
      return write(path, text, { nodes, reactions });
    },
    // deno-lint-ignore require-await
    list: async (folder, timeoutMs) => {
      needTime(timeoutMs);
      return list(folder, nodes);
    },
    openers: (paths) =>
      Promise.resolve(
        held.filter((one) => paths.some((path) => path.endsWith("/") ? one.path.startsWith(path) : one.path === path)),
      ),
  };
}

function needTime(timeoutMs = Infinity): void {
  if (timeoutMs <= 0) throw new InterruptedError("Cannot look at the kernel's files: no time was left for this call");
}

function write(
  path: string,
  text: string,
  { nodes, reactions }: { readonly nodes: Nodes; readonly reactions: Reactions },
): KernelWrite {
  const node = nodes.get(path);
  if (node === undefined) return { kind: "refused", reason: "No such file or directory" };
  if ((node.mode & OWNER_WRITES) === 0) return { kind: "refused", reason: "Permission denied" };
  if (text === "") return { kind: "written" };
  const after = reactions[path]?.(text, nodes) ?? text;
  if (typeof after !== "string") return after;
  nodes.set(path, { ...node, text: after });
  return { kind: "written" };
}

function list(folder: string, nodes: Nodes): ReadonlyMap<string, string | undefined> | undefined {
  if (nodes.get(folder)?.kind !== "directory") return undefined;
  const inside = `${folder}/`;
  return new Map(
    [...nodes].filter(([path]) => path.startsWith(inside) && !path.slice(inside.length).includes("/"))
      .map(([path, node]) => [path.slice(inside.length), node.kind === "symlink" ? node.text : undefined]),
  );
}
