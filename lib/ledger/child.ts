/**
 * The program that makes a change for a hook. When the hook is killed it lives on for a moment, and what it writes then would
 * stand behind what the next hook does: so the next one waits for its end.
 * @module
 */
import * as v from "valibot";
import { parseProcStat, procStatPath } from "../sys/proc_stat.ts";
import type { Sys } from "../sys/sys.ts";
import { TOOLS } from "../sys/tools.ts";
import { readFile, removeIfThere, writeFile } from "./file.ts";
import { resourceFolder } from "./layout.ts";

const childSchema = v.object({ pid: v.number(), program: v.string() });

/** A program that takes longer is stuck, or another has its number by now. */
const WAIT_MS_MAX = 2_000;
const [FIRST_LOOK_MS, LONGEST_LOOK_MS] = [2, 50];
/** The kernel keeps so much of a program's name. */
const NAME_LENGTH_MAX = 15;
/** The states of one that has ended. */
const ENDED = ["Z", "X"];

/**
 * A world whose programs are noted as they begin. What a program is to write it reads from us, and only once it is noted: one whose
 * hook is killed before that writes nothing.
 */
export function trackChildren(folder: string, sys: Sys): Sys {
  const path = resourceFolder(folder).child;
  function note(pid: number, [tool]: readonly [string, ...string[]]): void {
    writeFile(path, { pid, program: tool.slice(tool.lastIndexOf("/") + 1) }, sys);
  }
  return {
    ...sys,
    kernel: {
      ...sys.kernel,
      write: (file, text, timeoutMs) => sys.kernel.write(file, text, timeoutMs, (pid) => note(pid, [TOOLS.dd])),
    },
    run: (command) =>
      sys.run({
        ...command,
        onStart: (pid) => {
          note(pid, command.argv);
          command.onStart?.(pid);
        },
      }),
  };
}

/** Forgets the program: it has ended. */
export function forgetChild(folder: string, sys: Sys): void {
  removeIfThere(resourceFolder(folder).child, sys);
}

/** Waits for the program of a hook that was killed, with an end. */
export async function waitForTrackedChild(folder: string, sys: Sys): Promise<void> {
  const reading = readFile(resourceFolder(folder).child, childSchema, sys);
  if (reading.kind === "missing") return;
  if (reading.kind === "data") await awaitEnd(reading.data, sys);
  forgetChild(folder, sys);
}

async function awaitEnd(child: v.InferOutput<typeof childSchema>, sys: Sys): Promise<void> {
  const untilMs = sys.elapsedMs() + WAIT_MS_MAX;
  for (let waitMs = FIRST_LOOK_MS; sys.elapsedMs() < untilMs; waitMs = Math.min(waitMs * 2, LONGEST_LOOK_MS)) {
    if (!await isRunning(child, sys)) return;
    await sys.sleep(waitMs);
  }
}

async function isRunning({ pid, program }: v.InferOutput<typeof childSchema>, sys: Sys): Promise<boolean> {
  const path = procStatPath(pid);
  const stat = parseProcStat((await sys.kernel.read([path])).get(path) ?? "");
  return stat !== undefined && !ENDED.includes(stat.state) && stat.name === program.slice(0, NAME_LENGTH_MAX);
}
