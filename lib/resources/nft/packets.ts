/**
 * The packets that our rules accept, as other chains see them.
 * @module
 */
import { type IpFamily, parseIpAddress } from "../../net/ip_address.ts";
import { parseInterval } from "../../net/ip_interval.ts";
import type { NftDemand, PortRange } from "../../plan/nft_demand.ts";
import type { DeviceTo } from "./list.ts";
import { openTo } from "./rules.ts";
import type { Table } from "./table.ts";
import type { Packets } from "./verdict.ts";

/** The properties of packets that other chains test. */
interface Traits {
  /** An address, or a network. */
  readonly to: string;
  readonly protocol: string | undefined;
  readonly ports: PortRange | undefined;
  readonly isTranslated: boolean;
  readonly mark: number;
}

function packetsOf({ to, mark, ...traits }: Traits, deviceTo: DeviceTo): readonly Packets[] {
  const interval = parseInterval(to);
  if (interval === undefined) return [];
  const { family, first } = interval;
  const address = { family, bits: first, text: to };
  return [{
    ...traits,
    family,
    to: interval,
    in: undefined,
    out: deviceTo(address),
    mark: { mask: mark, value: mark },
  }];
}

/** Returns the packets that a demand accepts; none while its guest has no address. */
export function packetsOfDemand(demand: NftDemand, deviceTo: DeviceTo): readonly Packets[] {
  const { protocol, mark } = demand;
  const protocols = protocol === "both" ? ["tcp", "udp"] : [protocol];
  if (demand.kind === "forward") {
    const { guest, guestPort, hostPorts: { first, last } } = demand;
    const ports = { first: guestPort, last: guestPort + last - first };
    if (guest === null) return [];
    return protocols.flatMap((one) =>
      packetsOf({ to: guest.address, protocol: one, ports, isTranslated: true, mark }, deviceTo)
    );
  }
  const ends = demand.ports.length === 0
    ? [{ protocol: undefined, ports: undefined }]
    : protocols.flatMap((one) => demand.ports.map((ports) => ({ protocol: one, ports })));
  return openTo(demand).flatMap((to) =>
    ends.flatMap((end) => packetsOf({ ...end, to, isTranslated: false, mark }, deviceTo))
  );
}

const DNAT = /^meta nfproto .* (tcp|udp) dport (\S+) counter name \S+ dnat ip6? to (\S+)( :)?/;
const OPEN =
  /^(?:ip6? saddr (?:\{[^}]*\}|\S+) )?ip6? daddr (\S+) (?:(tcp|udp) dport (?:\{([^}]*)\}|(\S+)) )?meta mark set/;

/** Returns the packets that the rules of our table accept, with the given mark. */
export function packetsOfTable(table: Table | null, mark: number, deviceTo: DeviceTo): readonly Packets[] {
  return (table?.chains ?? []).flatMap(({ name, rules }) =>
    name === "to_guest"
      ? rules.flatMap((rule) => packetsOfDnat(rule, mark, deviceTo))
      : name === "forward"
      ? rules.flatMap((rule) => packetsOfOpening(rule, mark, deviceTo))
      : []
  );
}

function packetsOfDnat(rule: string, mark: number, deviceTo: DeviceTo): readonly Packets[] {
  const [, protocol, dport = "", target = "", map] = DNAT.exec(rule) ?? [];
  const [, bracketed, own, port] = /^(?:\[(.+)\]|([\d.]+)):(\d+)$/.exec(target) ?? [];
  const ports = map === undefined ? portsIn(port ?? dport)[0] : undefined;
  return packetsOf({ to: bracketed ?? own ?? target, protocol, ports, isTranslated: true, mark }, deviceTo);
}

function packetsOfOpening(rule: string, mark: number, deviceTo: DeviceTo): readonly Packets[] {
  const [, to, protocol, set, one] = OPEN.exec(rule) ?? [];
  if (to === undefined) return [];
  const ports = protocol === undefined ? [undefined] : portsIn(set ?? one ?? "");
  return ports.flatMap((range) => packetsOf({ to, protocol, ports: range, isTranslated: false, mark }, deviceTo));
}

function portsIn(text: string): readonly PortRange[] {
  return text.split(",").flatMap((range) => {
    const [, first, last = first] = /^\s*(\d+)(?:-(\d+))?\s*$/.exec(range) ?? [];
    return first === undefined ? [] : [{ first: Number(first), last: Number(last) }];
  });
}

/** Returns the packets with which a guest requests an address: a broadcast or multicast on its bridge. */
export function leaseRequests(bridge: string, family: IpFamily): Packets {
  const to = family === "ipv4" ? "255.255.255.255" : "ff02::1:2";
  const port = family === "ipv4" ? 67 : 547;
  const address = parseIpAddress(to);
  return {
    family,
    in: bridge,
    out: undefined,
    to: address && { family, first: address.bits, last: address.bits },
    protocol: "udp",
    ports: { first: port, last: port },
    isTranslated: false,
    mark: { mask: 0, value: 0 },
  };
}
