/**
 * Every program of the host that the product itself runs, by its absolute path.
 * @module
 */

/** The programs. */
export const TOOLS = {
  conntrack: "/usr/sbin/conntrack",
  dd: "/usr/bin/dd",
  find: "/usr/bin/find",
  head: "/usr/bin/head",
  kill: "/usr/bin/kill",
  ip: "/usr/sbin/ip",
  ip6tables: "/usr/sbin/ip6tables",
  iptables: "/usr/sbin/iptables",
  modprobe: "/usr/sbin/modprobe",
  nft: "/usr/sbin/nft",
  resolvectl: "/usr/bin/resolvectl",
  systemctl: "/usr/bin/systemctl",
  systemdRun: "/usr/bin/systemd-run",
} as const;

/** One of the programs. */
export type Tool = keyof typeof TOOLS;

/** Those that may start others, which must end with them: `modprobe` what modprobe.d says, the others what asks a person. */
export const STARTING_OTHERS: readonly Tool[] = ["modprobe", "resolvectl", "systemctl", "systemdRun"];

/** All that such a program finds in its environment. */
export const TOOL_ENVIRONMENT = { LC_ALL: "C", PATH: "/usr/sbin:/usr/bin:/sbin:/bin" } as const;
