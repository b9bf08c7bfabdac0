/**
 * Finds and ends the processes of a program's session. PIDs are reused, so a session counts as the program's only
 * while at least one of its processes carries the program's mark.
 * @module
 */
import { parseProcStat, type ProcStat, procStatPath } from "../../sys/proc_stat.ts";
import type { Sys } from "../../sys/sys.ts";

/** The environment variable that carries {@linkcode SessionTraces.mark}. The program's children inherit it. */
export const MARK_NAME = "VIRT_HOOKS_HOLD";

/** Facts that identify a program's processes. */
export interface SessionTraces {
  /** A value that is unique to the program. */
  readonly mark: string;
  /**
   * The PID of the program when it was started, which is also its session id. Unknown if the hook was killed at that
   * moment.
   */
  readonly session?: number | undefined;
  /** The program's start time, in the kernel's unit. */
  readonly startTime?: string | undefined;
}

/** The functions of `Sys` that finding and ending processes needs. */
export type SessionSys = Pick<Sys, "kernel" | "killGroup" | "sleep" | "elapsedMs">;

const POLL_MS = 50;
/** How many files one read handles: short ones of up to some hundred bytes, and long ones of up to 64 KiB. */
const SHORT_FILES_MAX = 2_000;
const LONG_FILES_MAX = 200;
/** A process that SIGKILL does not end in this time hangs in the kernel. */
const KILL_MS = 2_000;
/** Time that is reserved to record what was not found or ended: at most half of the remaining time. */
const RESERVED_MS = 300;

/** Creates a mark. */
export function newMark(): string {
  return crypto.randomUUID();
}

/**
 * Returns the running processes of a program's session or, if the session is unknown, those that carry the mark.
 * `deadlineMs` is the call's deadline.
 * @throws {InterruptedError} if the deadline does not leave enough time to inspect all processes of the host
 */
export async function membersOf(
  traces: SessionTraces,
  deadlineMs: number,
  sys: SessionSys,
): Promise<readonly ProcStat[]> {
  const { session } = traces;
  const limit = searchUntil(deadlineMs, sys);
  const running = await runningProcesses(limit);
  const candidates = session === undefined ? running : running.filter((one) => one.session === session);
  if (session !== undefined && candidates.some((one) => isLeader(one, traces))) return candidates;
  const marked = await markedOf(candidates, traces.mark, limit);
  return session === undefined || marked.length === 0 ? marked : candidates;
}

/** Whether the program itself runs. Does not search the host's processes. */
export async function isAlive(traces: SessionTraces, deadlineMs: number, sys: SessionSys): Promise<boolean> {
  const { session, startTime } = traces;
  if (session === undefined || startTime === undefined) return false;
  return (await runningOf([session], searchUntil(deadlineMs, sys))).some((one) => isLeader(one, traces));
}

/** How long a search of processes may take. */
interface SearchLimit {
  readonly untilMs: number;
  readonly sys: SessionSys;
}

function searchUntil(deadlineMs: number, sys: SessionSys): SearchLimit {
  return { untilMs: deadlineMs - Math.min(RESERVED_MS, (deadlineMs - sys.elapsedMs()) / 2), sys };
}

/** Whether a process is the program itself. */
function isLeader({ pid, startTime }: ProcStat, traces: SessionTraces): boolean {
  return pid === traces.session && startTime === traces.startTime;
}

async function runningProcesses(limit: SearchLimit): Promise<readonly ProcStat[]> {
  const { untilMs, sys } = limit;
  const names = (await sys.kernel.list("/proc", untilMs - sys.elapsedMs()))?.keys() ?? [];
  return await runningOf([...names].filter((name) => /^\d+$/.test(name)).map(Number), limit);
}

/** Returns those of the given processes that run. */
async function runningOf(pids: readonly number[], limit: SearchLimit): Promise<readonly ProcStat[]> {
  const stats = await readMany(pids.map(procStatPath), SHORT_FILES_MAX, limit);
  return [...stats.values()].map(parseProcStat).filter((stat) => stat !== undefined)
    .filter(({ state }) => !/[ZXx]/.test(state));
}

/** Reads many files in batches: the output of one read is limited. */
async function readMany(
  paths: readonly string[],
  atOnce: number,
  { untilMs, sys }: SearchLimit,
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
  limit: SearchLimit,
): Promise<readonly ProcStat[]> {
  const environments = await readMany(processes.map(({ pid }) => `/proc/${pid}/environ`), LONG_FILES_MAX, limit);
  const entry = `${MARK_NAME}=${mark}`;
  return processes.filter(({ pid }) => environments.get(`/proc/${pid}/environ`)?.split("\0").includes(entry) ?? false);
}

/** Options for {@linkcode endSession}. */
export interface EndSessionOptions {
  /** How long to wait after SIGTERM before SIGKILL; 0 sends no SIGTERM. */
  readonly termMs: number;
  /** The call's deadline. */
  readonly deadlineMs: number;
}

/**
 * Ends all processes of a program. Returns the problem if a process survives SIGKILL, or `undefined` on success.
 * @throws {InterruptedError} if the deadline does not leave enough time to find them or to see them end
 */
export async function endSession(
  traces: SessionTraces,
  { termMs, deadlineMs }: EndSessionOptions,
  sys: SessionSys,
): Promise<string | undefined> {
  let members = await membersOf(traces, deadlineMs, sys);
  async function signal(name: "SIGTERM" | "SIGKILL", forMs: number): Promise<void> {
    const untilMs = sys.elapsedMs() + forMs;
    while (members.length > 0) {
      for (const group of new Set(members.map((one) => one.group))) sys.killGroup(group, name);
      members = await waitForEnd(members, untilMs, searchUntil(deadlineMs, sys));
      if (members.length > 0) return;
      // The whole host is searched again only for processes that appeared meanwhile.
      members = await membersOf(traces, deadlineMs, sys);
    }
  }
  if (termMs > 0) await signal("SIGTERM", termMs);
  await signal("SIGKILL", KILL_MS);
  const [first] = members;
  return first === undefined ? undefined : `process ${first.pid} (${first.name}) cannot be killed`;
}

/** Waits until the given processes have ended. Returns those that still run at `untilMs`. */
async function waitForEnd(
  processes: readonly ProcStat[],
  untilMs: number,
  limit: SearchLimit,
): Promise<readonly ProcStat[]> {
  const names = new Set(processes.map(identityOf));
  while (true) {
    const left = (await runningOf(processes.map(({ pid }) => pid), limit)).filter((one) => names.has(identityOf(one)));
    if (left.length === 0 || limit.sys.elapsedMs() + POLL_MS > untilMs) return left;
    await limit.sys.sleep(POLL_MS);
  }
}

/** Identifies a process. A PID is reused, but not with the same start time. */
function identityOf({ pid, startTime }: ProcStat): string {
  return `${pid} ${startTime}`;
}
