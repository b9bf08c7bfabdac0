/**
 * Guests that have lost their place on a bridge. When a network of libvirt is stopped its bridge goes, and the guests' devices are
 * on no bridge any more, also after the network has started again: libvirt puts them back when its daemon for the guests starts.
 * @module
 */
import type { GuestEnd, GuestInterface } from "../../plan/nft_demand.ts";
import type { Sys } from "../../sys/sys.ts";
import type { Surroundings } from "./surroundings.ts";

/** An interface of a guest that runs, as libvirt's status of the guest has it. */
export interface LiveInterface {
  readonly mac: string | undefined;
  /** The host's end: `vnet0`. */
  readonly target: string | undefined;
}

/** A device that is on no bridge. */
export interface Unplugged {
  readonly dev: string;
  /** The bridge that it was on, where that can be told. */
  readonly bridge: string | undefined;
  /** The network of the bridge, where that network is not active. */
  readonly stopped: string | undefined;
}

/**
 * The device by which a guest should be reached, where none of its interfaces that are meant is on a bridge; `undefined` where one
 * is, and where that cannot be told.
 */
export async function findUnplugged(
  { guest, awaited, interfaces }: GuestEnd,
  live: readonly LiveInterface[],
  { around, sys }: { readonly around: Pick<Surroundings, "network">; readonly sys: Pick<Sys, "lstat"> },
): Promise<Unplugged | undefined> {
  const isMeant = ({ mac, network }: GuestInterface): boolean => {
    if (guest === null) return network === null || awaited === null || awaited.networks.includes(network);
    return (guest.mac === null || guest.mac === mac) && (network === null || guest.on === null || guest.on === network);
  };
  let found: Unplugged | undefined;
  for (const one of interfaces.filter(isMeant)) {
    const net = one.network === null ? undefined : await around.network(one.network);
    const bridge = one.bridge ?? net?.bridge;
    const stopped = net === undefined ? one.network ?? undefined : undefined;
    // macvtap, for example, knows no bridge.
    if (bridge === undefined && stopped === undefined) continue;
    const dev = live.find(({ mac }) => mac !== undefined && mac === one.mac)?.target;
    if (dev === undefined || dev.includes("/") || sys.lstat(`/sys/class/net/${dev}`) === undefined) return undefined;
    if (sys.lstat(`/sys/class/net/${dev}/master`) !== undefined) return undefined;
    found ??= { dev, bridge, stopped };
  }
  return found;
}
