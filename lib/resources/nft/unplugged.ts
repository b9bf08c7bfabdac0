/**
 * Finds guests whose devices are on no bridge. When a libvirt network is stopped, its bridge is removed and the
 * guests' devices are left without one, also after the network has started again: libvirt reattaches them when its
 * daemon for the guests starts.
 * @module
 */
import type { GuestEnd, GuestInterface } from "../../plan/nft_demand.ts";
import type { Sys } from "../../sys/sys.ts";
import type { NetworkLookup } from "./surroundings.ts";

/** An interface of a running guest, from libvirt's status of the guest. */
export interface LiveInterface {
  readonly mac: string | undefined;
  /** The host's device: `vnet0`. */
  readonly target: string | undefined;
}

/** A device without a bridge. */
export interface Unplugged {
  readonly dev: string;
  /** The bridge that the device was on, if it is known. */
  readonly bridge: string | undefined;
  /** The network of the bridge, if it is not active. */
  readonly stopped: string | undefined;
}

/**
 * Returns the device of a guest if none of its relevant interfaces is on a bridge; `undefined` if one is, or if this
 * is unknown.
 */
export async function findUnplugged(
  { guest, awaited, interfaces }: GuestEnd,
  live: readonly LiveInterface[],
  { lookup, sys }: { readonly lookup: Pick<NetworkLookup, "network">; readonly sys: Pick<Sys, "lstat"> },
): Promise<Unplugged | undefined> {
  const isRelevant = ({ mac, network }: GuestInterface): boolean => {
    if (guest === null) return network === null || awaited === null || awaited.networks.includes(network);
    return (guest.mac === null || guest.mac === mac) && (network === null || guest.on === null || guest.on === network);
  };
  let found: Unplugged | undefined;
  for (const one of interfaces.filter(isRelevant)) {
    const net = one.network === null ? undefined : await lookup.network(one.network);
    const bridge = one.bridge ?? net?.bridge;
    const stopped = net === undefined ? one.network ?? undefined : undefined;
    // Some interface types, such as macvtap, use no bridge.
    if (bridge === undefined && stopped === undefined) continue;
    const dev = live.find(({ mac }) => mac !== undefined && mac === one.mac)?.target;
    if (dev === undefined || dev.includes("/") || sys.lstat(`/sys/class/net/${dev}`) === undefined) return undefined;
    if (sys.lstat(`/sys/class/net/${dev}/master`) !== undefined) return undefined;
    found ??= { dev, bridge, stopped };
  }
  return found;
}
