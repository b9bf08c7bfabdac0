/**
 * Host addresses that a forward does not cover: those at which libvirt's servers on its networks answer guests.
 * @module
 */
import type { HostEnd } from "../../plan/nft_demand.ts";
import type { NetworkLookup } from "./surroundings.ts";

/** The ports of libvirt's dnsmasq: DNS, DHCP, TFTP and DHCPv6. */
const SERVER_PORTS = { tcp: [53], udp: [53, 67, 69, 547] } as const;

/**
 * Returns the host's addresses on libvirt's networks if a forward names no host address and includes a port of a
 * server there; none for other forwards.
 */
export async function sparedAddresses(
  { hostPorts: { first, last }, protocol, hostAddresses }: HostEnd,
  lookup: Pick<NetworkLookup, "networks">,
): Promise<readonly string[]> {
  const serverPorts = [...protocol === "udp" ? [] : SERVER_PORTS.tcp, ...protocol === "tcp" ? [] : SERVER_PORTS.udp];
  if (hostAddresses.length > 0 || !serverPorts.some((port) => first <= port && port <= last)) return [];
  return (await lookup.networks()).flatMap(({ ranges }) => ranges.map(({ host }) => host));
}
