/**
 * The kernel's own files, below `/proc`, `/sys` and `/dev`. A binary of ours holds no permission to open them, so a child
 * does: then a write that hangs in the kernel hangs a child, which can be abandoned.
 * @module
 */

/** A look at the kernel's files was cut short: this program, or its child, was told to end, or the time that it was given was over. */
export class InterruptedError extends Error {
  override readonly name = "InterruptedError";
}

/** The result of a write. The kernel takes one whole or refuses it. `interrupted`: this program, or its child, was told to end. */
export type KernelWrite =
  | { readonly kind: "written" }
  | { readonly kind: "refused"; readonly reason: string; readonly interrupted?: true }
  /** Not even SIGKILL ended it: the kernel is still working on it, and the hook no longer waits. */
  | { readonly kind: "stuck" };

/** The kernel's files. */
export interface Kernel {
  /**
   * What files hold, by path; a file that is not there, or cannot be read, is missing in the answer.
   * @throws {Error} when the reading was cut short, so that nothing can be told of any file; {@linkcode InterruptedError} when
   * `timeoutMs` was too short for it
   */
  read(paths: readonly string[], timeoutMs?: number): Promise<ReadonlyMap<string, string>>;
  /** Writes a file that is there, in one piece. An empty text only opens it: may it be written? */
  write(path: string, text: string, timeoutMs: number, onStart?: (pid: number) => void): Promise<KernelWrite>;
  /**
   * What a folder holds: each name, with where it leads if it is a link. `undefined` when there is no such folder.
   * @throws {Error} when the listing was cut short; {@linkcode InterruptedError} when `timeoutMs` was too short for it
   */
  list(folder: string, timeoutMs?: number): Promise<ReadonlyMap<string, string | undefined> | undefined>;
  /** The processes that hold one of these paths open, or something below one that ends with `/`. */
  openers(paths: readonly string[]): Promise<readonly Opener[]>;
}

/** A process and a path that it holds open. */
export interface Opener {
  readonly pid: number;
  /** The program's name, as the kernel tells it (15 bytes at most). */
  readonly name: string;
  readonly path: string;
}
