/**
 * `/proc/PID/stat`: who a process is.
 * @module
 */

/** A process, as far as it is told from others. */
export interface ProcStat {
  readonly pid: number;
  /** The program's name, which may hold anything (15 bytes at most). */
  readonly name: string;
  /** One letter; `Z` is one that has ended. */
  readonly state: string;
  readonly group: number;
  readonly session: number;
  /** In the kernel's ticks since boot: with the number it names one process for ever. */
  readonly startTime: string;
}

/** The path of the file. */
export function procStatPath(pid: number): string {
  return `/proc/${pid}/stat`;
}

/** `PID (NAME) STATE PPID PGRP SESSION …`, the start time in the 22nd field; `undefined` for anything else. */
export function parseProcStat(text: string): ProcStat | undefined {
  const [, pid, name, rest] = /^(\d+) \(([^]*)\) ([^]*)$/.exec(text) ?? [];
  if (pid === undefined || name === undefined || rest === undefined) return undefined;
  const fields = rest.trimEnd().split(" ");
  return {
    pid: Number(pid),
    name,
    state: fields[0] ?? "",
    group: Number(fields[2]),
    session: Number(fields[3]),
    startTime: fields[19] ?? "",
  };
}
