/**
 * Finds a guest's address: in its rule, in its document, or by its MAC address in its network. Never by its host
 * name, which a guest may choose freely.
 * @module
 */
import { type IpAddress, type IpFamily, parseIpAddress } from "../../net/ip_address.ts";
import { familiesMeant, isWithin, networkTexts } from "../../net/ip_interval.ts";
import type { AwaitedAddress, ForwardDemand, GuestAddress, GuestInterface } from "../../plan/nft_demand.ts";
import type { GuestNetwork, NetworkRange } from "./guest_network.ts";
import type { NetworkLookup } from "./surroundings.ts";

/** The result of looking for a guest. `waiting`: its network will assign an address. */
export type GuestLocation =
  | { readonly kind: "found"; readonly guest: GuestAddress }
  | { readonly kind: "waiting"; readonly awaited: AwaitedAddress }
  | { readonly kind: "refused"; readonly reason: string; readonly hint?: string };

const TO_HINT = 'set it: to = "ADDRESS" in the rule\'s forward';

/** A guest's interface, with its libvirt network if there is one. */
interface AttachedInterface extends GuestInterface {
  readonly net: GuestNetwork | undefined;
}

/** An interface on a libvirt network. */
interface NetworkInterface extends AttachedInterface {
  readonly net: GuestNetwork;
}

/** What identifies a guest and its address. */
export interface GuestQuery extends Pick<ForwardDemand, "to" | "network" | "interfaces" | "hostAddresses" | "from"> {
  /** The only family to consider: that of the address which the guest has had, or has waited for, since it started. */
  readonly family?: IpFamily | null;
  /**
   * Whether a lease takes precedence over a reservation. A running guest keeps the address of its lease until it
   * renews it, whatever is reserved meanwhile; a guest that starts requests an address and gets the reserved one.
   */
  readonly isLeaseFirst?: boolean;
}

/** Finds the address of a guest. */
export async function findGuest(query: GuestQuery, lookup: NetworkLookup): Promise<GuestLocation> {
  const families = familiesMeant(query.hostAddresses, query.from);
  if (families.length === 0) {
    return {
      kind: "refused",
      reason: "host_address and from are of different families, so no packets would be forwarded",
    };
  }
  const attached: AttachedInterface[] = [];
  for (const one of query.interfaces) {
    const net = await networkOf(one, lookup);
    if (net === undefined && one.network !== null) {
      return { kind: "refused", reason: `the guest's network ${JSON.stringify(one.network)} is not active` };
    }
    if (query.network === null || query.network === net?.name) attached.push({ ...one, net });
  }
  if (query.to !== null) return await locateRuleAddress(query.to, { attached, families, lookup });
  if (attached.length === 0) {
    return { kind: "refused", reason: `the guest has no interface on network ${JSON.stringify(query.network)}` };
  }
  const { family = null, isLeaseFirst = false } = query;
  return search(attached, families.filter((one) => family === null || one === family), { isLeaseFirst, lookup });
}

/**
 * Returns the libvirt network of an interface. An interface on a bridge that belongs to an active network is on that
 * network, as a guest's document may state.
 */
async function networkOf(
  { network, bridge }: GuestInterface,
  lookup: NetworkLookup,
): Promise<GuestNetwork | undefined> {
  if (network !== null) return await lookup.network(network);
  return bridge === null ? undefined : (await lookup.networks()).find((one) => one.bridge === bridge);
}

/** Checks the address that a rule gives. The rule's author is trusted but may be mistaken. */
async function locateRuleAddress(
  to: string,
  { attached, families, lookup }: {
    readonly attached: readonly AttachedInterface[];
    readonly families: readonly IpFamily[];
    readonly lookup: NetworkLookup;
  },
): Promise<GuestLocation> {
  const address = parseIpAddress(to);
  if (address === undefined) return { kind: "refused", reason: `${to} is no address` };
  if (!families.includes(address.family)) {
    return { kind: "refused", reason: `${to} is of another family than host_address or from` };
  }
  const networks = attached.flatMap(({ net }) => net === undefined ? [] : [net]);
  const match = networks.flatMap((net) => rangesOf(net, address).map((range) => ({ net, range })))[0];
  if (match !== undefined) {
    const problem = isOfHost(address, match.net) ? `${to} is the host's own address there` : undefined;
    return problem === undefined
      ? foundLocation(address, { source: "rule", mac: null, ...match })
      : { kind: "refused", reason: problem };
  }
  if (networks.every(({ ranges }) => ranges.length === 0)) {
    return {
      kind: "found",
      guest: { address: address.text, network: null, isolated: false, source: "rule", on: null, mac: null },
    };
  }
  return await locateRoutedAddress(address, attached, lookup);
}

