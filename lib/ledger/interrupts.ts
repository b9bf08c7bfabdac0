/**
 * Work that is cut short because the hook is told to end, or its time is over. It says nothing of the resource, so it is no problem to
 * remember: the next call goes on where this one was.
 * @module
 */
import { InterruptedError } from "../sys/kernel.ts";
import { type Command, type CommandResult, type Sys, wasInterrupted } from "../sys/sys.ts";
import { TOOLS } from "../sys/tools.ts";

/** A world, and whether anything done through it was cut short. */
export interface Watched {
  readonly sys: Sys;
  isInterrupted(): boolean;
}

/** Watches whether what is done through this world is cut short. */
export function watchInterrupts(sys: Sys): Watched {
  let interrupted = false;
  async function look<Result>(act: () => Promise<Result>): Promise<Result> {
    try {
      return await act();
    } catch (error) {
      interrupted ||= error instanceof InterruptedError;
      throw error;
    }
  }
  const kernel: Sys["kernel"] = {
    read: (paths, timeoutMs) => look(() => sys.kernel.read(paths, timeoutMs)),
    list: (folder, timeoutMs) => look(() => sys.kernel.list(folder, timeoutMs)),
    openers: (paths) => look(() => sys.kernel.openers(paths)),
    write: async (path, text, timeoutMs, onStart) => {
      const end = await sys.kernel.write(path, text, timeoutMs, onStart);
      interrupted ||= end.kind === "refused" && end.interrupted === true;
      return end;
    },
  };
  async function run(command: Command): Promise<CommandResult> {
    const result = await sys.run(command);
    interrupted ||= isCutShort(command, result);
    return result;
  }
  return { sys: { ...sys, kernel, run }, isInterrupted: () => interrupted };
}

/** A user's program that a signal ended may have been meant itself; a tool of ours never is. */
function isCutShort({ argv: [program] }: Command, { end }: CommandResult): boolean {
  if (end.kind === "interrupted") return true;
  return wasInterrupted(end) && Object.values<string>(TOOLS).includes(program);
}
