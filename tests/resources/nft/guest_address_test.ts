/** Finding a guest's address, on a host in memory. */
import { assertEquals } from "../../support/assert.ts";
import type { AnyDemand } from "../../../lib/plan/demand.ts";
import type { ForwardDemand, GuestInterface } from "../../../lib/plan/nft_demand.ts";
import { findGuest, type GuestLocation } from "../../../lib/resources/nft/guest_address.ts";
import { networkLookup } from "../../../lib/resources/nft/surroundings.ts";
import { describeGuest } from "../../../lib/resources/nft/text.ts";
import { memorySys } from "../../../lib/sys/memory_sys.ts";
import { TOOLS } from "../../../lib/sys/tools.ts";
import { forward } from "./demands.ts";

const MAC = "52:54:00:00:00:01";

const NETWORK = `<networkstatus>
  <class_id bitmap='0-2'/>
  <network><name>default</name><forward mode='nat'/><bridge name='virbr0'/>
    <ip address='192.168.122.1' netmask='255.255.255.0'><dhcp>
      <range start='192.168.122.2' end='192.168.122.254'/>
      <host mac='52:54:00:00:00:0A' ip='192.168.122.10'/>
    </dhcp></ip>
    <ip family='ipv6' address='fd00:122::1' prefix='64'/>
  </network>
</networkstatus>
`;
const ISOLATED = "<networkstatus><network><name>lonely</name><bridge name='virbr1'/>" +
  "<ip address='10.9.0.1' prefix='24'/></network></networkstatus>\n";
/** A network whose server assigns addresses of both families. */
const DUAL = `<networkstatus><network><name>dual</name><forward mode='nat'/><bridge name='virbr7'/>
  <ip address='192.168.140.1' netmask='255.255.255.0'><dhcp><range start='192.168.140.50' end='192.168.140.99'/></dhcp></ip>
  <ip family='ipv6' address='fd00:140::1' prefix='64'><dhcp><range start='fd00:140::100' end='fd00:140::1ff'/></dhcp></ip>
</network></networkstatus>
`;
const BRIDGED =
  "<networkstatus><network><name>lan</name><forward mode='bridge'/><bridge name='br0'/></network></networkstatus>\n";

/** The host's date is 2026-01-02. */
const [PAST, SOON, LATER] = [1_700_000_000, 1_900_000_000, 1_900_000_500];

function lease(ip: string, mac: string, untilS: number): Readonly<Record<string, unknown>> {
  return { "ip-address": ip, "mac-address": mac, hostname: "web-1", "client-id": "01", "expiry-time": untilS };
}

interface Case {
  readonly interfaces?: readonly Partial<GuestInterface>[];
  readonly demand?: Partial<ForwardDemand>;
  readonly leases?: string | readonly Readonly<Record<string, unknown>>[];
  readonly isLeaseFirst?: boolean;
  readonly family?: "ipv4" | "ipv6";
  /** The device of the host's route to any address. */
  readonly routed?: string;
  /** Routes that the same plan sets. */
  readonly plan?: readonly AnyDemand[];
  /** The address, or why there is none. */
  readonly expected: string;
}

const LEASES = "/var/lib/libvirt/dnsmasq/virbr0.status";
const UNREADABLE = "not UTF-8";
const HALF = `waiting: default: ${LEASES} is no list of leases, or is being written`;
const NOT_THERE = "refused: 192.168.1.50 is in no network of the guest (192.168.122.0/24, fd00:122::/64)";
const OTHER_MAC = "52:54:00:00:00:02";
/** A MAC address with a reservation. */
const KEPT = "52:54:00:00:00:0a";
const ON_DEFAULT = { mac: MAC, network: "default" };

