/**
 * libvirt's daemons, as processes: which of them still run, and which may be starting a guest.
 * @module
 */
import { parseProcStat, procStatPath } from "../sys/proc_stat.ts";
import type { Sys } from "../sys/sys.ts";
import type { Daemon } from "./demand_file.ts";
import { daemonOf } from "./ledger.ts";

/** The daemons that start guests; `virtnetworkd` starts none. The kernel keeps 15 bytes of a program's name. */
const GUEST_DAEMONS: ReadonlySet<string> = new Set(["libvirtd", "virtqemud", "virtlxcd", "virtxend", "virtchd"]);

/** The daemons that run. Each question is put to the kernel once: thousands of demands name the same few daemons. */
export interface DaemonView {
  /** Whether a daemon is still the process it was. */
  isRunning(daemon: Daemon): Promise<boolean>;
  /**
   * The daemons that may be starting the guest for which a hook was called: those that ran already when the hook began.
   * @throws {Error} when that cannot be told
   */
  startersAt(hookStartTime: string): Promise<readonly Daemon[]>;
}

/** Looks at daemons. A view is for one pass over the ledger: daemons come and go. */
export function viewDaemons(sys: Sys): DaemonView {
  const running = new Map<string, Promise<boolean>>();
  let processes: Promise<Processes> | undefined;
  return {
    isRunning: (daemon) => {
      const id = `${daemon.pid} ${daemon.startTime}`;
      const known = running.get(id) ?? isRunning(daemon, sys);
      running.set(id, known);
      return known;
    },
    startersAt: async (hookStartTime) => {
      processes ??= lookAtProcesses(sys);
      const { guestDaemons, ourStartTime } = await processes;
      const startTime = Number(hookStartTime);
      // The daemon that called it may have begun after we looked.
      if (!(startTime < ourStartTime)) {
        throw new Error("Cannot tell which daemon called its hook: it began after this program");
      }
      return guestDaemons.filter((daemon) => Number(daemon.startTime) <= startTime);
    },
  };
}

async function isRunning({ pid, startTime }: Daemon, sys: Sys): Promise<boolean> {
  const stat = await sys.kernel.read([procStatPath(pid)]);
  return stat.size > 0 && daemonOf(pid, stat).startTime === startTime;
}

interface Processes {
  readonly guestDaemons: readonly Daemon[];
  readonly ourStartTime: number;
}

/** Any user can give a program a daemon's name; only root's are daemons that serve this host. */
async function lookAtProcesses(sys: Sys): Promise<Processes> {
  const pids = [...(await sys.kernel.list("/proc") ?? new Map()).keys()].filter((name) => /^\d+$/.test(name)).map(
    Number,
  );
  const stats = await sys.kernel.read(pids.map(procStatPath));
  const ours = parseProcStat(stats.get(procStatPath(sys.pid)) ?? "");
  if (ours === undefined) throw new Error("Cannot tell which daemons run: /proc has no entry of this program");
  const named = pids.map((pid) => daemonOf(pid, stats)).filter(({ name }) => GUEST_DAEMONS.has(name));
  const facts = await sys.kernel.read(named.map(({ pid }) => `/proc/${pid}/status`));
  const guestDaemons = named.filter(({ pid }) => /^Uid:\t\d+\t0\t/m.test(facts.get(`/proc/${pid}/status`) ?? ""));
  return { guestDaemons, ourStartTime: Number(ours.startTime) };
}
