/**
 * Decides whether a holder still exists, from libvirt's status files and the daemons that run. Never asks libvirt: a
 * hook that does deadlocks.
 * @module
 */
import { type Daemon, type DemandRecord, type Holder, holderId } from "./demand_file.ts";
import { wasRunning } from "./holder_file.ts";
import { daemonOf } from "./ledger.ts";
import {
  keepsStatus,
  lookAtDomain,
  lookAtNetwork,
  lookAtPort,
  type StatusResult,
  type StatusSys,
} from "../libvirt/status_files.ts";
import { parseProcStat, procStatPath } from "../sys/proc_stat.ts";
import type { Sys } from "../sys/sys.ts";
import { reasonOf } from "../text/reason_of.ts";

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

/** What is known of a holder. `stale`: nothing shows that it lives, but nothing proves that it is gone either. */
export type Liveness =
  | { readonly kind: "alive" }
  | { readonly kind: "dead"; readonly because: string }
  | { readonly kind: "stale"; readonly because: string }
  /** `isLate`: nothing was asked, as no time was left. */
  | { readonly kind: "unknown"; readonly because: string; readonly isLate?: true };

/** The verdict on a holder that nothing was asked about. */
export const NOT_ASSESSED: Liveness = {
  kind: "unknown",
  because: "not looked at: no time was left",
  isLate: true,
};

type Port = Holder & { readonly kind: "port" };
type Guest = Holder & { readonly kind: "domain" };

/** Drivers of guests that can have a port of a network; not all of them have hooks. */
const GUEST_DRIVERS = ["qemu", "lxc", "libxl", "ch", "bhyve"] as const;

/** Judges a holder by the demands it has. */
export async function assessLiveness(
  records: readonly DemandRecord[],
  daemons: DaemonView,
  sys: Sys,
): Promise<Liveness> {
  const [first] = records;
  if (first === undefined) return { kind: "unknown", because: "it holds nothing" };
  const { holder } = first;
  // In this order: libvirt has a status of a guest before a hook can note that it runs.
  const ran = await wasRunning(holder, sys);
  const look = lookAt(holder, sys);
  if (look.kind === "unreadable") return { kind: "unknown", because: look.reason };
  if (look.kind === "present" && !isOwnerGone(holder, sys)) return { kind: "alive" };
  const gone = look.kind === "absent"
    ? `libvirt has no status of it in ${look.folder}`
    : "libvirt has no status of its guest";
  if (ran) return { kind: "dead", because: `it ran, and ${gone} any more` };
  try {
    for (const record of records) {
      const [starter] = await startersOf(record, look, daemons);
      if (starter === undefined) continue;
      const because = `${gone}, but ${starter.name} (${starter.pid}) still runs and may be starting it`;
      return { kind: "stale", because };
    }
  } catch (error) {
    return { kind: "unknown", because: `${gone}. ${reasonOf(error)}` };
  }
  return { kind: "dead", because: `${gone}, and the daemon that started it is gone` };
}

function lookAt(holder: Holder, sys: StatusSys): StatusResult {
  switch (holder.kind) {
    case "domain":
      return lookAtDomain(holder, sys);
    case "network":
      return lookAtNetwork(holder, sys);
    case "port":
      return lookAtPort(holder, sys);
    default:
      return holder satisfies never;
  }
}

/**
 * Returns the daemons that may be starting the holder of a demand. If a port exists and its guest does not, that is a daemon of a guest
 * driver, which need not be the one that called the hook: with a daemon for each driver, networks have one of their own.
 */
async function startersOf(
  { daemon }: DemandRecord,
  { kind }: StatusResult,
  daemons: DaemonView,
): Promise<readonly Daemon[]> {
  // An earlier version does not tell when its hook began.
  if (kind === "present" && daemon.hookStartTime !== undefined) return await daemons.startersAt(daemon.hookStartTime);
  return await daemons.isRunning(daemon) ? [daemon] : [];
}

/**
 * Whether libvirt announces a port that its guest left behind: of a guest that was lost while it started, libvirt keeps the
 * port, and announces it at each start of the daemon. (A new port has no status yet when it is announced.)
 */
export function isLeftBehind(holder: Holder, sys: StatusSys): boolean {
  return holder.kind === "port" && lookAtPort(holder, sys).kind === "present" && isOwnerGone(holder, sys);
}

/** Whether a port is of a guest of which no driver has a status. */
function isOwnerGone(holder: Holder, sys: StatusSys): boolean {
  if (holder.kind !== "port" || holder.owner === undefined || holder.ownerName === undefined) return false;
  const { owner: uuid, ownerName: name } = holder;
  const drivers = GUEST_DRIVERS.filter((driver) => keepsStatus(driver, sys));
  return drivers.length > 0 &&
    drivers.every((driver) => lookAtDomain({ driver, name, uuid }, sys).kind === "absent");
}

/**
 * Whether a port ends with a guest of its owner's UUID. A port does not tell the driver of its owner, and one UUID can run under
 * two drivers: a port that may be of the other guest ends with that one.
 */
export function endsWithGuest(port: Port, guest: Guest, sys: StatusSys): boolean {
  if (port.owner !== guest.uuid) return false;
  if (port.ownerName !== undefined && port.ownerName !== guest.name) return false;
  const others = GUEST_DRIVERS.filter((driver) => driver !== guest.driver && keepsStatus(driver, sys));
  return others.every((driver) => lookAtDomain({ ...guest, driver }, sys).kind === "absent");
}

/** Groups demands by holder. */
export function byHolder<Item extends { readonly record: DemandRecord }>(
  items: readonly Item[],
): readonly (readonly [Item, ...Item[]])[] {
  const groups = new Map<string, [Item, ...Item[]]>();
  for (const item of items) {
    const group = groups.get(holderId(item.record.holder));
    if (group === undefined) groups.set(holderId(item.record.holder), [item]);
    else group.push(item);
  }
  return [...groups.values()];
}
