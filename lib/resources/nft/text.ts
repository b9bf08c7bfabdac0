/**
 * Describes demands and states of the packet filter, for people.
 * @module
 */
import type { GuestAddress, GuestEnd, NftDemand, PortProtocol, PortRange } from "../../plan/nft_demand.ts";
import type { Filter } from "./filter.ts";
import { portText } from "./rules.ts";

const SOURCES = {
  rule: "set in its rule",
  document: "set in its document",
  reservation: "DHCP reservation on network",
  lease: "DHCP lease on network",
} as const satisfies Record<GuestAddress["source"], string>;

/** Describes a guest's address and its source. */
export function describeGuest(guest: GuestAddress): string {
  return `${guest.address}, ${describeSource(guest)}`;
}

/** Describes the source of a guest's address. */
export function describeSource({ source, on }: Pick<GuestAddress, "source" | "on">): string {
  const where = source === "reservation" || source === "lease" ? ` ${JSON.stringify(on)}` : "";
  return `${SOURCES[source]}${where}`;
}

/** Describes a demand. */
export function describeDemand(demand: NftDemand): string {
  if (demand.kind === "open") {
    const clients = demand.from.length === 0 ? "all" : demand.from.join(", ");
    const what = demand.at === null ? demand.networks.join(", ") : guestText(demand.at);
    return `${what} open to ${clients}`;
  }
  const { hostPorts, guestPort, protocol, guest } = demand;
  const port = guestPort === hostPorts.first ? "" : ` at ${guestPort}`;
  const target = guest === null ? `the guest${port}, which has no address yet` : `${describeGuest(guest)}${port}`;
  return `${describePorts(hostPorts, protocol)} to ${target}`;
}

function guestText({ guest }: GuestEnd): string {
  return guest === null ? "the guest, which has no address yet," : describeGuest(guest);
}

function describePorts(ports: PortRange, protocol: PortProtocol): string {
  const word = ports.first === ports.last ? "port" : "ports";
  return `${word} ${portText(ports)} (${protocol === "both" ? "tcp and udp" : protocol})`;
}

/** Describes a state of the filter. */
export function describeFilter({ table, gates }: Filter): string {
  if (table === null) return gates === "closed" ? "nothing" : "only bypass rules";
  const rules = table.chains.reduce((sum, chain) => sum + chain.rules.length, 0);
  return `${rules} rules, ${gates === "open" ? "open" : "may be blocked by another firewall"}`;
}
