/**
 * Finds the address of a guest: in its rule, in its document, or by its MAC address in its network. Never by its name, which a
 * guest may claim at will.
 * @module
 */
import { type IpAddress, type IpFamily, parseIpAddress } from "../../net/ip_address.ts";
import { familiesMeant, isWithin, networkTexts } from "../../net/ip_interval.ts";
import type { AwaitedAddress, ForwardDemand, GuestAddress, GuestInterface } from "../../plan/nft_demand.ts";
import type { GuestNetwork, NetworkRange } from "./guest_network.ts";
import type { Surroundings } from "./surroundings.ts";

/** What looking for a guest came to. `waiting`: its network will give it an address. */
export type GuestLocation =
  | { readonly kind: "found"; readonly guest: GuestAddress }
  | { readonly kind: "waiting"; readonly awaited: AwaitedAddress }
  | { readonly kind: "refused"; readonly reason: string; readonly hint?: string };

const TO = 'say where it is: to = "ADDRESS" in the rule\'s forward';

/** An interface with its network, where libvirt has one. */
interface Attached extends GuestInterface {
  readonly net: GuestNetwork | undefined;
}

/** An interface on a network of libvirt. */
interface OnNetwork extends Attached {
  readonly net: GuestNetwork;
}

/** What finding a guest takes. */
export interface GuestQuery extends Pick<ForwardDemand, "to" | "network" | "interfaces" | "hostAddresses" | "from"> {
  /** The only family that is meant: that of the address which the guest has had, or waits for, since it started. */
  readonly family?: IpFamily | null;
  /**
   * Whether a lease counts before a reservation. A guest that runs has the address of its lease until it asks again, whatever
   * is reserved for it meanwhile; one that starts asks, and gets what is reserved.
   */
  readonly isLeaseFirst?: boolean;
}

/** Finds the guest of a demand. */
export async function findGuest(sought: GuestQuery, around: Surroundings): Promise<GuestLocation> {
  const families = familiesMeant(sought.hostAddresses, sought.from);
  if (families.length === 0) {
    return { kind: "refused", reason: "host_address and from are of different families, so nothing would come in" };
  }
  const attached: Attached[] = [];
  for (const one of sought.interfaces) {
    const net = await networkOf(one, around);
    if (net === undefined && one.network !== null) {
      return { kind: "refused", reason: `the guest's network ${JSON.stringify(one.network)} is not active` };
    }
    if (sought.network === null || sought.network === net?.name) attached.push({ ...one, net });
  }
  if (sought.to !== null) return await atGiven(sought.to, { attached, families, around });
  if (attached.length === 0) {
    return { kind: "refused", reason: `the guest has no interface on network ${JSON.stringify(sought.network)}` };
  }
  const { family = null, isLeaseFirst = false } = sought;
  return search(attached, families.filter((one) => family === null || one === family), { isLeaseFirst, around });
}

/** An interface on a bridge that an active network of libvirt has made is one of that network, as a guest's document may say. */
async function networkOf({ network, bridge }: GuestInterface, around: Surroundings): Promise<GuestNetwork | undefined> {
  if (network !== null) return await around.network(network);
  return bridge === null ? undefined : (await around.networks()).find((one) => one.bridge === bridge);
}

/** The rule's author is trusted, but may be mistaken. */
async function atGiven(
  to: string,
  { attached, families, around }: {
    readonly attached: readonly Attached[];
    readonly families: readonly IpFamily[];
    readonly around: Surroundings;
  },
): Promise<GuestLocation> {
  const address = parseIpAddress(to);
  if (address === undefined) return { kind: "refused", reason: `${to} is no address` };
  if (!families.includes(address.family)) {
    return { kind: "refused", reason: `${to} is of another family than host_address or from` };
  }
  const networks = attached.flatMap(({ net }) => net === undefined ? [] : [net]);
  const home = networks.flatMap((net) => rangesOf(net, address).map((range) => ({ net, range })))[0];
  if (home !== undefined) {
    const problem = isOfHost(address, home.net) ? `${to} is the host's own address there` : undefined;
    return problem === undefined
      ? found(address, { source: "rule", mac: null, ...home })
      : { kind: "refused", reason: problem };
  }
  if (networks.every(({ ranges }) => ranges.length === 0)) {
    return {
      kind: "found",
      guest: { address: address.text, network: null, isolated: false, source: "rule", on: null, mac: null },
    };
  }
  return await routedTo(address, attached, around);
}

