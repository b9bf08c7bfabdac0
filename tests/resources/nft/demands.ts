/**
 * Demands for the tests of the packet filter.
 * @module
 */
import type { ForwardDemand, GuestAddress, NftDemand, OpenDemand } from "../../../lib/plan/nft_demand.ts";
import type { HeldDemand } from "../../../lib/resources/resource.ts";

/** A guest on the default network. */
export function guestAt(address: string): GuestAddress {
  const network = address.includes(":") ? "fd00:122::/64" : "192.168.122.0/24";
  return { address, network, isolated: false, source: "document", on: "default", mac: null };
}

/** A forward of a host port; overrides replace its defaults. */
export function forward(port: number | readonly [number, number], given: Partial<ForwardDemand> = {}): ForwardDemand {
  const [first, last] = typeof port === "number" ? [port, port] : port;
  return {
    kind: "forward",
    hostPorts: { first, last },
    guestPort: first,
    protocol: "tcp",
    hostAddresses: [],
    from: [],
    to: null,
    network: null,
    sparedAddresses: [],
    interfaces: [],
    awaited: null,
    guest: guestAt("192.168.122.11"),
    mark: 0x10000000,
    ...given,
  };
}

/** A demand that opens a network. */
export function open(given: Partial<OpenDemand> = {}): OpenDemand {
  const networks = ["192.168.122.0/24"];
  return {
    kind: "open",
    networks,
    at: null,
    from: [],
    protocol: "tcp",
    ports: [],
    mark: 0x10000000,
    ...given,
  };
}

/** A demand that opens a guest. */
function openGuest(guest: GuestAddress): OpenDemand {
  return open({ networks: [], at: { to: null, network: null, interfaces: [], guest, awaited: null } });
}

/** Demands held by the guest with this name. */
export function heldBy(name: string, ...demands: readonly NftDemand[]): readonly HeldDemand<NftDemand>[] {
  return demands.map((demand) => ({ holder: `guest ${JSON.stringify(name)} (rule "web")`, demand }));
}

const OTHER = { guest: guestAt("192.168.122.28") };

/** One demand of each form, by description. */
export const SAMPLES: Readonly<Record<string, readonly HeldDemand<NftDemand>[]>> = {
  plain: heldBy(
    "web-1",
    forward(8080, { guestPort: 80 }),
    forward(5353, { ...OTHER, guestPort: 53, protocol: "udp" }),
    forward(5000, { protocol: "both" }),
    forward([6000, 6003], { guestPort: 5000 }),
    forward([5001, 5003], OTHER),
    forward(8081, { guestPort: 80, from: ["203.0.113.3/32", "198.51.100.0/24"] }),
    forward(8082, { ...OTHER, guestPort: 80, hostAddresses: ["203.0.113.10"] }),
    forward(8443, { guestPort: 80, hostAddresses: ["203.0.113.1"] }),
    forward(8443, { ...OTHER, guestPort: 80, hostAddresses: ["203.0.113.10"] }),
    forward(8080, { guestPort: 80, guest: guestAt("fd00:122::5054:ff:fe00:1") }),
  ),
  odd: heldBy(
    '"; flush ruleset #\n\t\\é*',
    // Overlapping and adjacent networks are merged, and a network of all addresses is no condition.
    forward(1, { from: ["10.0.0.0/25", "10.0.0.128/25", "10.0.1.0/24", "10.0.0.7"] }),
    forward(2, { from: ["0.0.0.0/0", "10.0.0.0/8"] }),
    forward(3, { from: ["10.0.0.0/8", "2001:db8::/32"] }),
    forward(4, { from: ["2001:DB8:0::/48", "2001:db8::7"], guest: guestAt("fd00:122::1") }),
    // A range with a shift that overlaps itself.
    forward([65_000, 65_535], { guestPort: 64_990, protocol: "both" }),
    forward(7, { guest: { address: "10.9.8.7", network: null, isolated: true, source: "rule", on: null, mac: null } }),
    forward(8, { guest: null }),
    // No address of its family matches.
    forward(9, { from: ["2001:db8::/32"] }),
    forward(10, { mark: 0x2000 }),
  ),
  open: heldBy(
    "net",
    open(),
    open({ networks: ["10.1.0.0/24", "fd00:122::/64"], from: ["203.0.113.0/24", "198.51.100.7", "2001:db8::/32"] }),
    open({ networks: ["203.0.113.16/28"], ports: [{ first: 443, last: 443 }] }),
    openGuest({ ...guestAt("203.0.113.40"), network: "192.168.122.0/24", source: "rule" }),
    openGuest(guestAt("192.168.122.99")),
    open({ networks: ["10.2.0.0/24"], protocol: "both", ports: [{ first: 22, last: 22 }, { first: 80, last: 90 }] }),
  ),
  spared: heldBy(
    "web-1",
    forward(53, { protocol: "both", sparedAddresses: ["192.168.122.1", "fd00:122::1", "192.168.140.1"] }),
    forward(53, { protocol: "udp", sparedAddresses: ["192.168.122.1", "fd00:122::1"], guest: guestAt("fd00:122::9") }),
    forward([60, 70], { protocol: "udp", sparedAddresses: ["192.168.122.1"] }),
    // A routed address: other guests on the network also reach it through the host's address.
    forward(80, { guest: { ...guestAt("203.0.113.20"), network: "192.168.122.0/24", source: "rule" } }),
  ),
  longNames: [{ holder: `guest "${"é".repeat(200)}"`, demand: forward(80) }],
};
