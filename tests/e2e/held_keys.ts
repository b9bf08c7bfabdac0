/**
 * Keys of the kernel that every node has of its own, as they belong to its network and IPC namespaces: what scenes hold.
 * @module
 */

/** A key: its name in rules, its file, what a new namespace has, and what the rules of scenes want. */
export const HELD_KEYS = {
  ttl: { name: "net.ipv4.ip_default_ttl", path: "/proc/sys/net/ipv4/ip_default_ttl", original: "64", value: "77" },
  keepalive: {
    name: "net.ipv4.tcp_keepalive_time",
    path: "/proc/sys/net/ipv4/tcp_keepalive_time",
    original: "7200",
    value: "4321",
  },
  msgmax: { name: "kernel.msgmax", path: "/proc/sys/kernel/msgmax", original: "8192", value: "9000" },
} as const;

/** One of the keys. */
export type HeldKey = keyof typeof HELD_KEYS;