/** Checks an address outside the guest's networks: the host must route it to one of the guest's bridges. */
async function locateRoutedAddress(
  address: IpAddress,
  attached: readonly AttachedInterface[],
  lookup: NetworkLookup,
): Promise<GuestLocation> {
  const bridges = attached.flatMap(({ bridge, net }) => [bridge, net?.bridge ?? null])
    .filter((bridge) => bridge !== null);
  const devices = await lookup.devicesTo(address);
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
  const routeText = devices.length === 0
    ? "this host has no route to it"
    : `this host's route to it is by ${devices.join()}`;
  return {
    kind: "refused",
    reason: `${address.text} is in no network of the guest (${all.join(", ")}), and ${routeText}`,
    hint: `set a route to it, routes = { to = "${address.text}", dev = ${JSON.stringify(bridges[0] ?? "BRIDGE")} }; ` +
      'or select the interface that has it: mac = "MAC" beside to',
  };
}

/** Options of a search. */
interface SearchContext {
  readonly isLeaseFirst: boolean;
  readonly lookup: NetworkLookup;
}

function search(
  attached: readonly AttachedInterface[],
  families: readonly IpFamily[],
  { isLeaseFirst, lookup }: SearchContext,
): GuestLocation {
  const onNetworks = attached.filter((one): one is NetworkInterface =>
    one.net !== undefined && one.net.ranges.some(({ interval }) => families.includes(interval.family))
  );
  // If the network assigns addresses of both families, the guest's first lease may be of either, so the family is
  // chosen in advance.
  const family = families.find((one) => onNetworks.some((network) => usesDhcp(network, one)));
  const lease = family === undefined ? undefined : leaseSearch(onNetworks, family, lookup);
  const steps = isLeaseFirst
    ? [
      () => addressFrom(onNetworks, families, ["document"]),
      lease?.find,
      () => addressFrom(onNetworks, families, ["reservation"]),
    ]
    : [() => addressFrom(onNetworks, families, ["document", "reservation"]), lease?.find];
  for (const step of steps) {
    const location = step?.();
    if (location !== undefined) return location;
  }
  if (lease !== undefined) return { kind: "waiting", awaited: lease.awaited() };
  return { kind: "refused", reason: "the guest's address is unknown on this host", hint: TO_HINT };
}

function usesDhcp({ net, mac }: NetworkInterface, family: IpFamily): boolean {
  return mac !== null && net.dhcpFamilies.includes(family);
}

/** Finds an address in the document or in the network's reservations. */
function addressFrom(
  onNetworks: readonly NetworkInterface[],
  families: readonly IpFamily[],
  sources: readonly ("document" | "reservation")[],
): GuestLocation | undefined {
  for (const family of families) {
    for (const one of onNetworks) {
      for (const source of sources) {
        const texts = source === "document" ? one.addresses : reservationsOf(one.net, one.mac);
        const address = texts.map(parseIpAddress).find((parsed) => parsed?.family === family);
        if (address === undefined) continue;
        const [range] = rangesOf(one.net, address);
        const reason = problemOf(address, range, one);
        if (reason !== undefined) return { kind: "refused", reason };
        if (range !== undefined) return foundLocation(address, { source, mac: one.mac, net: one.net, range });
      }
    }
  }
  return undefined;
}

/** Returns a search for a lease of a family. `awaited` is complete once `find` has run. */
function leaseSearch(
  onNetworks: readonly NetworkInterface[],
  family: IpFamily,
  lookup: NetworkLookup,
): { readonly find: () => GuestLocation | undefined; readonly awaited: () => AwaitedAddress } {
  const dhcpClients = onNetworks.filter((one) => usesDhcp(one, family));
  const problems = new Set<string>();
  return {
    find: () => {
      for (const { mac, net, ...one } of dhcpClients) {
        const leases = lookup.leases(net);
        if (leases.kind === "unreadable") problems.add(leases.reason);
        if (leases.kind === "unreadable" || mac === null) continue;
        for (const address of leases.of(mac).map(parseIpAddress)) {
          if (address?.family !== family) continue;
          const [range] = rangesOf(net, address);
          // dnsmasq refuses to renew a lease from before the network changed, so the next lease is awaited.
          const isValid = problemOf(address, range, { ...one, mac, net }) === undefined;
          if (isValid && range !== undefined) return foundLocation(address, { source: "lease", mac, net, range });
        }
      }
      return undefined;
    },
    awaited: () => ({
      family,
      networks: [...new Set(dhcpClients.map(({ net }) => net.name))],
      problem: problems.size === 0 ? null : [...problems].join("; "),
    }),
  };
}

/**
 * Refuses an address in a guest's document that would give access to the host's services or to another guest's
 * reservation.
 */
function problemOf(
  address: IpAddress,
  range: NetworkRange | undefined,
  { net, mac }: NetworkInterface,
): string | undefined {
  const text = address.text;
  const name = JSON.stringify(net.name);
  if (range === undefined) return `the guest's address ${text} is outside its network ${name}`;
  if (isOfHost(address, net)) return `the guest's address ${text} is the host's own on network ${name}`;
  const owner = net.reservations.find(({ ip }) => sameAddress(ip, address));
  if (owner === undefined || owner.mac === mac) return undefined;
  return `the guest's address ${text} is reserved for another guest on network ${name}`;
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

function reservationsOf({ reservations }: GuestNetwork, mac: string | null): readonly string[] {
  return reservations.filter((one) => one.mac === mac).map(({ ip }) => ip);
}

function foundLocation(
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
