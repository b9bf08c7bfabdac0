/**
 * A PCI device as the kernel shows it.
 * @module
 */
import type { Sys } from "../../sys/sys.ts";

/** What reading the kernel's files takes. */
export type KernelSys = Pick<Sys, "kernel">;

/** A PCI device of the host. */
export interface PciDevice {
  readonly address: string;
  /** Its driver; empty when it has none. */
  readonly driver: string;
  /** The only driver that may take it; empty when any may. */
  readonly override: string;
  /** Six hexadecimal digits: class, subclass, interface. */
  readonly kind: string;
  /** The number of its IOMMU group. */
  readonly group: string | undefined;
  /** Whether network interfaces of its driver's are there. */
  readonly hasInterfaces: boolean;
  /** Whether a framebuffer of its driver's is there. */
  readonly hasFramebuffer: boolean;
  /** Whether the firmware shows on it. */
  readonly isBootDisplay: boolean;
}

const BUS = "/sys/bus/pci";

/** The kernel's files of devices and drivers. */
export const PCI_PATHS = {
  device: (address: string) => `${BUS}/devices/${address}`,
  override: (address: string) => `${BUS}/devices/${address}/driver_override`,
  driver: (driver: string) => `${BUS}/drivers/${driver}`,
  bind: (driver: string) => `${BUS}/drivers/${driver}/bind`,
  unbind: (driver: string) => `${BUS}/drivers/${driver}/unbind`,
} as const;

/** Looks at a device; `undefined` when there is none of this address. */
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

/** Whether a driver hands devices to programs through VFIO: `vfio-pci`, `mlx5_vfio_pci`. */
export function isVfio(driver: string): boolean {
  return /(^|[-_])vfio[-_]pci$/.test(driver);
}
