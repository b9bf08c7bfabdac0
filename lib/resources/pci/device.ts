/**
 * Reads PCI devices from sysfs.
 * @module
 */
import type { Sys } from "../../sys/sys.ts";

/** The functions of `Sys` that read the kernel's files. */
export type KernelSys = Pick<Sys, "kernel">;

/** A PCI device of the host. */
export interface PciDevice {
  readonly address: string;
  /** Its driver; empty without one. */
  readonly driver: string;
  /** The only driver that may bind to it; empty if any may. */
  readonly override: string;
  /** Its class code, six hexadecimal digits: class, subclass, interface. */
  readonly kind: string;
  /** The number of its IOMMU group. */
  readonly group: string | undefined;
  /** Whether its driver provides network interfaces. */
  readonly hasInterfaces: boolean;
  /** Whether its driver provides a framebuffer. */
  readonly hasFramebuffer: boolean;
  /** Whether the firmware uses it as the boot display. */
  readonly isBootDisplay: boolean;
}

const BUS = "/sys/bus/pci";

/** The kernel's files for devices and drivers. */
export const PCI_PATHS = {
  device: (address: string) => `${BUS}/devices/${address}`,
  override: (address: string) => `${BUS}/devices/${address}/driver_override`,
  driver: (driver: string) => `${BUS}/drivers/${driver}`,
  bind: (driver: string) => `${BUS}/drivers/${driver}/bind`,
  unbind: (driver: string) => `${BUS}/drivers/${driver}/unbind`,
} as const;

/** Reads a device; `undefined` if there is none at the address. */
export async function readPciDevice(address: string, { kernel }: KernelSys): Promise<PciDevice | undefined> {
  const folder = PCI_PATHS.device(address);
  const entries = await kernel.list(folder);
  if (entries === undefined) return undefined;
  const [override, kind, bootVga] = [PCI_PATHS.override(address), `${folder}/class`, `${folder}/boot_vga`];
  const files = await kernel.read([override, kind, ...(entries.has("boot_vga") ? [bootVga] : [])]);
  const text = (path: string): string => files.get(path)?.trim() ?? "";
  return {
    address,
    driver: lastName(entries.get("driver")) ?? "",
    override: text(override) === "(null)" ? "" : text(override),
    kind: text(kind).replace(/^0x/, ""),
    group: lastName(entries.get("iommu_group")),
    hasInterfaces: entries.has("net"),
    hasFramebuffer: entries.has("graphics"),
    isBootDisplay: text(bootVga) === "1",
  };
}

function lastName(path: string | undefined): string | undefined {
  return path?.slice(path.lastIndexOf("/") + 1);
}

/** Whether a driver passes devices to programs through VFIO: `vfio-pci`, `mlx5_vfio_pci`. */
export function isVfio(driver: string): boolean {
  return /(^|[-_])vfio[-_]pci$/.test(driver);
}
