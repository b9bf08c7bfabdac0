/**
 * Forwards that cannot both be: the same port of the same address, for clients that both would serve, to two places.
 * @module
 */
import type { IpFamily } from "../../net/ip_address.ts";
import { type IpInterval, overlaps, parseInterval } from "../../net/ip_interval.ts";
import type { ForwardDemand, NftDemand } from "../../plan/nft_demand.ts";
import { familyOf, portText } from "./rules.ts";
import type { HeldDemand } from "../resource.ts";

type HeldForward = HeldDemand<ForwardDemand>;

/** Why demands cannot all be fulfilled, naming two who want the same; `undefined` where they can. */
export function forwardConflict(held: readonly HeldDemand<NftDemand>[]): string | undefined {
  const forwards = held.flatMap(({ who, demand }): HeldForward[] => demand.kind === "forward" ? [{ who, demand }] : [])
    .toSorted((a, b) => a.demand.hostPorts.first - b.demand.hostPorts.first);
  for (const [index, one] of forwards.entries()) {
    for (let next = index + 1; next < forwards.length; next++) {
      const other = forwards[next];
      if (other === undefined || other.demand.hostPorts.first > one.demand.hostPorts.last) break;
      if (collides(one.demand, other.demand)) return `${wish(one)}, ${wish(other)}`;
    }
  }
  return undefined;
}

function wish({ who, demand }: HeldForward): string {
  const { protocol, hostPorts, guestPort, hostAddresses, from } = demand;
  const own = guestPort === hostPorts.first ? "" : ` for its port ${guestPort}`;
  const kind = protocol === "both" ? "tcp and udp" : protocol;
  const at = hostAddresses.length === 0 ? "" : ` of ${hostAddresses.join(", ")}`;
  const whom = from.length === 0 ? "" : ` from ${from.join(", ")}`;
  return `${who} wants ${kind} port ${portText(hostPorts)}${own}${at}${whom}`;
}

/** The ports are known to overlap. */
function collides(a: ForwardDemand, b: ForwardDemand): boolean {
  return (a.protocol === "both" || b.protocol === "both" || a.protocol === b.protocol) &&
    familiesOf(a).some((family) => familiesOf(b).includes(family)) &&
    shares(a.hostAddresses, b.hostAddresses) && shares(a.from, b.from) && !leadsToSame(a, b);
}

/** A demand of an earlier version does not say which family its guest waits for. */
function familiesOf({ guest, awaited, hostAddresses, from }: ForwardDemand): readonly IpFamily[] {
  if (guest !== null) return [familyOf(guest.address)];
  if (awaited !== null) return [awaited.family];
  const named = [...hostAddresses, ...from].flatMap(intervalsOf).map(({ family }) => family);
  return named.length === 0 ? ["ipv4", "ipv6"] : named;
}

/** None means all. */
function shares(a: readonly string[], b: readonly string[]): boolean {
  if (a.length === 0 || b.length === 0) return true;
  const others = b.flatMap(intervalsOf);
  return a.flatMap(intervalsOf).some((one) => others.some((other) => overlaps(one, other)));
}

function intervalsOf(text: string): readonly IpInterval[] {
  const interval = parseInterval(text);
  return interval === undefined ? [] : [interval];
}

function leadsToSame(a: ForwardDemand, b: ForwardDemand): boolean {
  const sameGuest = a.guest === null || b.guest === null
    ? a.guest === b.guest && JSON.stringify(a.interfaces) === JSON.stringify(b.interfaces)
    : a.guest.address === b.guest.address;
  return sameGuest && a.guestPort - a.hostPorts.first === b.guestPort - b.hostPorts.first;
}
