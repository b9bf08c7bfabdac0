/**
 * Containers that can be reached: with an address from libvirt, or one that they ask for.
 * @module
 */
import { makeContainerRoot } from "./guests.ts";
import type { Node } from "./node.ts";

/** How a container is reached. */
export interface Reachable {
  readonly mac: string;
  /** Its addresses with their lengths; none: it asks for one. */
  readonly addresses: readonly string[];
  /** A word that only its command line has. */
  readonly word: string;
}

const LEASE = `#!/bin/sh
[ "$1" = bound ] || exit 0
/bin/busybox ip addr add "$ip/$mask" dev eth0
/bin/busybox ip route add default via "$router"
`;

const ASK =
  "/bin/busybox ip link set eth0 up; /bin/busybox udhcpc -i eth0 -s /bin/lease -q -t 20 -T 1 -A 1 &gt;/dev/null 2&gt;&amp;1; ";

/** A container on the default network. */
export async function reachableDomain(node: Node, name: string, { mac, addresses, word }: Reachable): Promise<string> {
  const root = await makeContainerRoot(node, name);
  await Deno.writeTextFile(`${root}/bin/lease`, LEASE);
  await Deno.chmod(`${root}/bin/lease`, 0o755);
  const ips = addresses.map((address) => {
    const [text = "", length] = address.split("/");
    const [family, gateway, all] = text.includes(":")
      ? ["ipv6", "fd00:122::1", "::"] as const
      : ["ipv4", "192.168.122.1", "0.0.0.0"] as const;
    return `<ip address='${text}' family='${family}' prefix='${length}'/>` +
      `<route family='${family}' address='${all}' prefix='0' gateway='${gateway}'/>`;
  });
  const script = `: ${word}; ${addresses.length === 0 ? ASK : ""}trap exit TERM; sleep 100000 &amp; wait`;
  return `<domain type='lxc'>
  <name>${name}</name>
  <memory unit='MiB'>64</memory>
  <vcpu>1</vcpu>
  <os><type arch='x86_64'>exe</type><init>/bin/sh</init><initarg>-c</initarg><initarg>${script}</initarg></os>
  <devices>
    <filesystem type='mount' accessmode='passthrough'><source dir='${root}'/><target dir='/'/></filesystem>
    <interface type='network'><source network='default'/><mac address='${mac}'/>${ips.join("")}</interface>
    <console type='pty'/>
  </devices>
</domain>
`;
}