/** An address outside the guest's networks is taken where this host sends its packets to a bridge that the guest is on. */
async function routedTo(
  address: IpAddress,
  attached: readonly Attached[],
  around: Surroundings,
): Promise<GuestLocation> {
  const bridges = attached.flatMap(({ bridge, net }) => [bridge, net?.bridge ?? null])
    .filter((bridge) => bridge !== null);
  const devices = await around.devicesTo(address);
  if (devices.includes("lo")) return { kind: "refused", reason: `${address.text} is an address of this host itself` };
  const bridge = devices.find((one) => bridges.includes(one));
  if (bridge !== undefined) {
    const net = attached.find((one) => one.net?.bridge === bridge)?.net;
    const range = net?.ranges.find(({ interval }) => interval.family === address.family);
    const network = range === undefined ? null : networkTexts(range.interval).join(", ");
    const isolated = net?.isolated ?? false;
    return {
      kind: "found",
      guest: { address: address.text, network, isolated, source: "rule", on: net?.name ?? null, mac: null },
    };
  }
  const all = attached.flatMap(({ net }) => net?.ranges ?? []).flatMap(({ interval }) => networkTexts(interval));
  const way = devices.length === 0 ? "this host has no route to it" : `this host's route to it is by ${devices.join()}`;
  return {
    kind: "refused",
    reason: `${address.text} is in no network of the guest (${all.join(", ")}), and ${way}`,
    hint: `set a route to it, routes = { to = "${address.text}", dev = ${JSON.stringify(bridges[0] ?? "BRIDGE")} }; ` +
      'or select the interface that has it: mac = "MAC" beside to',
  };
}

/** How a search goes about it. */
interface Search {
  readonly isLeaseFirst: boolean;
  readonly around: Surroundings;
}

function search(
  attached: readonly Attached[],
  families: readonly IpFamily[],
  { isLeaseFirst, around }: Search,
): GuestLocation {
  const onNetworks = attached.filter((one): one is OnNetwork =>
    one.net !== undefined && one.net.ranges.some(({ interval }) => families.includes(interval.family))
  );
  // Where its network gives addresses of both families, the guest's first lease may be of either: the family is decided before.
  const family = families.find((one) => onNetworks.some((on) => canLease(on, one)));
  const lease = family === undefined ? undefined : leaseOf(onNetworks, family, around);
  const steps = isLeaseFirst
    ? [() => told(onNetworks, families, ["document"]), lease?.find, () => told(onNetworks, families, ["reservation"])]
    : [() => told(onNetworks, families, ["document", "reservation"]), lease?.find];
  for (const step of steps) {
    const where = step?.();
    if (where !== undefined) return where;
  }
  if (lease !== undefined) return { kind: "waiting", awaited: lease.awaited() };
  return { kind: "refused", reason: "nothing on this host says at which address the guest lives", hint: TO };
}

function canLease({ net, mac }: OnNetwork, family: IpFamily): boolean {
  return mac !== null && net.gives.includes(family);
}

/** What the document and the network say, without the guest having asked. */
function told(
  onNetworks: readonly OnNetwork[],
  families: readonly IpFamily[],
  sources: readonly ("document" | "reservation")[],
): GuestLocation | undefined {
  for (const family of families) {
    for (const one of onNetworks) {
      for (const source of sources) {
        const texts = source === "document" ? one.addresses : reserved(one.net, one.mac);
        const address = texts.map(parseIpAddress).find((parsed) => parsed?.family === family);
        if (address === undefined) continue;
        const [range] = rangesOf(one.net, address);
        const reason = problemOf(address, range, one);
        if (reason !== undefined) return { kind: "refused", reason };
        if (range !== undefined) return found(address, { source, mac: one.mac, net: one.net, range });
      }
    }
  }
  return undefined;
}

/** Looks for a lease of a family; what is awaited is known once it has been looked for. */
function leaseOf(
  onNetworks: readonly OnNetwork[],
  family: IpFamily,
  around: Surroundings,
): { readonly find: () => GuestLocation | undefined; readonly awaited: () => AwaitedAddress } {
  const asking = onNetworks.filter((one) => canLease(one, family));
  const problems = new Set<string>();
  return {
    find: () => {
      for (const { mac, net, ...one } of asking) {
        const leases = around.leases(net);
        if (leases.kind === "unreadable") problems.add(leases.reason);
        if (leases.kind === "unreadable" || mac === null) continue;
        for (const address of leases.of(mac).map(parseIpAddress)) {
          if (address?.family !== family) continue;
          const [range] = rangesOf(net, address);
          // A lease from before the network changed is refused by dnsmasq when the guest next asks: the next one is awaited.
          const isGood = problemOf(address, range, { ...one, mac, net }) === undefined;
          if (isGood && range !== undefined) return found(address, { source: "lease", mac, net, range });
        }
      }
      return undefined;
    },
    awaited: () => ({
      family,
      networks: [...new Set(asking.map(({ net }) => net.name))],
      problem: problems.size === 0 ? null : [...problems].join("; "),
    }),
  };
}

/** Who may write a guest's document must not get at the host's services or at what is kept for another guest. */
function problemOf(address: IpAddress, range: NetworkRange | undefined, { net, mac }: OnNetwork): string | undefined {
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
  { source, mac, net, range }: Pick<GuestAddress, "source" | "mac"> & {
    readonly net: GuestNetwork;
    readonly range: NetworkRange;
  },
): GuestLocation {
  const network = networkTexts(range.interval).join(", ");
  return {
    kind: "found",
    guest: { address: address.text, network, isolated: net.isolated, source, on: net.name, mac },
  };
}
