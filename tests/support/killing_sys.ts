/**
 * A `Sys` of a process that is killed at a chosen effect. From then on nothing it does reaches the world.
 * @module
 */
import type { MemorySys } from "../../lib/sys/memory_sys.ts";
import type { Sys } from "../../lib/sys/sys.ts";

/** Where in an effect death comes. `half`: a file is there, with the first half of its text. */
export type Moment = "before" | "half" | "after";

/** When the process dies. */
export interface Death {
  /** At which effect: counted from 1, or the first of that name. */
  readonly at: number | string;
  readonly moment: Moment;
  /** What the kernel takes of a write when the process dies in its middle; all or nothing where it says nothing. */
  readonly partOf?: ((path: string, text: string) => string | undefined) | undefined;
}

/** A process with its days numbered. */
export interface Doomed {
  readonly sys: Sys;
  /** What it did, and what it was about to do when it died. */
  readonly effects: readonly string[];
  /** Whether death has come. */
  isDead(): boolean;
}

class Killed extends Error {
  override readonly name = "Killed";
}

/** What stands between the process and the world. */
interface Fate {
  /** Does something that changes the world, unless death comes first. */
  act<Result>(name: string, effect: () => Result, half?: () => void): Result;
  /** Only the living look. */
  look<Result>(act: () => Result): Result;
}

/** Dooms a process; without a death it only counts. */
export function doom(sys: MemorySys, death?: Death): Doomed {
  const effects: string[] = [];
  let isDead = false;
  function die(): never {
    isDead = true;
    throw new Killed(`Killed at effect ${effects.length}`);
  }
  function look<Result>(act: () => Result): Result {
    if (isDead) die();
    return act();
  }
  function act<Result>(name: string, effect: () => Result, half?: () => void): Result {
    if (isDead) die();
    effects.push(name);
    if (death === undefined || (effects.length !== death.at && name !== death.at)) return effect();
    if (death.moment === "half") half?.();
    if (death.moment === "after") effect();
    return die();
  }
  return { sys: doomed(sys, { act, look }, death?.partOf), effects, isDead: () => isDead };
}

function doomed(sys: MemorySys, { act, look }: Fate, partOf: Death["partOf"]): Sys {
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

/** What is thrown becomes a rejection. */
async function promised<Result>(act: () => Promise<Result>): Promise<Result> {
  return await act();
}
