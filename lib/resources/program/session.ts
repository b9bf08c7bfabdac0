/**
 * What is left of a program that was started for a holder: the processes of its session. Numbers of processes are used
 * again; so a session counts as the program's only while one process in it carries the program's mark.
 * @module
 */
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
/** Of the time of a call, so much is kept to note what was not found or ended: at most half of what is left. */
const NOTE_MS = 300;

/** A new mark. */
export function newMark(): string {
  return crypto.randomUUID();
}

/**
 * The processes of a program's session that live; where the session is not known, those that carry the mark. `deadlineMs`: when
 * the call's time is up.
 * @throws {InterruptedError} when no time was left to look at all processes of the host
 */
export async function membersOf(traces: Traces, deadlineMs: number, sys: SessionSys): Promise<readonly ProcStat[]> {
  const { session } = traces;
  const within = searchUntil(deadlineMs, sys);
  const living = await livingProcesses(within);
  const candidates = session === undefined ? living : living.filter((one) => one.session === session);
  if (session !== undefined && candidates.some((one) => isLeader(one, traces))) return candidates;
  const marked = await markedOf(candidates, traces.mark, within);
  return session === undefined || marked.length === 0 ? marked : candidates;
}

/** Whether the program itself lives; that takes no search. */
export async function isAlive(traces: Traces, deadlineMs: number, sys: SessionSys): Promise<boolean> {
  const { session, startTime } = traces;
  if (session === undefined || startTime === undefined) return false;
  return (await livingOf([session], searchUntil(deadlineMs, sys))).some((one) => isLeader(one, traces));
}

/** A look at processes of the host, and when it ends. */
interface Search {
  readonly untilMs: number;
  readonly sys: SessionSys;
}

function searchUntil(deadlineMs: number, sys: SessionSys): Search {
  return { untilMs: deadlineMs - Math.min(NOTE_MS, (deadlineMs - sys.elapsedMs()) / 2), sys };
}

/** Whether a process is the program itself. */
function isLeader({ pid, startTime }: ProcStat, traces: Traces): boolean {
  return pid === traces.session && startTime === traces.startTime;
}

async function livingProcesses(within: Search): Promise<readonly ProcStat[]> {
  const { untilMs, sys } = within;
  const names = (await sys.kernel.list("/proc", untilMs - sys.elapsedMs()))?.keys() ?? [];
  return await livingOf([...names].filter((name) => /^\d+$/.test(name)).map(Number), within);
}

/** Those of some processes that live. */
async function livingOf(pids: readonly number[], within: Search): Promise<readonly ProcStat[]> {
  const stats = await readMany(pids.map(procStatPath), SHORT_FILES_MAX, within);
  return [...stats.values()].map(parseProcStat).filter((stat) => stat !== undefined)
    .filter(({ state }) => !/[ZXx]/.test(state));
}

/** Many files, some at a time: what one reading can answer has an end. */
async function readMany(
  paths: readonly string[],
  atOnce: number,
  { untilMs, sys }: Search,
): Promise<ReadonlyMap<string, string>> {
  const all = new Map<string, string>();
  for (let at = 0; at < paths.length; at += atOnce) {
    const texts = await sys.kernel.read(paths.slice(at, at + atOnce), untilMs - sys.elapsedMs());
    for (const [path, text] of texts) all.set(path, text);
  }
  return all;
}

async function markedOf(
  processes: readonly ProcStat[],
  mark: string,
  within: Search,
): Promise<readonly ProcStat[]> {
  const environments = await readMany(processes.map(({ pid }) => `/proc/${pid}/environ`), LONG_FILES_MAX, within);
  const entry = `${MARK_NAME}=${mark}`;
  return processes.filter(({ pid }) => environments.get(`/proc/${pid}/environ`)?.split("\0").includes(entry) ?? false);
}

/** How a program is ended. */
export interface Ending {
  /** How long it is asked (SIGTERM) first; 0: it is not. */
  readonly askMs: number;
  /** When the call's time is up. */
  readonly deadlineMs: number;
}

/**
 * Ends what is left of a program. Says why not, where not even SIGKILL ends it.
 * @throws {InterruptedError} when no time was left to find it, or to see its end
 */
export async function endSession(
  traces: Traces,
  { askMs, deadlineMs }: Ending,
  sys: SessionSys,
): Promise<string | undefined> {
  let members = await membersOf(traces, deadlineMs, sys);
  async function signal(name: "SIGTERM" | "SIGKILL", forMs: number): Promise<void> {
    const untilMs = sys.elapsedMs() + forMs;
    while (members.length > 0) {
      for (const group of new Set(members.map((one) => one.group))) sys.killGroup(group, name);
      members = await awaitEnd(members, untilMs, searchUntil(deadlineMs, sys));
      if (members.length > 0) return;
      // All processes of the host are searched only for those that came meanwhile.
      members = await membersOf(traces, deadlineMs, sys);
    }
  }
  if (askMs > 0) await signal("SIGTERM", askMs);
  await signal("SIGKILL", KILL_MS);
  const [first] = members;
  return first === undefined ? undefined : `process ${first.pid} (${first.name}) cannot be killed`;
}

/** Those of some processes that still live when time is up. */
async function awaitEnd(
  processes: readonly ProcStat[],
  untilMs: number,
  within: Search,
): Promise<readonly ProcStat[]> {
  const names = new Set(processes.map(nameOf));
  while (true) {
    const left = (await livingOf(processes.map(({ pid }) => pid), within)).filter((one) => names.has(nameOf(one)));
    if (left.length === 0 || within.sys.elapsedMs() + POLL_MS > untilMs) return left;
    await within.sys.sleep(POLL_MS);
  }
}

/** A number is used again, but not with the same start time. */
function nameOf({ pid, startTime }: ProcStat): string {
  return `${pid} ${startTime}`;
}
