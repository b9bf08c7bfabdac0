/**
 * Addresses of the host that a forward leaves alone: those at which the servers that libvirt runs on its networks answer guests.
 * @module
 */
import type { HostEnd } from "../../plan/nft_demand.ts";
import type { Surroundings } from "./surroundings.ts";

/** The ports of dnsmasq on a network of libvirt: DNS, DHCP, TFTP and DHCPv6. */
const SERVED = { tcp: [53], udp: [53, 67, 69, 547] } as const;

/**
 * The host's addresses on libvirt's networks, where a forward of these ports names no address of the host and would take the place
 * of a server there; none for other forwards.
 */
export async function sparedAddresses(
  { hostPorts: { first, last }, protocol, hostAddresses }: HostEnd,
  around: Pick<Surroundings, "networks">,
): Promise<readonly string[]> {
  const served = [...protocol === "udp" ? [] : SERVED.tcp, ...protocol === "tcp" ? [] : SERVED.udp];
  if (hostAddresses.length > 0 || !served.some((port) => first <= port && port <= last)) return [];
  return (await around.networks()).flatMap(({ ranges }) => ranges.map(({ host }) => host));
}
