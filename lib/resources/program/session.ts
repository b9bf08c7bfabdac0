/**
 * What is left of a program that was started for a holder: the processes of its session. Numbers of processes are used
 * again; so a session counts as the program's only while one process in it carries the program's mark.
 * @module
 */
import type { Kernel } from "../../sys/kernel.ts";
import { parseProcStat, type ProcStat, procStatPath } from "../../sys/proc_stat.ts";
import type { Sys } from "../../sys/sys.ts";

/** In the environment of the program, and so of what it starts: {@linkcode Traces.mark}. */
export const MARK_NAME = "VIRT_HOOKS_HOLD";

/** What a program can be found by. */
export interface Traces {
  /** Nobody else has this one. */
  readonly mark: string;
  /** The program's process when it was started; its session has this number. Unknown where we were killed just then. */
  readonly session?: number | undefined;
  /** When the program was started, as the kernel counts. */
  readonly startTime?: string | undefined;
}

/** What finding and ending processes needs of the world. */
export type SessionSys = Pick<Sys, "kernel" | "killGroup" | "sleep" | "elapsedMs">;

const POLL_MS = 50;
/** So many files of up to some hundred bytes, and of up to 64 KiB, are read by one program. */
const SHORT_FILES_MAX = 2_000;
const LONG_FILES_MAX = 200;
/** What SIGKILL does not end in this time hangs in the kernel. */
const KILL_MS = 2_000;

/** A new mark. */
export function newMark(): string {
  return crypto.randomUUID();
}

/** The processes of a program's session that live; where the session is not known, those that carry the mark. */
export async function membersOf(traces: Traces, sys: SessionSys): Promise<readonly ProcStat[]> {
  const { session } = traces;
  const living = await livingProcesses(sys);
  const candidates = session === undefined ? living : living.filter((one) => one.session === session);
  if (session !== undefined && candidates.some((one) => isLeader(one, traces))) return candidates;
  const marked = await markedOf(candidates, traces.mark, sys);
  return session === undefined || marked.length === 0 ? marked : candidates;
}

/** Whether a process is the program itself. */
function isLeader({ pid, startTime }: ProcStat, traces: Traces): boolean {
  return pid === traces.session && startTime === traces.startTime;
}

async function livingProcesses({ kernel }: SessionSys): Promise<readonly ProcStat[]> {
  const names = (await kernel.list("/proc"))?.keys() ?? [];
  const pids = [...names].filter((name) => /^\d+$/.test(name)).map(Number);
  const stats = await readMany(pids.map(procStatPath), SHORT_FILES_MAX, kernel);
  return [...stats.values()].map(parseProcStat).filter((stat) => stat !== undefined)
    .filter(({ state }) => !/[ZXx]/.test(state));
}

/** Many files, some at a time: what one reading can answer has an end. */
async function readMany(
  paths: readonly string[],
  atOnce: number,
  kernel: Kernel,
): Promise<ReadonlyMap<string, string>> {
  const all = new Map<string, string>();
  for (let at = 0; at < paths.length; at += atOnce) {
    for (const [path, text] of await kernel.read(paths.slice(at, at + atOnce))) all.set(path, text);
  }
  return all;
}

async function markedOf(
  processes: readonly ProcStat[],
  mark: string,
  { kernel }: SessionSys,
): Promise<readonly ProcStat[]> {
  const environments = await readMany(processes.map(({ pid }) => `/proc/${pid}/environ`), LONG_FILES_MAX, kernel);
  const entry = `${MARK_NAME}=${mark}`;
  return processes.filter(({ pid }) => environments.get(`/proc/${pid}/environ`)?.split("\0").includes(entry) ?? false);
}

/**
 * Ends what is left of a program. With `askMs` it is asked first (SIGTERM) and given so long. Says why not, where not even
 * SIGKILL ends it.
 */
export async function endSession(
  traces: Traces,
  { askMs }: { readonly askMs: number },
  sys: SessionSys,
): Promise<string | undefined> {
  if (askMs > 0 && (await signalUntilGone(traces, { signal: "SIGTERM", forMs: askMs }, sys)).length === 0) {
    return undefined;
  }
  const [first] = await signalUntilGone(traces, { signal: "SIGKILL", forMs: KILL_MS }, sys);
  return first === undefined ? undefined : `process ${first.pid} (${first.name}) cannot be killed`;
}

/** Sends a signal to every group there is, and to those that appear meanwhile; gives what is there when the time is up. */
async function signalUntilGone(
  traces: Traces,
  { signal, forMs }: { readonly signal: "SIGTERM" | "SIGKILL"; readonly forMs: number },
  sys: SessionSys,
): Promise<readonly ProcStat[]> {
  const untilMs = sys.elapsedMs() + forMs;
  const told = new Set<number>();
  while (true) {
    const members = await membersOf(traces, sys);
    for (const group of new Set(members.map((one) => one.group))) {
      if (signal === "SIGKILL" || !told.has(group)) sys.killGroup(group, signal);
      told.add(group);
    }
    if (members.length === 0 || sys.elapsedMs() + POLL_MS > untilMs) return members;
    await sys.sleep(POLL_MS);
  }
}
