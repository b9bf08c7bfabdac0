/**
 * A process that is killed on a host in memory: from then on nothing it does reaches the host.
 * @module
 */
import type { MemorySys } from "../../lib/sys/memory_sys.ts";
import type { Sys } from "../../lib/sys/sys.ts";

/** The view of a process that is dead once `isDead` says so. */
export function dyingSys(sys: MemorySys, isDead: () => boolean): Sys {
  function needLife(): void {
    if (isDead()) throw new Error("Killed");
  }
  return {
    ...sys,
    kernel: {
      ...sys.kernel,
      write: (path, text, timeoutMs) => {
        needLife();
        return sys.kernel.write(path, text, timeoutMs);
      },
    },
    run: (command) => {
      needLife();
      return sys.run(command);
    },
    createFile: (path, text, mode) => {
      needLife();
      sys.createFile(path, text, mode);
    },
    removeFile: (path) => {
      needLife();
      sys.removeFile(path);
    },
  };
}
