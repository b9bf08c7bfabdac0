/**
 * Whether the kernel passes packets on from one device to another, without which no chain is asked.
 * @module
 */
import type { IpFamily } from "../../net/ip_address.ts";
import type { Sys } from "../../sys/sys.ts";

const KEYS = {
  ipv4: { word: "IPv4", all: "net.ipv4.ip_forward", conf: "/proc/sys/net/ipv4/conf", own: "forwarding" },
  // Only "all" counts for IPv6, until Linux 6.17 brought a key of each device (net/ipv6/ip6_output.c).
  ipv6: { word: "IPv6", all: "net.ipv6.conf.all.forwarding", conf: "/proc/sys/net/ipv6/conf", own: "force_forwarding" },
} as const;

/** Why the kernel passes nothing on, by family; a family that it passes on, or of which that cannot be told, is missing. */
export async function readUnpassed({ kernel }: Sys): Promise<ReadonlyMap<IpFamily, string>> {
  const found = new Map<IpFamily, string>();
  for (const family of ["ipv4", "ipv6"] as const) {
    const { word, all, conf, own } = KEYS[family];
    const path = `/proc/sys/${all.replaceAll(".", "/")}`;
    if ((await kernel.read([path])).get(path)?.trim() !== "0") continue;
    const devices = [...(await kernel.list(conf))?.keys() ?? []].filter((name) => name !== "all" && name !== "default");
    const texts = await kernel.read(devices.map((name) => `${conf}/${name}/${own}`));
    // One device that passes on what it gets may be the one that matters.
    if ([...texts.values()].some((text) => text.trim() === "1")) continue;
    found.set(
      family,
      `the kernel passes no ${word} on (${all} is 0): nothing from outside arrives; sysctl -w ${all}=1`,
    );
  }
  return found;
}
