/**
 * A `Sys` of a process that is killed at a chosen effect: from then on nothing it does reaches the host.
 * @module
 */
import type { MemorySys } from "../../lib/sys/memory_sys.ts";
import type { Sys } from "../../lib/sys/sys.ts";

/** When, relative to the effect, the process is killed. `half`: the file exists with the first half of its text. */
export type Moment = "before" | "half" | "after";

/** The effect at which the process is killed. */
export interface Kill {
  /** Counted from 1, the first of that name, or the first for which the function returns true. */
  readonly at: number | string | (() => boolean);
  readonly moment: Moment;
  /** The part of a write that the kernel accepts if the process is killed in its middle; `undefined`: none. */
  readonly partOf?: ((path: string, text: string) => string | undefined) | undefined;
}

/** A process that is killed, or that only records its effects. */
export interface Killable {
  readonly sys: Sys;
  /** The effects, the last one being that at which it was killed. */
  readonly effects: readonly string[];
  isKilled(): boolean;
}

class KilledError extends Error {
  override readonly name = "KilledError";
}

/** Runs what the process does, unless it is killed. */
interface Guard {
  /** Runs an effect; may kill the process before, in or after it. */
  act<Result>(name: string, effect: () => Result, half?: () => void): Result;
  /** Reads, if the process is not killed. */
  look<Result>(act: () => Result): Result;
}

/** Kills the process at the given effect; without one, only records effects. */
export function killable(sys: MemorySys, kill?: Kill): Killable {
  const effects: string[] = [];
  let isKilled = false;
  function die(): never {
    isKilled = true;
    throw new KilledError(`Killed at effect ${effects.length}`);
  }
  function isDue(at: Kill["at"], name: string): boolean {
    return typeof at === "function" ? at() : effects.length === at || name === at;
  }
  function look<Result>(act: () => Result): Result {
    if (isKilled) die();
    return act();
  }
  function act<Result>(name: string, effect: () => Result, half?: () => void): Result {
    if (isKilled) die();
    effects.push(name);
    if (kill === undefined || !isDue(kill.at, name)) return effect();
    if (kill.moment === "half") half?.();
    if (kill.moment === "after") effect();
    return die();
  }
  return { sys: guarded(sys, { act, look }, kill?.partOf), effects, isKilled: () => isKilled };
}

function guarded(sys: MemorySys, { act, look }: Guard, partOf: Kill["partOf"]): Sys {
  return {
    ...sys,
    kernel: {
      read: (paths) => promised(() => look(() => sys.kernel.read(paths))),
      list: (folder) => promised(() => look(() => sys.kernel.list(folder))),
      openers: (paths) => promised(() => look(() => sys.kernel.openers(paths))),
      write: (path, text, timeoutMs, onStart) =>
        promised(() =>
          act(`kernel.write ${path}`, () => sys.kernel.write(path, text, timeoutMs, onStart), () => {
            const part = partOf?.(path, text);
            // In memory a write is done when it is asked for.
            if (part !== undefined) void sys.kernel.write(path, part, timeoutMs);
          })
        ),
    },
    run: (command) => promised(() => act(`run ${command.argv.join(" ")}`, () => sys.run(command))),
    launch: (launch) => promised(() => act(`launch ${launch.argv.join(" ")}`, () => sys.launch(launch))),
    createFile: (path, text, mode) =>
      act(
        `createFile ${path}`,
        () => sys.createFile(path, text, mode),
        () => sys.createFile(path, text.slice(0, Math.floor(text.length / 2)), mode),
      ),
    appendLine: (path, line) => act(`appendLine ${path}`, () => sys.appendLine(path, line)),
    makeDirectory: (path, mode) => act(`makeDirectory ${path}`, () => sys.makeDirectory(path, mode)),
    rename: (from, to) => act(`rename ${to}`, () => sys.rename(from, to)),
    removeFile: (path) => act(`removeFile ${path}`, () => sys.removeFile(path)),
    killGroup: (group) => act(`killGroup ${group}`, () => sys.killGroup(group)),
    lstat: (path) => look(() => sys.lstat(path)),
    readDirectory: (path) => look(() => sys.readDirectory(path)),
    readTextFile: (path, bytesMax) => look(() => sys.readTextFile(path, bytesMax)),
    lock: (path) => look(() => sys.lock(path)),
    sleep: (durationMs) => promised(() => look(() => sys.sleep(durationMs))),
  };
}

/** Turns an exception into a rejection. */
async function promised<Result>(act: () => Promise<Result>): Promise<Result> {
  return await act();
}
