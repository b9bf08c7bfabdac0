/** Host addresses that a forward leaves to the servers of libvirt's networks. */
import type { HostEnd } from "../../../lib/plan/nft_demand.ts";
import { sparedAddresses } from "../../../lib/resources/nft/spared.ts";
import { networkLookup } from "../../../lib/resources/nft/surroundings.ts";
import { memorySys } from "../../../lib/sys/memory_sys.ts";
import { assertEquals } from "../../support/assert.ts";

function network(name: string, addresses: string): string {
  return `<networkstatus><network><name>${name}</name><bridge name='virbr-${name}'/>${addresses}</network></networkstatus>`;
}

const SYS = memorySys({
  files: {
    "/run/libvirt/network/a.xml": network("a", "<ip address='192.168.122.1' prefix='24'/>"),
    "/run/libvirt/network/b.xml": network(
      "b",
      "<ip address='10.9.0.1' prefix='24'/><ip family='ipv6' address='fd00::1'/>",
    ),
    "/run/libvirt/network/driver.pid": "1",
  },
});
const ALL = ["192.168.122.1", "10.9.0.1", "fd00::1"];

const CASES: Readonly<
  Record<
    string,
    { readonly ports: readonly [number, number]; readonly protocol: HostEnd["protocol"]; readonly spared: boolean }
  >
> = {
  "DNS by TCP": { ports: [53, 53], protocol: "tcp", spared: true },
  "DNS by UDP": { ports: [53, 53], protocol: "udp", spared: true },
  "DNS in a range": { ports: [1, 1024], protocol: "both", spared: true },
  "DHCP": { ports: [67, 67], protocol: "udp", spared: true },
  "the port of DHCP by TCP": { ports: [67, 67], protocol: "tcp", spared: false },
  "TFTP": { ports: [69, 69], protocol: "both", spared: true },
  "DHCPv6": { ports: [547, 547], protocol: "udp", spared: true },
  "another port": { ports: [8080, 8080], protocol: "both", spared: false },
};

for (const [name, { ports: [first, last], protocol, spared }] of Object.entries(CASES)) {
  Deno.test(`a forward of ${name} leaves libvirt's networks ${spared ? "alone" : "no address"}`, async () => {
    const end = { hostPorts: { first, last }, protocol, hostAddresses: [] };
    assertEquals(await sparedAddresses(end, networkLookup(SYS)), spared ? ALL : []);
  });
}

Deno.test("a forward that names a network's address covers it", async () => {
  const end = { hostPorts: { first: 53, last: 53 }, protocol: "udp", hostAddresses: ["192.168.122.1"] } as const;
  assertEquals(await sparedAddresses(end, networkLookup(SYS)), []);
});