const CASES: Readonly<Record<string, Case>> = {
  "an address in the document": {
    interfaces: [{ ...ON_DEFAULT, addresses: ["192.168.122.11"] }],
    expected: "192.168.122.11, set in its document",
  },
  "IPv4 comes first": {
    interfaces: [{ ...ON_DEFAULT, addresses: ["fd00:122::11", "192.168.122.11"] }],
    expected: "192.168.122.11, set in its document",
  },
  "IPv6 if the forward is for it": {
    interfaces: [{ ...ON_DEFAULT, addresses: ["192.168.122.11", "fd00:122::11"] }],
    demand: { from: ["2001:db8::/32"] },
    expected: "fd00:122::11, set in its document",
  },
  "a document's address outside the network": {
    interfaces: [{ ...ON_DEFAULT, addresses: ["192.168.1.11"] }],
    expected: 'refused: the guest\'s address 192.168.1.11 is outside its network "default"',
  },
  "a document that names the host itself": {
    interfaces: [{ ...ON_DEFAULT, addresses: ["192.168.122.1"] }],
    expected: "refused: the guest's address 192.168.122.1 is the host's own on network \"default\"",
  },
  "a document with an address that is reserved for another guest": {
    interfaces: [{ ...ON_DEFAULT, addresses: ["192.168.122.10"] }],
    expected: 'refused: the guest\'s address 192.168.122.10 is reserved for another guest on network "default"',
  },
  "a reservation": {
    interfaces: [{ ...ON_DEFAULT, mac: "52:54:00:00:00:0a" }],
    expected: '192.168.122.10, DHCP reservation on network "default"',
  },
  "a lease": {
    interfaces: [ON_DEFAULT],
    leases: [lease("192.168.122.77", "52:54:00:00:00:99", SOON), lease("192.168.122.28", MAC, SOON)],
    expected: '192.168.122.28, DHCP lease on network "default"',
  },
  "the lease that lasts longest": {
    interfaces: [ON_DEFAULT],
    leases: [
      lease("192.168.122.28", MAC, SOON),
      lease("192.168.122.29", MAC, LATER),
      lease("192.168.122.30", MAC, PAST),
    ],
    expected: '192.168.122.29, DHCP lease on network "default"',
  },
  "an expired lease": {
    interfaces: [ON_DEFAULT],
    leases: [lease("192.168.122.28", MAC, PAST)],
    expected: "waiting: default",
  },
  "a reservation for a guest that starts with an old lease": {
    interfaces: [{ ...ON_DEFAULT, mac: KEPT }],
    leases: [lease("192.168.122.28", KEPT, SOON)],
    expected: '192.168.122.10, DHCP reservation on network "default"',
  },
  "a reservation for a guest that runs with a lease": {
    interfaces: [{ ...ON_DEFAULT, mac: KEPT }],
    leases: [lease("192.168.122.28", KEPT, SOON)],
    isLeaseFirst: true,
    expected: '192.168.122.28, DHCP lease on network "default"',
  },
  "a reservation for a guest whose lease has expired": {
    interfaces: [{ ...ON_DEFAULT, mac: KEPT }],
    leases: [lease("192.168.122.28", KEPT, PAST)],
    isLeaseFirst: true,
    expected: '192.168.122.10, DHCP reservation on network "default"',
  },
  "a lease of an address that is reserved for another guest meanwhile": {
    interfaces: [ON_DEFAULT],
    leases: [lease("192.168.122.10", MAC, SOON)],
    expected: "waiting: default",
  },
  "a lease from before the network changed": {
    interfaces: [ON_DEFAULT],
    leases: [lease("192.168.99.10", MAC, SOON), lease("192.168.122.28", MAC, SOON)],
    expected: '192.168.122.28, DHCP lease on network "default"',
  },
  "IPv6 leased first on a network with both families": {
    interfaces: [{ mac: MAC, network: "dual" }],
    leases: [lease("fd00:140::1c8", MAC, LATER)],
    expected: "waiting: dual (ipv4)",
  },
  "both leased on a network with both families": {
    interfaces: [{ mac: MAC, network: "dual" }],
    leases: [lease("fd00:140::1c8", MAC, LATER), lease("192.168.140.82", MAC, SOON)],
    expected: '192.168.140.82, DHCP lease on network "dual"',
  },
  "IPv6 if the rule is for it, on a network with both families": {
    interfaces: [{ mac: MAC, network: "dual" }],
    demand: { from: ["::/0"] },
    leases: [lease("fd00:140::1c8", MAC, LATER), lease("192.168.140.82", MAC, SOON)],
    expected: 'fd00:140::1c8, DHCP lease on network "dual"',
  },
  "the family that the guest had, whatever the network assigns now": {
    interfaces: [{ mac: MAC, network: "dual" }],
    family: "ipv6",
    leases: [lease("192.168.140.82", MAC, SOON)],
    expected: "waiting: dual (ipv6)",
  },
  "leases are ignored if the document has an address": {
    interfaces: [{ ...ON_DEFAULT, addresses: ["192.168.122.11"] }],
    leases: UNREADABLE,
    expected: "192.168.122.11, set in its document",
  },
  "leases are ignored if there is a reservation": {
    interfaces: [{ ...ON_DEFAULT, mac: KEPT }],
    leases: UNREADABLE,
    expected: '192.168.122.10, DHCP reservation on network "default"',
  },
  "leases that cannot be read": {
    interfaces: [ON_DEFAULT],
    leases: UNREADABLE,
    expected: `waiting: default: ${LEASES} cannot be read: It is not UTF-8 text`,
  },
  "an interface on the bridge of a network": {
    interfaces: [{ mac: MAC, bridge: "virbr0" }],
    leases: [lease("192.168.122.28", MAC, SOON)],
    expected: '192.168.122.28, DHCP lease on network "default"',
  },
  "an interface on the bridge of the network that the rule names": {
    interfaces: [{ mac: OTHER_MAC, bridge: "br7" }, { mac: MAC, bridge: "virbr0" }],
    demand: { network: "default" },
    leases: [lease("192.168.122.28", MAC, SOON)],
    expected: '192.168.122.28, DHCP lease on network "default"',
  },
  "no interface on the network that the rule names": {
    interfaces: [{ mac: MAC, bridge: "virbr0" }],
    demand: { network: "lonely" },
    expected: 'refused: the guest has no interface on network "lonely"',
  },
  "no lease yet": { interfaces: [ON_DEFAULT], leases: "", expected: "waiting: default" },
  "half a file of leases": { interfaces: [ON_DEFAULT], leases: '[{"ip-addr', expected: HALF },
  "one lease of another shape": {
    interfaces: [ON_DEFAULT],
    leases: [{ "mac-address": MAC, "ip-address": 7 }, lease("192.168.122.28", MAC, SOON)],
    expected: '192.168.122.28, DHCP lease on network "default"',
  },
  "leases of another shape": { interfaces: [ON_DEFAULT], leases: [{ "ip-address": 7 }], expected: "waiting: default" },
  "the first interface that has an address": {
    interfaces: [ON_DEFAULT, { mac: MAC, network: "lonely", addresses: ["10.9.0.5"] }],
    expected: "10.9.0.5, set in its document (isolated)",
  },
  "IPv6 on a network whose server assigns none": {
    interfaces: [ON_DEFAULT],
    leases: [lease("192.168.122.28", MAC, SOON)],
    demand: { hostAddresses: ["2001:db8::1"] },
    expected: "refused: the guest's address is unknown on this host",
  },
  "the rule's address": {
    interfaces: [ON_DEFAULT],
    demand: { to: "192.168.122.50" },
    expected: "192.168.122.50, set in its rule",
  },
  "the rule's address outside the guest's networks": {
    interfaces: [ON_DEFAULT],
    demand: { to: "192.168.1.50" },
    expected: `${NOT_THERE}, and this host has no route to it`,
  },
  "the rule's address, which the host routes elsewhere": {
    interfaces: [ON_DEFAULT],
    demand: { to: "192.168.1.50" },
    routed: "eth0",
    expected: `${NOT_THERE}, and this host's route to it is by eth0`,
  },
  "the rule's address is one of the host's others": {
    interfaces: [ON_DEFAULT],
    demand: { to: "203.0.113.1" },
    routed: "lo",
    expected: "refused: 203.0.113.1 is an address of this host itself",
  },
  "the rule's address, which is routed to the guest's network": {
    interfaces: [ON_DEFAULT],
    demand: { to: "203.0.113.20" },
    routed: "virbr0",
    expected: "203.0.113.20, set in its rule",
  },
  "the rule's address on another bridge of the guest": {
    interfaces: [ON_DEFAULT, { mac: OTHER_MAC, bridge: "br0" }],
    demand: { to: "10.20.30.40" },
    routed: "br0",
    expected: "10.20.30.40, set in its rule",
  },
  "the rule's address, to which the same plan sets a route": {
    interfaces: [ON_DEFAULT],
    demand: { to: "203.0.113.20" },
    routed: "eth0",
    plan: [{
      resource: "route",
      demand: {
        ...{ family: "ipv4", to: "203.0.113.16/28", dev: "virbr0", via: undefined, onlink: false, metric: undefined },
        table: "main",
      },
    }],
    expected: "203.0.113.20, set in its rule",
  },
  "the rule's address is the host's": {
    interfaces: [ON_DEFAULT],
    demand: { to: "192.168.122.1" },
    expected: "refused: 192.168.122.1 is the host's own address there",
  },
  "the rule's address on a bridge of the host": {
    interfaces: [{ mac: MAC, network: null }],
    demand: { to: "10.1.2.3" },
    expected: "10.1.2.3, set in its rule",
  },
  "a bridge of the host": {
    interfaces: [{ mac: MAC, network: null, addresses: ["10.1.2.3"] }],
    expected: "refused: the guest's address is unknown on this host",
  },
  "a network without addresses": {
    interfaces: [{ mac: MAC, network: "lan" }],
    expected: "refused: the guest's address is unknown on this host",
  },
  "a network that is not active": {
    interfaces: [{ mac: MAC, network: "gone" }],
    expected: 'refused: the guest\'s network "gone" is not active',
  },
  "a network with a slash": {
    interfaces: [{ mac: MAC, network: "../network/default" }],
    expected: 'refused: the guest\'s network "../network/default" is not active',
  },
  "conditions of two families": {
    interfaces: [ON_DEFAULT],
    demand: { hostAddresses: ["203.0.113.1"], from: ["2001:db8::/32"] },
    expected: "refused: host_address and from are of different families, so no packets would be forwarded",
  },
};

