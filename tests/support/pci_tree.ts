/**
 * PCI devices and their drivers on a host in memory, which react to `bind`, `unbind` and `driver_override` as the kernel does.
 * @module
 */
import type { Opener } from "../../lib/sys/kernel.ts";
import type { Nodes, Reaction } from "../../lib/sys/memory_kernel.ts";
import type { MemoryHost, MemoryNode } from "../../lib/sys/memory_sys.ts";
import type { LedgerHost } from "./ledger_host.ts";

/** A device when the test begins. */
export interface TreeDevice {
  /** Empty: none. */
  readonly driver?: string;
  /** Drivers that know the device by themselves; its own unless said. */
  readonly known?: readonly string[];
  readonly override?: string;
  /** Six digits: a network card unless said. */
  readonly kind?: string;
  /** Its IOMMU group; `null`: the host has none. */
  readonly group?: number | null;
  /** Nodes below /dev by their number: `{ "char/226:0": "dri/card0" }`. */
  readonly nodes?: Readonly<Record<string, string>>;
  readonly bootVga?: boolean;
  readonly graphics?: boolean;
  readonly net?: string;
}

/** What else the tree is made of. */
export interface TreeOptions {
  /** Drivers that are loaded, beside those of devices. */
  readonly drivers?: readonly string[];
  /** Writes from which the kernel does not come back, as `DRIVER unbind`. */
  readonly hangs?: ReadonlySet<string>;
  /** Drivers that do not take the device they are given. */
  readonly balks?: ReadonlySet<string>;
  readonly files?: MemoryHost["files"];
  readonly openers?: readonly Opener[];
  readonly programs?: MemoryHost["programs"];
}

const BUS = "/sys/bus/pci";

/** Makes the files of a host with these devices, by address. */
export function pciTree(devices: Readonly<Record<string, TreeDevice>>, options: TreeOptions = {}): MemoryHost {
  const { openers = [], programs = {} } = options;
  const drivers = new Set([
    ...options.drivers ?? ["vfio-pci"],
    ...Object.values(devices).flatMap(({ driver = "" }) => driver === "" ? [] : [driver]),
  ]);
  const files = Object.fromEntries([
    ...Object.entries(devices).flatMap(([address, device]) => deviceFiles(address, device)),
    ...[...drivers].flatMap((driver) => driverFiles(driver)),
  ]);
  const knownBy = (address: string, driver: string): boolean => {
    const { known, driver: own = "" } = devices[address] ?? {};
    return (known ?? [own]).includes(driver);
  };
  const reactions = Object.fromEntries([
    ...Object.keys(devices).map((address) => [`${BUS}/devices/${address}/driver_override`, override] as const),
    ...[...drivers].flatMap((driver) => driverReactions(driver, knownBy, options)),
  ]);
  return { files: { ...files, ...options.files }, reactions, openers, programs };
}

type File = readonly [string, string | Partial<MemoryNode>];

function link(target: string): Partial<MemoryNode> {
  return { kind: "symlink", text: target };
}

function deviceFiles(address: string, device: TreeDevice): readonly File[] {
  const folder = `${BUS}/devices/${address}`;
  const { driver = "", override: kept = "(null)", kind = "020000", group = 1, nodes = {}, net } = device;
  return [
    [`${folder}/driver_override`, `${kept}\n`],
    [`${folder}/class`, `0x${kind}\n`],
    ...(driver === "" ? [] : [[`${folder}/driver`, link(driverLink(driver))] as const]),
    ...(group === null ? [] : [
      [`${folder}/iommu_group`, link(`../../../kernel/iommu_groups/${group}`)] as const,
      [
        `/sys/kernel/iommu_groups/${group}/devices/${address}`,
        link(`../../../../devices/pci0000:00/${address}`),
      ] as const,
    ]),
    ...(device.bootVga ? [[`${folder}/boot_vga`, "1\n"] as const] : []),
    ...(device.graphics ? [[`${folder}/graphics/fb0/dev`, "29:0\n"] as const] : []),
    ...(net === undefined
      ? []
      : [[`${folder}/net/${net}/mtu`, "1500\n"], [`/sys/class/net/${net}/mtu`, "1500\n"]] as const),
    ...Object.entries(nodes).flatMap(([number, name]): readonly File[] => [
      [`/sys/dev/${number}`, link(`../../devices/pci0000:00/${address}/x/${name}`)],
      [`/sys/dev/${number}/uevent`, `MAJOR=1\nMINOR=2\nDEVNAME=${name}\n`],
    ]),
  ];
}

