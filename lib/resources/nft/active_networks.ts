/**
 * libvirt's active networks: whether libvirt's own firewall rules are present, and whether guests can request an
 * address.
 * @module
 */
import { networkAddresses } from "../../libvirt/network_addresses.ts";
import { networkBridge, networkForward } from "../../libvirt/network.ts";
import type { IpFamily } from "../../net/ip_address.ts";
import type { Sys } from "../../sys/sys.ts";
import { NETWORKS_DIRECTORY, readNetworkDocument } from "./guest_network.ts";
import { TOOL_NAMES } from "./filter.ts";
import { leaseRequests } from "./packets.ts";
import { BYPASS_CHAINS } from "./bypass_rules.ts";
import { type FilterView, type Obstacle, obstaclesToHost } from "./view.ts";

/** An active network for which libvirt writes firewall rules. */
export interface ActiveNetwork {
  readonly name: string;
  readonly bridge: string;
  /** Address families that its DHCP server assigns. */
  readonly dhcpFamilies: readonly IpFamily[];
}

const SUFFIX = ".xml";
/** Forward modes for which libvirt writes rules. A network without `<forward>` is isolated. */
const FILTERED_MODES: readonly (string | undefined)[] = ["nat", "route", undefined];

/** Reads the active networks for which libvirt writes rules. */
export async function readActiveNetworks(
  sys: Pick<Sys, "lstat" | "readDirectory" | "readTextFile">,
): Promise<readonly ActiveNetwork[]> {
  const found: ActiveNetwork[] = [];
  for (const file of sys.readDirectory(NETWORKS_DIRECTORY) ?? []) {
    if (!file.endsWith(SUFFIX)) continue;
    const name = file.slice(0, -SUFFIX.length);
    const document = await readNetworkDocument(name, sys);
    if (document === undefined) continue;
    const bridge = networkBridge(document)?.name;
    const addresses = networkAddresses(document);
    if (bridge === undefined || addresses.length === 0 || !FILTERED_MODES.includes(networkForward(document)?.mode)) {
      continue;
    }
    const gives = addresses.flatMap(({ family, ranges, hosts }) => ranges.length + hosts.length === 0 ? [] : [family]);
    found.push({ name, bridge, dhcpFamilies: [...new Set(gives)] });
  }
  return found;
}

/**
 * Returns a sentence for each network whose rules are missing, for example after another program has flushed the
 * packet filter.
 */
export function missingRules(
  networks: readonly ActiveNetwork[],
  view: FilterView,
  sys: Pick<Sys, "lstat">,
): readonly string[] {
  return networks.filter(({ bridge }) => !hasRules(bridge, view)).map(({ name, bridge }) =>
    `libvirt's own rules for network ${
      JSON.stringify(name)
    } (bridge ${bridge}) are missing, so its guests may not reach ` +
    `the outside: restart its daemon (systemctl restart ${daemonOf(sys)})`
  );
}

function hasRules(bridge: string, { iptables, mentionsDevice }: FilterView): boolean {
  const words = new RegExp(`^-A LIBVIRT_\\S+ (?:.* )?-[io] ${RegExp.escape(bridge)} `, "m");
  return TOOL_NAMES.some((tool) => words.test(iptables[tool] ?? "")) ||
    [BYPASS_CHAINS["libvirt-ip"], BYPASS_CHAINS["libvirt-ip6"]].some(({ table }) => mentionsDevice(table, bridge));
}

const MODULAR_SOCKET = "/run/libvirt/virtnetworkd-sock";

function daemonOf(sys: Pick<Sys, "lstat">): string {
  return sys.lstat(MODULAR_SOCKET) === undefined ? "libvirtd" : "virtnetworkd";
}

/**
 * Describes a chain that rejects DHCP requests of a network's guests. Returns `undefined` if none is certain to do
 * so.
 */
export function leaseProblem(
  { name, bridge, dhcpFamilies }: ActiveNetwork,
  view: FilterView,
): string | undefined {
  const obstacle = dhcpFamilies.flatMap((family) => obstaclesToHost(view, leaseRequests(bridge, family)))
    .find(({ kind }) => kind === "rejects");
  if (obstacle === undefined) return undefined;
  return `${obstacle.label} rejects what guests of network ${
    JSON.stringify(name)
  } send to its DHCP server; allow it: ` +
    dhcpFixFor(obstacle, bridge, view);
}

function dhcpFixFor(
  { chain: { table, name, label } }: Obstacle,
  bridge: string,
  { iptables }: FilterView,
): string {
  const tool = TOOL_NAMES.find((one) => label.endsWith(` of ${one}`));
  if (tool === undefined) {
    return table === BYPASS_CHAINS.firewalld.table
      ? `firewall-cmd --zone=libvirt --change-interface=${bridge}`
      : `nft insert rule ${table} ${name} iifname ${bridge} accept`;
  }
  const isOfUfw = iptables[tool]?.includes("-N ufw-") === true || iptables[tool]?.includes("-N ufw6-") === true;
  return isOfUfw ? `ufw allow in on ${bridge}` : `${tool} -I INPUT -i ${bridge} -j ACCEPT`;
}
