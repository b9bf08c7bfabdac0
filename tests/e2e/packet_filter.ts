/**
 * A node's packet filter and network, as tests look at them.
 * @module
 */
import type { Node } from "./node.ts";

/** All that the host's packet filter is, but for what it counts. */
export async function filterOf(node: Node): Promise<readonly string[]> {
  const told = await Promise.all([
    node.sh(["nft", "-s", "list", "ruleset"]),
    ...["iptables-save", "ip6tables-save"].map((tool) => node.sh([`/usr/sbin/${tool}`])),
  ]);
  return told.map((text) =>
    text.replace(/^#.*$/gm, "").replace(/\[\d+:\d+\]/g, "").replace(/packets \d+ bytes \d+/g, "")
  );
}

/** Where our rule stands among the first of every chain that could reject. */
export async function gatesOf(node: Node): Promise<readonly string[]> {
  const gates: string[] = [];
  for (const tool of ["iptables", "ip6tables"]) {
    const rules = (await node.sh([`/usr/sbin/${tool}`, "-S", "FORWARD"])).split("\n");
    if (rules.some((rule) => rule.includes("LIBVIRT_FWI"))) gates.push(rules[1] ?? "");
  }
  for (const family of ["ip", "ip6"]) {
    const { code, stdout } = await node.run(["nft", "-s", "list", "chain", family, "libvirt_network", "forward"]);
    if (code === 0) gates.push(stdout.split("\n")[3] ?? "");
  }
  return gates;
}

/** Addresses, routes and rules of the host, as data, and which ports of its bridges send back where it came from. */
export async function networkOf(node: Node): Promise<readonly unknown[]> {
  const told = [["address"], ["route", "show", "table", "all"], ["-6", "route", "show", "table", "all"], ["rule"]];
  const answers = await Promise.all(told.map((args) => node.sh(["ip", "-json", ...args])));
  return [...answers.map((text): unknown => JSON.parse(text)), await hairpinsOf(node)];
}

/** `virbr0/vnet1=0`, for each port of a bridge. */
export async function hairpinsOf(node: Node): Promise<readonly string[]> {
  const script = "for f in /sys/class/net/*/brif/*/hairpin_mode; do [ -e $f ] && echo $f=$(cat $f); done; true";
  const lines = (await node.sh(["sh", "-c", script])).split("\n").filter((line) => line !== "");
  return lines.map((line) => line.replace("/sys/class/net/", "").replace("brif/", "").replace("/hairpin_mode", ""))
    .sort();
}
