/** Where a guest lives, by what a host in memory says. */
import { assertEquals } from "../../support/assert.ts";
import type { ForwardDemand, GuestInterface } from "../../../lib/plan/nft_demand.ts";
import { findGuest, surroundings } from "../../../lib/resources/nft/guest_address.ts";
import { describeGuest } from "../../../lib/resources/nft/text.ts";
import { memorySys } from "../../../lib/sys/memory_sys.ts";
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
const BRIDGED =
  "<networkstatus><network><name>lan</name><forward mode='bridge'/><bridge name='br0'/></network></networkstatus>\n";

/** The host's clock says 2026-01-02. */
const [PAST, SOON, LATER] = [1_700_000_000, 1_900_000_000, 1_900_000_500];

function lease(ip: string, mac: string, untilS: number): Readonly<Record<string, unknown>> {
  return { "ip-address": ip, "mac-address": mac, hostname: "web-1", "client-id": "01", "expiry-time": untilS };
}

interface Case {
  readonly interfaces?: readonly Partial<GuestInterface>[];
  readonly demand?: Partial<ForwardDemand>;
  readonly leases?: string | readonly Readonly<Record<string, unknown>>[];
  /** Where it is, or why not. */
  readonly expected: string;
}

const ON_DEFAULT = { mac: MAC, network: "default" };

const CASES: Readonly<Record<string, Case>> = {
  "an address in the document": {
    interfaces: [{ ...ON_DEFAULT, addresses: ["192.168.122.11"] }],
    expected: "192.168.122.11, as its document says",
  },
  "IPv4 comes first": {
    interfaces: [{ ...ON_DEFAULT, addresses: ["fd00:122::11", "192.168.122.11"] }],
    expected: "192.168.122.11, as its document says",
  },
  "IPv6 where the forward is for it": {
    interfaces: [{ ...ON_DEFAULT, addresses: ["192.168.122.11", "fd00:122::11"] }],
    demand: { from: ["2001:db8::/32"] },
    expected: "fd00:122::11, as its document says",
  },
  "a document's address outside the network": {
    interfaces: [{ ...ON_DEFAULT, addresses: ["192.168.1.11"] }],
    expected: 'refused: the guest\'s address 192.168.1.11 is outside its network "default"',
  },
  "a document that names the host itself": {
    interfaces: [{ ...ON_DEFAULT, addresses: ["192.168.122.1"] }],
    expected: "refused: the guest's address 192.168.122.1 is the host's own on network \"default\"",
  },
  "a document that names what is kept for another": {
    interfaces: [{ ...ON_DEFAULT, addresses: ["192.168.122.10"] }],
    expected: 'refused: the guest\'s address 192.168.122.10 is kept for another guest on network "default"',
  },
  "a reservation": {
    interfaces: [{ ...ON_DEFAULT, mac: "52:54:00:00:00:0a" }],
    expected: '192.168.122.10, kept for it by network "default"',
  },
  "a lease": {
    interfaces: [ON_DEFAULT],
    leases: [lease("192.168.122.77", "52:54:00:00:00:99", SOON), lease("192.168.122.28", MAC, SOON)],
    expected: '192.168.122.28, leased to it by network "default"',
  },
  "the lease that lasts longest": {
    interfaces: [ON_DEFAULT],
    leases: [
      lease("192.168.122.28", MAC, SOON),
      lease("192.168.122.29", MAC, LATER),
      lease("192.168.122.30", MAC, PAST),
    ],
    expected: '192.168.122.29, leased to it by network "default"',
  },
  "a lease that is over": {
    interfaces: [ON_DEFAULT],
    leases: [lease("192.168.122.28", MAC, PAST)],
    expected: "waiting: default",
  },
  "no lease yet": { interfaces: [ON_DEFAULT], leases: "", expected: "waiting: default" },
  "half a file of leases": { interfaces: [ON_DEFAULT], leases: '[{"ip-addr', expected: "waiting: default" },
  "leases of another shape": { interfaces: [ON_DEFAULT], leases: [{ "ip-address": 7 }], expected: "waiting: default" },
  "the first interface that has an address": {
    interfaces: [ON_DEFAULT, { mac: MAC, network: "lonely", addresses: ["10.9.0.5"] }],
    expected: "10.9.0.5, as its document says (isolated)",
  },
  "IPv6 where the network's server gives none": {
    interfaces: [ON_DEFAULT],
    leases: [lease("192.168.122.28", MAC, SOON)],
    demand: { hostAddresses: ["2001:db8::1"] },
    expected: "refused: nothing on this host says at which address the guest lives",
  },
  "the rule's address": {
    interfaces: [ON_DEFAULT],
    demand: { to: "192.168.122.50" },
    expected: "192.168.122.50, as its rule says",
  },
  "the rule's address outside the guest's networks": {
    interfaces: [ON_DEFAULT],
    demand: { to: "192.168.1.50" },
    expected: "refused: 192.168.1.50 is in no network of the guest (192.168.122.0/24, fd00:122::/64)",
  },
  "the rule's address is the host's": {
    interfaces: [ON_DEFAULT],
    demand: { to: "192.168.122.1" },
    expected: "refused: 192.168.122.1 is the host's own address there",
  },
  "the rule's address on a bridge of the host": {
    interfaces: [{ mac: MAC, network: null }],
    demand: { to: "10.1.2.3" },
    expected: "10.1.2.3, as its rule says",
  },
  "a bridge of the host": {
    interfaces: [{ mac: MAC, network: null, addresses: ["10.1.2.3"] }],
    expected: "refused: nothing on this host says at which address the guest lives",
  },
  "a network without addresses": {
    interfaces: [{ mac: MAC, network: "lan" }],
    expected: "refused: nothing on this host says at which address the guest lives",
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
    expected: "refused: host_address and from are of different families, so nothing would come in",
  },
};

for (const [name, { interfaces = [], demand, leases = "", expected }] of Object.entries(CASES)) {
  Deno.test(`findGuest(): ${name}`, async () => {
    const sys = memorySys({
      files: {
        "/run/libvirt/network/default.xml": NETWORK,
        "/run/libvirt/network/lonely.xml": ISOLATED,
        "/run/libvirt/network/lan.xml": BRIDGED,
        "/var/lib/libvirt/dnsmasq/virbr0.status": typeof leases === "string" ? leases : JSON.stringify(leases),
      },
    });
    const all = interfaces.map((one) => ({ mac: null, network: null, addresses: [], ...one }));
    const where = await findGuest(forward(80, { guest: null, interfaces: all, ...demand }), surroundings(sys));
    const said = {
      found: () =>
        where.kind === "found" ? describeGuest(where.guest) + (where.guest.isolated ? " (isolated)" : "") : "",
      waiting: () => where.kind === "waiting" ? `waiting: ${where.networks.join()}` : "",
      refused: () => where.kind === "refused" ? `refused: ${where.reason}` : "",
    };
    assertEquals(said[where.kind](), expected);
  });
}
