/**
 * Finds forwards that conflict: the same port of the same address, for overlapping sets of clients, to different
 * targets.
 * @module
 */
import type { IpFamily } from "../../net/ip_address.ts";
import { type IpInterval, overlaps, parseInterval } from "../../net/ip_interval.ts";
import type { ForwardDemand, NftDemand } from "../../plan/nft_demand.ts";
import { familyOf, portText } from "./rules.ts";
import type { HeldDemand } from "../resource.ts";

type HeldForward = HeldDemand<ForwardDemand>;

/** Describes the first two demands that conflict; `undefined` if none do. */
export function forwardConflict(held: readonly HeldDemand<NftDemand>[]): string | undefined {
  const forwards = held.flatMap(({ holder, demand }): HeldForward[] =>
    demand.kind === "forward" ? [{ holder, demand }] : []
  )
    .toSorted((a, b) => a.demand.hostPorts.first - b.demand.hostPorts.first);
  for (const [index, one] of forwards.entries()) {
    for (let next = index + 1; next < forwards.length; next++) {
      const other = forwards[next];
      if (other === undefined || other.demand.hostPorts.first > one.demand.hostPorts.last) break;
      if (collides(one.demand, other.demand)) return `${describeForward(one)}, ${describeForward(other)}`;
    }
  }
  return undefined;
}

function describeForward({ holder, demand }: HeldForward): string {
  const { protocol, hostPorts, guestPort, hostAddresses, from } = demand;
  const own = guestPort === hostPorts.first ? "" : ` for its port ${guestPort}`;
  const kind = protocol === "both" ? "tcp and udp" : protocol;
  const at = hostAddresses.length === 0 ? "" : ` of ${hostAddresses.join(", ")}`;
  const clients = from.length === 0 ? "" : ` from ${from.join(", ")}`;
  return `${holder} wants ${kind} port ${portText(hostPorts)}${own}${at}${clients}`;
}

/** Whether two forwards with overlapping ports conflict. */
function collides(a: ForwardDemand, b: ForwardDemand): boolean {
  return (a.protocol === "both" || b.protocol === "both" || a.protocol === b.protocol) &&
    familiesOf(a).some((family) => familiesOf(b).includes(family)) &&
    overlap(a.hostAddresses, b.hostAddresses) && overlap(a.from, b.from) && !haveSameTarget(a, b);
}

/** Returns a forward's address families. Demands stored by earlier versions may not name one. */
function familiesOf({ guest, awaited, hostAddresses, from }: ForwardDemand): readonly IpFamily[] {
  if (guest !== null) return [familyOf(guest.address)];
  if (awaited !== null) return [awaited.family];
  const named = [...hostAddresses, ...from].flatMap(intervalsOf).map(({ family }) => family);
  return named.length === 0 ? ["ipv4", "ipv6"] : named;
}

/** Whether two lists of addresses overlap. An empty list means all addresses. */
function overlap(a: readonly string[], b: readonly string[]): boolean {
  if (a.length === 0 || b.length === 0) return true;
  const others = b.flatMap(intervalsOf);
  return a.flatMap(intervalsOf).some((one) => others.some((other) => overlaps(one, other)));
}

function intervalsOf(text: string): readonly IpInterval[] {
  const interval = parseInterval(text);
  return interval === undefined ? [] : [interval];
}

function haveSameTarget(a: ForwardDemand, b: ForwardDemand): boolean {
  const sameGuest = a.guest === null || b.guest === null
    ? a.guest === b.guest && JSON.stringify(a.interfaces) === JSON.stringify(b.interfaces)
    : a.guest.address === b.guest.address;
  return sameGuest && a.guestPort - a.hostPorts.first === b.guestPort - b.hostPorts.first;
}
