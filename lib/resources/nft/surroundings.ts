/**
 * What of the host tells where guests live: libvirt's networks, their leases, and the host's routes. Each is read once, when it
 * is first asked for.
 * @module
 */
import type { AnyDemand } from "../../plan/demand.ts";
import type { IpAddress } from "../../net/ip_address.ts";
import { isWithin, parseInterval } from "../../net/ip_interval.ts";
import type { Sys } from "../../sys/sys.ts";
import { routeGet } from "../route_get.ts";
import { type GuestNetwork, networkNames, readNetwork } from "./guest_network.ts";
import { type Leases, readLeases } from "./leases.ts";

/** What of the host tells where guests live. */
export interface Surroundings {
  /** An active network; `undefined` where there is none of this name. */
  network(name: string): Promise<GuestNetwork | undefined>;
  /** All active networks. */
  networks(): Promise<readonly GuestNetwork[]>;
  leases(network: GuestNetwork): Leases;
  /** The devices to which this host sends packets for an address, also by routes that the same plan sets. */
  devicesTo(address: IpAddress): Promise<readonly string[]>;
}

/** The surroundings of a plan. */
export function surroundings(sys: Sys, plan: readonly AnyDemand[] = []): Surroundings {
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
