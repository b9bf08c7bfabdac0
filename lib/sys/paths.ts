/**
 * Looks at paths that an administrator names. Any of them may lie on a file system whose server is dead, where a look in
 * this process would never return.
 * @module
 */
import type { Mount } from "./mounts.ts";
import type { FileFacts } from "./sys.ts";

/** Looks at paths. Each answers in time, or fails with an {@linkcode UnansweredError}. */
export interface Paths {
  /** `undefined` when there is no such path. Never follows a link at the end; the folders on the way must not be links. */
  lstat(path: string): Promise<FileFacts | undefined>;
  readLink(path: string): Promise<string>;
  /** The first bytes of a regular file, each as one character. */
  readStart(path: string, bytesMax: number): Promise<string>;
  /** The same of a file that others may replace with a FIFO at any moment. */
  readStartOfOthers(path: string, bytesMax: number): Promise<string>;
  /** Reads a regular file; the caller has looked at it with {@linkcode Paths.lstat}. */
  readTextFile(path: string, bytesMax: number): Promise<string>;
  /** The names in a folder, in byte order; `undefined` when there is no such folder. */
  readDirectory(path: string): Promise<readonly string[] | undefined>;
}

/** A path that did not answer in time. */
export class UnansweredError extends Error {
  constructor(path: string, mount: Mount | undefined) {
    const where = mount === undefined ? "" : ` (file system ${mount.type} on ${mount.path})`;
    super(`${path} does not answer${where}`);
    this.name = "UnansweredError";
  }
}
