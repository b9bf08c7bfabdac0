/**
 * IOMMU groups: the IOMMU cannot separate the devices of a group, so the kernel requires that a guest gets all of
 * them.
 * @module
 */
import { isVfio, type KernelSys, type PciDevice, readPciDevice } from "./device.ts";
import type { Refused } from "../resource.ts";

/** Class code of a PCI bridge; the kernel allows it to stay with the host. */
const BRIDGE = "0604";
/** Drivers that do not access the device's memory. */
const PASSIVE_DRIVERS = ["pci-stub", "pcieport"];

/**
 * Refuses a device whose group cannot be passed to a guest; returns `undefined` if it can. `together` are the devices
 * that are passed with it.
 */
export async function refuseGroup(
  device: PciDevice,
  together: ReadonlySet<string>,
  sys: KernelSys,
): Promise<Refused | undefined> {
  const { address, group } = device;
  if (group === undefined) {
    const reason = `${address} is in no IOMMU group, so no guest can be given it`;
    const hint = "switch VT-d or AMD-Vi on in the firmware, and on Intel boot with intel_iommu=on";
    return { kind: "refused", reason, hint };
  }
  const members = await sys.kernel.list(`/sys/kernel/iommu_groups/${group}/devices`) ?? new Map();
  const others = [...members.keys()].filter((other) => other !== address && !together.has(other));
  const devices = await Promise.all(others.map((other) => readPciDevice(other, sys)));
  const kept = devices.flatMap((other) => other === undefined || mayStayOnHost(other) ? [] : [other]);
  if (kept.length === 0) return undefined;
  const names = kept.map((other) => `${other.address} (${other.driver})`).join(", ");
  const reason = `${address} is in IOMMU group ${group} with ${names}: a guest gets all devices of a group or none`;
  return { kind: "refused", reason, hint: "name them in pci.devices too, or put the card into another slot" };
}

function mayStayOnHost({ driver, kind }: PciDevice): boolean {
  return driver === "" || kind.startsWith(BRIDGE) || PASSIVE_DRIVERS.includes(driver) || isVfio(driver);
}