function driverLink(driver: string): string {
  return `../../../bus/pci/drivers/${driver}`;
}

function driverFiles(driver: string): readonly File[] {
  return ["bind", "unbind"].map((name) => [`${BUS}/drivers/${driver}/${name}`, { text: "", mode: 0o200 }]);
}

function override(text: string): string {
  return text.trim() === "" ? "(null)\n" : `${text.trim()}\n`;
}

const NO_DEVICE = { kind: "refused", reason: "No such device" } as const;

function driverReactions(
  driver: string,
  knownBy: (address: string, driver: string) => boolean,
  { hangs = new Set(), balks = new Set() }: TreeOptions,
): readonly (readonly [string, Reaction])[] {
  const linkOf = (address: string): string => `${BUS}/devices/${address}/driver`;
  const unbind: Reaction = (address, nodes) => {
    if (hangs.has(`${driver} unbind`)) return { kind: "stuck" };
    if (nodes.get(linkOf(address))?.text !== driverLink(driver)) return NO_DEVICE;
    nodes.delete(linkOf(address));
    return "";
  };
  const bind: Reaction = (address, nodes) => {
    const kept = nodes.get(`${BUS}/devices/${address}/driver_override`)?.text.trim();
    if (kept === undefined || nodes.has(linkOf(address))) return NO_DEVICE;
    if (kept === "(null)" ? !knownBy(address, driver) : kept !== driver) return NO_DEVICE;
    if (balks.has(driver)) return { kind: "refused", reason: "Device or resource busy" };
    give(address, driver, nodes);
    return "";
  };
  return [[`${BUS}/drivers/${driver}/unbind`, unbind], [`${BUS}/drivers/${driver}/bind`, bind]];
}

function give(address: string, driver: string, nodes: Nodes): void {
  nodes.set(`${BUS}/devices/${address}/driver`, { kind: "symlink", text: driverLink(driver), uid: 0, mode: 0o777 });
}

/** What a device's driver and `driver_override` are now: `e1000 (null)`. */
export function deviceState(address: string, { nodes }: Pick<LedgerHost, "nodes">): string {
  const folder = `${BUS}/devices/${address}`;
  const driver = nodes.get(`${folder}/driver`)?.text.split("/").at(-1) ?? "none";
  return `${driver} ${nodes.get(`${folder}/driver_override`)?.text.trim() ?? "gone"}`;
}

/** Pulls a device out. */
export function pullOut(address: string, { nodes }: Pick<LedgerHost, "nodes">): void {
  for (const path of [...nodes.keys()]) if (path.includes(`/${address}`)) nodes.delete(path);
}

/** A `<devices>` with these devices of the host. */
export function hostdevXml(addresses: readonly string[], managed: "yes" | "no" = "no"): string {
  const hostdevs = addresses.map((address) => {
    const [, domain, bus, slot, fn] = /^(.+):(.+):(.+)\.(.)$/.exec(address) ?? [];
    return `<hostdev mode='subsystem' type='pci' managed='${managed}'><source>` +
      `<address domain='0x${domain}' bus='0x${bus}' slot='0x${slot}' function='0x${fn}'/></source></hostdev>`;
  });
  return `<devices>${hostdevs.join("")}</devices>\n`;
}
