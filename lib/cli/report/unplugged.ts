/**
 * Guests with forwarded or opened ports that are on no bridge, for `status`.
 * @module
 */
import { readLiveGuest } from "../../libvirt/status_guests.ts";
import { type DemandRecord, holderId, type StoredDemand } from "../../ledger/demand_file.ts";
import type { DriverName } from "../../libvirt/driver.ts";
import { domainInterfaces } from "../../libvirt/interfaces.ts";
import { quote } from "../../text/quote.ts";
import { guestEndIn } from "../../resources/nft.ts";
import { networkLookup } from "../../resources/nft/surroundings.ts";
import { findUnplugged, type LiveInterface, type Unplugged } from "../../resources/nft/unplugged.ts";
import type { Sys } from "../../sys/sys.ts";

/** The daemon of each driver's guests, where libvirt has a daemon for each driver. */
const DAEMONS = { qemu: "virtqemud", lxc: "virtlxcd", libxl: "virtxend" } as const satisfies Partial<
  Record<DriverName, string>
>;

/** Why a guest cannot be reached by a demand's ports, by the path of the demand's file. */
export async function findUnpluggedDemands(
  demands: readonly StoredDemand[],
  sys: Sys,
): Promise<ReadonlyMap<string, string>> {
  const lookup = networkLookup(sys);
  const live = new Map<string, readonly LiveInterface[] | undefined>();
  const found = new Map<string, string>();
  for (const { path, record } of demands) {
    const { holder, demand, resource } = record;
    const end = resource === "nft" ? guestEndIn(demand) : undefined;
    if (end === undefined || holder.kind !== "domain") continue;
    const id = holderId(holder);
    const interfaces = live.has(id) ? live.get(id) : liveInterfaces(record, sys);
    live.set(id, interfaces);
    const unplugged = interfaces && await findUnplugged(end, interfaces, { lookup, sys });
    if (unplugged !== undefined) found.set(path, textOf(record, unplugged));
  }
  return found;
}

/** libvirt's status tells the host's end of each interface; `undefined` where it cannot be read, which is told elsewhere. */
function liveInterfaces({ holder }: DemandRecord, sys: Sys): readonly LiveInterface[] | undefined {
  if (holder.kind !== "domain") return undefined;
  const guest = readLiveGuest(holder.driver, holder.name, sys);
  return guest?.kind === "guest" ? domainInterfaces(guest.call.xml().root) : undefined;
}

function textOf({ holder, daemon }: DemandRecord, { dev, bridge, stopped }: Unplugged): string {
  const own = Object.entries(DAEMONS).find(([driver]) => holder.kind === "domain" && driver === holder.driver)?.[1];
  const isKnown = daemon.name === "libvirtd" || daemon.name === own;
  const name = isKnown ? daemon.name : ["libvirtd", ...own === undefined ? [] : [own]].join(" or ");
  const start = stopped === undefined ? "" : `virsh net-start ${quote(stopped)}, then `;
  return `guest ${quote(holder.name)} is not on ${
    bridge === undefined ? "its bridge" : `bridge ${bridge}`
  }: its device ${dev} is on no bridge, as after a restart of its ` +
    `network; cure: ${start}restart libvirt's daemon (systemctl restart ${name})`;
}
