/**
 * The systems that nodes can be: this host's own libvirt, and that of Debian 13 with either of its firewalls.
 * @module
 */
import type { Node } from "./node.ts";

/** One system. */
export interface System {
  /** For the names of tests and nodes. */
  readonly name: string;
  /** Whether its files are those of Debian 13, made when first needed. */
  readonly isDebian13: boolean;
  /** What libvirt's network driver is told to use, where that is not left to it. */
  readonly firewall: "iptables" | "nftables" | undefined;
}

/** This host's own. */
export const OWN: System = { name: "own", isDebian13: false, firewall: undefined };

/** Each firewall that libvirt writes, on the versions that do. */
export const SYSTEMS: readonly System[] = [
  OWN,
  { name: "debian-13-nftables", isDebian13: true, firewall: "nftables" },
  { name: "debian-13-iptables", isDebian13: true, firewall: "iptables" },
];

const SCRIPT = new URL("./debian_13.sh", import.meta.url).pathname;
const DEBOOTSTRAP = "/usr/sbin/debootstrap";

/** Why Debian 13 cannot be had here; `undefined` where it can. */
export function debian13Problem(): string | undefined {
  try {
    Deno.statSync(DEBOOTSTRAP);
    return undefined;
  } catch {
    return `no ${DEBOOTSTRAP} (Debian package debootstrap)`;
  }
}

/** The folder with a system's files; empty for this host's own. @throws {Error} when it cannot be made. */
export async function rootOf(system: System): Promise<string> {
  if (!system.isDebian13) return "";
  const cache = Deno.env.get("XDG_CACHE_HOME") ?? `${Deno.env.get("HOME") ?? "/root"}/.cache`;
  // The number changes with the list of packages.
  const folder = `${cache}/virt-hooks/debian-13-2`;
  const { success, stderr } = await new Deno.Command(SCRIPT, { args: [folder], stdin: "null", stderr: "piped" })
    .output();
  if (success) return folder;
  throw new Error(`Cannot make Debian 13 in ${folder}: ${new TextDecoder().decode(stderr)}`);
}

/** Tells libvirt in a node which firewall to use. */
export async function chooseFirewall(node: Node, system: System): Promise<void> {
  if (system.firewall === undefined) return;
  await Deno.writeTextFile(node.path("/etc/libvirt/network.conf"), `firewall_backend = "${system.firewall}"\n`);
}