for (const [name, one] of Object.entries(CASES)) {
  Deno.test(`findGuest(): ${name}`, async () => {
    const { interfaces = [], demand, leases = "", isLeaseFirst = false, family = null, routed, plan } = one;
    const text = typeof leases === "string" ? leases : JSON.stringify(leases);
    const host = memorySys({
      files: {
        "/run/libvirt/network/default.xml": NETWORK,
        "/run/libvirt/network/dual.xml": DUAL,
        "/run/libvirt/network/lonely.xml": ISOLATED,
        "/run/libvirt/network/lan.xml": BRIDGED,
        [LEASES]: text,
        "/var/lib/libvirt/dnsmasq/virbr7.status": text,
      },
      programs: routed === undefined ? {} : { [TOOLS.ip]: () => ({ stdout: JSON.stringify([{ dev: routed }]) }) },
    });
    const readTextFile = (path: string, bytesMax: number): string => {
      if (text === UNREADABLE && path === LEASES) throw new TypeError("It is not UTF-8 text");
      return host.readTextFile(path, bytesMax);
    };
    const sys = { ...host, readTextFile };
    const all = interfaces.map((given) => ({ mac: null, network: null, bridge: null, addresses: [], ...given }));
    const sought = { ...forward(80, { guest: null, interfaces: all, ...demand }), isLeaseFirst, family };
    const where = await findGuest(sought, networkLookup(sys, plan));
    assertEquals(textOf(where), one.expected);
  });
}

function textOf(where: GuestLocation): string {
  switch (where.kind) {
    case "found":
      return describeGuest(where.guest) + (where.guest.isolated ? " (isolated)" : "");
    case "waiting": {
      const { networks, family, problem } = where.awaited;
      const which = networks.join() === "dual" ? ` (${family})` : "";
      return `waiting: ${networks.join()}${which}${problem === null ? "" : `: ${problem}`}`;
    }
    case "refused":
      return `refused: ${where.reason}`;
    default:
      return where satisfies never;
  }
}
