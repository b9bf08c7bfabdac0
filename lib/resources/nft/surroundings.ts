/**
 * Host facts that determine guests' addresses: libvirt's networks, their leases, and the host's routes. Each is read
 * once, when first needed.
 * @module
 */
import type { AnyDemand } from "../../plan/demand.ts";
import type { IpAddress } from "../../net/ip_address.ts";
import { isWithin, parseInterval } from "../../net/ip_interval.ts";
import type { Sys } from "../../sys/sys.ts";
import { routeGet } from "../route_get.ts";
import { type GuestNetwork, networkNames, readNetwork } from "./guest_network.ts";
import { type Leases, readLeases } from "./leases.ts";

/** Looks up networks, leases and routes of the host. */
export interface NetworkLookup {
  /** Returns an active network; `undefined` if there is none with this name. */
  network(name: string): Promise<GuestNetwork | undefined>;
  /** Returns all active networks. */
  networks(): Promise<readonly GuestNetwork[]>;
  leases(network: GuestNetwork): Leases;
  /** Returns the devices to which the host sends packets for an address, including routes that the same plan sets. */
  devicesTo(address: IpAddress): Promise<readonly string[]>;
}

/** Creates a lookup for a plan. */
export function networkLookup(sys: Sys, plan: readonly AnyDemand[] = []): NetworkLookup {
  const networks = new Map<string, Promise<GuestNetwork | undefined>>();
  const leases = new Map<string | undefined, Leases>();
  const network = (name: string): Promise<GuestNetwork | undefined> => {
    const known = networks.get(name) ?? readNetwork(name, sys);
    networks.set(name, known);
    return known;
  };
  return {
    network,
    networks: async () => (await Promise.all(networkNames(sys).map(network))).filter((one) => one !== undefined),
    leases: ({ bridge }) => {
      const known = leases.get(bridge) ?? readLeases(bridge, sys);
      leases.set(bridge, known);
      return known;
    },
    devicesTo: async (address) => {
      const planned = plan.flatMap((one) => one.resource === "route" ? [one.demand] : []).filter(({ to }) => {
        const interval = parseInterval(to);
        return interval !== undefined && isWithin(address, interval);
      }).flatMap(({ dev }) => dev === undefined ? [] : [dev]);
      return planned.length > 0 ? planned : [(await routeGet(address, sys))?.dev].filter((dev) => dev !== undefined);
    },
  };
}
