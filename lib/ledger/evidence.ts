/**
 * Who is dead? Never guessed: libvirt has no status file of a guest while it starts, and a hook must not ask libvirt.
 * @module
 */
import { procStatPath } from "../sys/proc_stat.ts";
import type { Sys } from "../sys/sys.ts";
import type { DemandRecord } from "./demand_file.ts";
import { type Holder, holderId } from "./holder.ts";
import { wasRunning } from "./holder_file.ts";
import { daemonOf } from "./ledger.ts";

/** What is known of a holder. `stale`: nothing shows that it lives, but nothing proves that it is gone either. */
export type Verdict =
  | { readonly kind: "alive" }
  | { readonly kind: "dead"; readonly because: string }
  | { readonly kind: "stale"; readonly because: string }
  | { readonly kind: "unknown"; readonly because: string };

/** Where libvirt keeps a status file for each running guest, active network and port (`stateDir` of each driver). */
export const STATUS_DIRECTORY = "/run/libvirt";
const NETWORK_STATUS = `${STATUS_DIRECTORY}/network`;
/** The drivers whose guests can have a port of a network; not each of them has hooks. */
const GUEST_DRIVERS = ["qemu", "lxc", "libxl", "ch", "bhyve"] as const;
const STATUS_BYTES_MAX = 16 * 1024 * 1024;

/** Judges a holder by the demands it has. */
export async function judge(records: readonly DemandRecord[], sys: Sys): Promise<Verdict> {
  const [first] = records;
  if (first === undefined) return { kind: "unknown", because: "it holds nothing" };
  const { holder } = first;
  const folder = statusFolder(holder);
  // A network that never had a port has no folder for them.
  const isNone = holder.kind === "port" && isFolder(NETWORK_STATUS, sys) && !isFolder(folder, sys);
  const texts = isNone ? [] : statusTexts(folder, sys);
  if (texts === undefined) return { kind: "unknown", because: `${folder} cannot be read` };
  const isKnown = texts.some((text) => text.includes(holder.uuid));
  if (isKnown && !isOwnerGone(holder, sys)) return { kind: "alive" };
  const gone = isKnown ? "libvirt has no status of its guest" : `libvirt has no status of it in ${folder}`;
  if (await wasRunning(holder, sys)) return { kind: "dead", because: `it ran, and ${gone} any more` };
  for (const { daemon } of records) {
    if (await isRunning(daemon, sys)) {
      return {
        kind: "stale",
        because: `${gone}, but ${daemon.name} (${daemon.pid}) still runs and may be starting it`,
      };
    }
  }
  return { kind: "dead", because: `${gone}, and the daemon that started it is gone` };
}

function statusFolder(holder: Holder): string {
  switch (holder.kind) {
    case "domain":
      return `${STATUS_DIRECTORY}/${holder.driver}`;
    case "network":
      return NETWORK_STATUS;
    case "port":
      return `${NETWORK_STATUS}/${holder.name}/ports`;
    default:
      return holder satisfies never;
  }
}

/**
 * Whether libvirt announces a port that its guest left behind: of a guest that was lost while it started, libvirt keeps the
 * port, and announces it at each start of the daemon. (A new port has no status yet when it is announced.)
 */
export function isLeftBehind(holder: Holder, sys: Sys): boolean {
  if (holder.kind !== "port" || sys.lstat(`${statusFolder(holder)}/${holder.uuid}.xml`) === undefined) return false;
  return isOwnerGone(holder, sys);
}

/** Whether a port is of a guest of which no driver has a status. */
function isOwnerGone(holder: Holder, sys: Sys): boolean {
  if (holder.kind !== "port" || holder.owner === undefined) return false;
  const { owner } = holder;
  const folders = GUEST_DRIVERS.map((driver) => `${STATUS_DIRECTORY}/${driver}`).filter((path) => isFolder(path, sys));
  return folders.length > 0 &&
    folders.every((folder) => statusTexts(folder, sys)?.some((text) => text.includes(owner)) === false);
}

function isFolder(path: string, sys: Pick<Sys, "lstat">): boolean {
  return sys.lstat(path)?.kind === "directory";
}

/** The status files of a folder; `undefined` where the folder, or one of them, cannot be read: then nobody knows. */
function statusTexts(folder: string, sys: Sys): readonly string[] | undefined {
  try {
    const names = sys.readDirectory(folder);
    if (names === undefined) return undefined;
    return names.filter((name) => name.endsWith(".xml")).flatMap((name) => {
      const path = `${folder}/${name}`;
      return sys.lstat(path)?.kind === "file" ? [sys.readTextFile(path, STATUS_BYTES_MAX)] : [];
    });
  } catch {
    // Also a file that went while we read: the next look decides.
    return undefined;
  }
}

/** Whether a daemon is still the process it was. */
async function isRunning(daemon: DemandRecord["daemon"], sys: Sys): Promise<boolean> {
  const stat = await sys.kernel.read([procStatPath(daemon.pid)]);
  return stat.size > 0 && daemonOf(daemon.pid, stat).startTime === daemon.startTime;
}

/** Groups demands by who holds them. */
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
