/**
 * Where a guest lives: what its rule says, its document, or its network by its MAC. Never by its name, which a guest may
 * claim at will; and never outside the network that it is on.
 * @module
 */
import { type IpAddress, type IpFamily, parseIpAddress } from "../../plan/ip_address.ts";
import { isWithin, networkTexts } from "../../plan/ip_interval.ts";
import type { ForwardDemand, GuestAddress, GuestInterface } from "../../plan/nft_demand.ts";
import type { Sys } from "../../sys/sys.ts";
import { type GuestNetwork, type NetworkRange, readNetwork } from "./guest_network.ts";
import { readLeases } from "./leases.ts";
import { means } from "./rules.ts";

/** What looking for a guest came to. `waiting`: its network will give it an address. */
export type Whereabouts =
  | { readonly kind: "found"; readonly guest: GuestAddress }
  | { readonly kind: "waiting"; readonly networks: readonly string[] }
  | { readonly kind: "refused"; readonly reason: string; readonly hint?: string };

const TO = 'say where it is: to = "ADDRESS" in the rule\'s forward';

/** An interface with its network, where libvirt has one. */
interface Attached extends GuestInterface {
  readonly net: GuestNetwork | undefined;
}

/** What of the host tells where guests live. */
export interface Surroundings {
  network(name: string): Promise<GuestNetwork | undefined>;
  leases(network: GuestNetwork, mac: string): readonly string[];
}

/** The host's networks and leases, each network read once. */
export function surroundings(sys: Sys): Surroundings {
  const networks = new Map<string, Promise<GuestNetwork | undefined>>();
  return {
    network: (name) => {
      const known = networks.get(name) ?? readNetwork(name, sys);
      networks.set(name, known);
      return known;
    },
    leases: (network, mac) => readLeases(network, mac, sys),
  };
}

/** What finding a guest takes: who is meant, and the families that the rule's addresses leave. */
export type Sought = Pick<ForwardDemand, "to" | "interfaces" | "hostAddresses" | "from">;

/** Finds the guest of a demand. */
export async function findGuest(demand: Sought, around: Surroundings): Promise<Whereabouts> {
  const families = (["ipv4", "ipv6"] as const).filter((family) =>
    means(demand.hostAddresses, family) && means(demand.from, family)
  );
  if (families.length === 0) {
    return { kind: "refused", reason: "host_address and from are of different families, so nothing would come in" };
  }
  const attached: Attached[] = [];
  for (const one of demand.interfaces) {
    const net = one.network === null ? undefined : await around.network(one.network);
    if (net === undefined && one.network !== null) {
      return { kind: "refused", reason: `the guest's network ${JSON.stringify(one.network)} is not active` };
    }
    attached.push({ ...one, net });
  }
  return demand.to === null ? search(attached, families, around) : atGiven(demand.to, attached, families);
}

/** The rule's author is trusted, but may be mistaken. */
function atGiven(to: string, attached: readonly Attached[], families: readonly IpFamily[]): Whereabouts {
  const address = parseIpAddress(to);
  if (address === undefined) return { kind: "refused", reason: `${to} is no address` };
  if (!families.includes(address.family)) {
    return { kind: "refused", reason: `${to} is of another family than host_address or from` };
  }
  const networks = attached.flatMap(({ net }) => net === undefined ? [] : [net]);
  const home = networks.flatMap((net) => rangesOf(net, address).map((range) => ({ net, range })))[0];
  if (home !== undefined) {
    const problem = isOfHost(address, home.net) ? `${to} is the host's own address there` : undefined;
    return problem === undefined ? found(address, "rule", home) : { kind: "refused", reason: problem };
  }
  const known = networks.flatMap(({ ranges }) => ranges);
  if (known.length > 0) {
    const all = known.map(({ interval }) => networkTexts(interval).join(", ")).join(", ");
    return { kind: "refused", reason: `${to} is in no network of the guest (${all})` };
  }
  const guest = { address: address.text, network: null, isolated: false, source: "rule", on: null } as const;
  return { kind: "found", guest };
}

function search(attached: readonly Attached[], families: readonly IpFamily[], around: Surroundings): Whereabouts {
  const onNetworks = attached.filter((one): one is Attached & { readonly net: GuestNetwork } =>
    one.net !== undefined && one.net.ranges.some(({ interval }) => families.includes(interval.family))
  );
  for (const family of families) {
    for (const one of onNetworks) {
      const sources = [
        { source: "document", texts: one.addresses },
        { source: "reservation", texts: reserved(one.net, one.mac) },
        { source: "lease", texts: one.mac === null ? [] : around.leases(one.net, one.mac) },
      ] as const;
      for (const { source, texts } of sources) {
        const addresses = texts.map(parseIpAddress).filter((address) => address?.family === family);
        for (const address of addresses) {
          if (address === undefined) continue;
          const [range] = rangesOf(one.net, address);
          const problem = problemOf(address, range, one);
          if (problem !== undefined) return { kind: "refused", reason: problem };
          if (range !== undefined) return found(address, source, { net: one.net, range });
        }
      }
    }
  }
  const waiting = onNetworks.filter(({ net, mac }) => mac !== null && families.some((one) => net.gives.includes(one)))
    .map(({ net }) => net.name);
  if (waiting.length > 0) return { kind: "waiting", networks: waiting };
  return { kind: "refused", reason: "nothing on this host says at which address the guest lives", hint: TO };
}

/** Who may write a guest's document must not get at the host's services or at what is kept for another guest. */
function problemOf(address: IpAddress, range: NetworkRange | undefined, { net, mac }: Attached): string | undefined {
  if (net === undefined) return undefined;
  const text = address.text;
  const name = JSON.stringify(net.name);
  if (range === undefined) return `the guest's address ${text} is outside its network ${name}`;
  if (isOfHost(address, net)) return `the guest's address ${text} is the host's own on network ${name}`;
  const owner = net.reservations.find(({ ip }) => sameAddress(ip, address));
  if (owner === undefined || owner.mac === mac) return undefined;
  return `the guest's address ${text} is kept for another guest on network ${name}`;
}

function sameAddress(text: string, address: IpAddress): boolean {
  const parsed = parseIpAddress(text);
  return parsed?.family === address.family && parsed.bits === address.bits;
}

function isOfHost(address: IpAddress, { ranges }: GuestNetwork): boolean {
  return ranges.some(({ host }) => sameAddress(host, address));
}

function rangesOf({ ranges }: GuestNetwork, address: IpAddress): readonly NetworkRange[] {
  return ranges.filter(({ interval }) => isWithin(address, interval));
}

function reserved({ reservations }: GuestNetwork, mac: string | null): readonly string[] {
  return reservations.filter((one) => one.mac === mac).map(({ ip }) => ip);
}

function found(
  address: IpAddress,
  source: GuestAddress["source"],
  { net, range }: { readonly net: GuestNetwork; readonly range: NetworkRange },
): Whereabouts {
  const network = networkTexts(range.interval).join(", ");
  return {
    kind: "found",
    guest: { address: address.text, network, isolated: net.isolated, source, on: net.name },
  };
}
