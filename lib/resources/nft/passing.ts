/**
 * IP forwarding in the kernel. Without it no chain sees forwarded packets.
 * @module
 */
import type { IpFamily } from "../../net/ip_address.ts";
import type { Sys } from "../../sys/sys.ts";

const KEYS = {
  ipv4: { word: "IPv4", all: "net.ipv4.ip_forward", conf: "/proc/sys/net/ipv4/conf", own: "forwarding" },
  // For IPv6 only "all" takes effect; Linux 6.17 added a key for each device (net/ipv6/ip6_output.c).
  ipv6: { word: "IPv6", all: "net.ipv6.conf.all.forwarding", conf: "/proc/sys/net/ipv6/conf", own: "force_forwarding" },
} as const;

/**
 * Returns the reason why the kernel forwards no packets, by family. A family that is forwarded, or for which this is
 * unknown, is missing.
 */
export async function readForwardingProblems({ kernel }: Sys): Promise<ReadonlyMap<IpFamily, string>> {
  const found = new Map<IpFamily, string>();
  for (const family of ["ipv4", "ipv6"] as const) {
    const { word, all, conf, own } = KEYS[family];
    const path = `/proc/sys/${all.replaceAll(".", "/")}`;
    if ((await kernel.read([path])).get(path)?.trim() !== "0") continue;
    const devices = [...(await kernel.list(conf))?.keys() ?? []].filter((name) => name !== "all" && name !== "default");
    const texts = await kernel.read(devices.map((name) => `${conf}/${name}/${own}`));
    // A device with forwarding enabled may be the relevant one.
    if ([...texts.values()].some((text) => text.trim() === "1")) continue;
    found.set(
      family,
      `${word} forwarding is off (${all} is 0): nothing from outside arrives; sysctl -w ${all}=1`,
    );
  }
  return found;
}
