/**
 * Finds the host's users of PCI devices: removing a device in use would hang the kernel, lose data or fail in the
 * guest.
 * @module
 */
import { consolesOf } from "./console_items.ts";
import { type DeviceNode, readNodes } from "./device_nodes.ts";
import { type KernelSys, PCI_PATHS, type PciDevice } from "./device.ts";

/** A user of a device. */
export type DeviceUser =
  | { readonly kind: "program"; readonly pid: number; readonly name: string; readonly path: string }
  /** A program that uses the device through VFIO: another guest. */
  | { readonly kind: "guest"; readonly pid: number; readonly name: string; readonly path: string }
  | { readonly kind: "storage"; readonly path: string; readonly use: string }
  | { readonly kind: "network"; readonly name: string; readonly use: string }
  | { readonly kind: "console"; readonly name: string; readonly address: string };

/** Describes a user. */
export function describeUser(user: DeviceUser): string {
  switch (user.kind) {
    case "program":
    case "guest":
      return `${user.name} (${user.pid}) has ${user.path} open`;
    case "storage":
      return `${user.path} ${user.use}`;
    case "network":
      return `${user.name} ${user.use}`;
    case "console":
      return `the console ${user.name} shows on ${user.address}`;
    default:
      return user satisfies never;
  }
}

/** Finds all users of devices except one guest, whose UUID is on its program's command line. */
export async function findUsers(
  devices: readonly PciDevice[],
  guest: string,
  sys: KernelSys,
): Promise<readonly DeviceUser[]> {
  const nodes = await readNodes(devices, sys);
  return [
    ...await programs(nodes, guest, sys),
    ...await storage(nodes, sys),
    ...await networks(devices, sys),
    ...await consoles(devices, sys),
  ];
}

async function programs(nodes: readonly DeviceNode[], guest: string, sys: KernelSys): Promise<readonly DeviceUser[]> {
  const openers = await sys.kernel.openers(nodes.map(({ path }) => path));
  const throughVfio = openers.filter(({ path }) => path.startsWith("/dev/vfio/"));
  const commandLines = await sys.kernel.read(throughVfio.map(({ pid }) => `/proc/${pid}/cmdline`));
  return openers.flatMap((opener): readonly DeviceUser[] => {
    if (!throughVfio.includes(opener)) return [{ kind: "program", ...opener }];
    const isGuest = commandLines.get(`/proc/${opener.pid}/cmdline`)?.includes(guest) ?? false;
    return isGuest ? [] : [{ kind: "guest", ...opener }];
  });
}

const [MOUNTS, SWAPS] = ["/proc/self/mountinfo", "/proc/swaps"];
const [ROUTES, ADDRESSES] = ["/proc/net/route", "/proc/net/if_inet6"];

/** Finds block devices that the kernel uses: mounted, as swap, or as part of another block device. */
async function storage(nodes: readonly DeviceNode[], sys: KernelSys): Promise<readonly DeviceUser[]> {
  const blocks = nodes.filter(({ block }) => block !== undefined);
  if (blocks.length === 0) return [];
  const texts = await sys.kernel.read([MOUNTS, SWAPS]);
  const mounts = (texts.get(MOUNTS) ?? "").split("\n").map((line) => line.split(" "));
  const swaps = (texts.get(SWAPS) ?? "").split("\n").map((line) => line.split(/\s/)[0]);
  const uses = await Promise.all(blocks.map(async ({ path, block = "" }): Promise<readonly DeviceUser[]> => {
    const mount = mounts.find((fields) => fields[2] === block || fields[fields.indexOf("-") + 2] === path);
    const parents = [...await sys.kernel.list(`/sys/dev/block/${block}/holders`) ?? []].map(([name]) => name);
    return [
      ...(mount === undefined ? [] : [`is mounted on ${mount[4]}`]),
      ...(swaps.includes(path) ? ["is swap"] : []),
      ...(parents.length === 0 ? [] : [`is a part of ${parents.join(", ")}`]),
    ].map((use) => ({ kind: "storage", path, use }));
  }));
  return uses.flat();
}

/** Finds network interfaces that carry the host's traffic. One that is merely up is not in use. */
async function networks(devices: readonly PciDevice[], sys: KernelSys): Promise<readonly DeviceUser[]> {
  const cards = devices.filter(({ hasInterfaces }) => hasInterfaces);
  const listed = await Promise.all(cards.map(({ address }) => sys.kernel.list(`${PCI_PATHS.device(address)}/net`)));
  const names = listed.flatMap((interfaces) => [...interfaces?.keys() ?? []]);
  if (names.length === 0) return [];
  const texts = await sys.kernel.read([ROUTES, ADDRESSES]);
  const inUse = new Set([...routed(texts.get(ROUTES) ?? ""), ...addressed(texts.get(ADDRESSES) ?? "")]);
  const uses = await Promise.all(names.map(async (name): Promise<readonly DeviceUser[]> => {
    const [, controller] = /([^/]+)$/.exec((await sys.kernel.list(`/sys/class/net/${name}`))?.get("master") ?? "") ??
      [];
    if (controller !== undefined) return [{ kind: "network", name, use: `is a part of ${controller}` }];
    return inUse.has(name) ? [{ kind: "network", name, use: "carries traffic of the host" }] : [];
  }));
  return uses.flat();
}

/** Returns interfaces with IPv4 routes; each IPv4 address creates one. */
function routed(table: string): readonly string[] {
  return table.split("\n").map((line) => line.split("\t")[0] ?? "");
}

/** Returns interfaces with IPv6 addresses beyond the link-local one, which every interface has. */
function addressed(table: string): readonly string[] {
  const rows = table.split("\n").map((line) => line.trim().split(/\s+/));
  return rows.flatMap(([, , , scope, , name]) => scope === "00" && name !== undefined ? [name] : []);
}

async function consoles(devices: readonly PciDevice[], sys: KernelSys): Promise<readonly DeviceUser[]> {
  const found = await Promise.all(devices.map(async (device): Promise<readonly DeviceUser[]> => {
    const on = [...await consolesOf(device, sys)].filter(([, isOn]) => isOn);
    return on.map(([name]) => ({ kind: "console", name, address: device.address }));
  }));
  return found.flat();
}
