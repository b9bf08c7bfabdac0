/**
 * The version of this host's libvirt, found without calling it.
 * @module
 */
import { REASON_SINCE } from "./driver.ts";
import { DRIVERS_OF_DAEMON } from "./drivers.ts";
import { type Version, versionOfLibrary, versionText } from "./version.ts";
import { parseProcStat, procStatPath } from "../sys/proc_stat.ts";
import type { Sys } from "../sys/sys.ts";

/** A running daemon of libvirt that calls the hooks of a guest or network driver. */
export interface RunningDaemon {
  readonly pid: number;
  readonly name: string;
}

/** The version of the libvirt that calls the hooks, and what it was read from. */
export type HostLibvirt =
  | { readonly kind: "known"; readonly version: Version; readonly source: string }
  | { readonly kind: "unknown"; readonly reason: string };

/** The version of libvirt that a process runs, by the library it has mapped; `undefined` where that cannot be read. */
export async function libvirtOfProcess(pid: number, sys: Sys): Promise<Version | undefined> {
  try {
    const mapped = await sys.kernel.list(`/proc/${pid}/map_files`);
    return mapped?.values().map((path) => versionOfLibrary(path ?? "")).find((version) => version !== undefined);
  } catch {
    // The listing was cut short: nothing is known.
    return undefined;
  }
}

/** Where distributions put libraries. */
const LIBRARY_FOLDERS = [
  "/usr/lib/x86_64-linux-gnu",
  "/usr/lib/aarch64-linux-gnu",
  "/usr/lib64",
  "/usr/lib",
  "/usr/local/lib/x86_64-linux-gnu",
  "/usr/local/lib/aarch64-linux-gnu",
  "/usr/local/lib64",
  "/usr/local/lib",
] as const;

/** The version of the library that is installed, by where its link leads; unknown where there is none, or several differ. */
export function installedLibvirt(sys: Pick<Sys, "lstat" | "readLink">): HostLibvirt {
  const found = LIBRARY_FOLDERS.flatMap((folder) => {
    const path = `${folder}/libvirt.so.0`;
    if (sys.lstat(path)?.kind !== "symlink") return [];
    const version = versionOfLibrary(sys.readLink(path));
    return version === undefined ? [] : [{ version, source: path }];
  });
  return agreed(found) ??
    { kind: "unknown", reason: "no daemon of libvirt runs, and no library folder has libvirt.so.0" };
}

/** The version of the libvirt that calls the hooks: of the daemons that run, else of the library that is installed. */
export async function hostLibvirt(daemons: readonly RunningDaemon[], sys: Sys): Promise<HostLibvirt> {
  const versions = await Promise.all(
    daemons.map(async ({ pid, name }) => ({ version: await libvirtOfProcess(pid, sys), source: `${name} (${pid})` })),
  );
  const known = versions.flatMap(({ version, source }) => version === undefined ? [] : [{ version, source }]);
  return agreed(known) ?? installedLibvirt(sys);
}

interface Sighting {
  readonly version: Version;
  readonly source: string;
}

/** `undefined` where nothing was seen. */
function agreed(found: readonly Sighting[]): HostLibvirt | undefined {
  const [first] = found;
  if (first === undefined) return undefined;
  const texts = new Set(found.map(({ version }) => versionText(version)));
  if (texts.size === 1) return { kind: "known", ...first };
  const told = found.map(({ version, source }) => `${source} is ${versionText(version)}`).join(", ");
  return { kind: "unknown", reason: `there are several: ${told}` };
}

/** So many processes are looked at in one go: an argument list has its limit. */
const PROCESSES_AT_ONCE = 5_000;

/** The daemons of libvirt that run, by the names of all processes. Only root's count: anybody can call a program so. */
export async function runningDaemons(sys: Sys): Promise<readonly RunningDaemon[]> {
  const processes = await sys.kernel.list("/proc") ?? new Map<string, string | undefined>();
  const pids = [...processes.keys()].filter((name) => /^\d+$/.test(name)).map(Number);
  const daemons: RunningDaemon[] = [];
  for (let start = 0; start < pids.length; start += PROCESSES_AT_ONCE) {
    const part = pids.slice(start, start + PROCESSES_AT_ONCE);
    const stats = await sys.kernel.read(part.map(procStatPath));
    for (const pid of part) {
      const name = parseProcStat(stats.get(procStatPath(pid)) ?? "")?.name;
      if (name !== undefined && name in DRIVERS_OF_DAEMON) daemons.push({ pid, name });
    }
  }
  const statusOf = ({ pid }: RunningDaemon): string => `/proc/${pid}/status`;
  const statuses = await sys.kernel.read(daemons.map(statusOf));
  return daemons.filter((daemon) => /^Uid:\s+0\s/m.test(statuses.get(statusOf(daemon)) ?? ""));
}

/** What the history says of it. */
export async function untoldReasonNote(sys: Sys): Promise<string> {
  const running = await libvirtOfProcess(sys.ppid(), sys);
  const installed = running === undefined ? installedLibvirt(sys) : undefined;
  const version = installed?.kind === "known" ? installed.version : running;
  const name = version === undefined ? "libvirt (version unknown)" : `libvirt ${versionText(version)}`;
  return `shut-off reason not passed by ${name}: it is passed from ${REASON_SINCE} on, so rules with "reason" do not match`;
}
