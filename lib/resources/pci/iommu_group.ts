/**
 * Devices that the IOMMU cannot tell apart: a guest gets all of a group, or the kernel gives it none.
 * @module
 */
import { isVfio, type KernelSys, type PciDevice, readPciDevice } from "./device.ts";
import type { Refused } from "../resource.ts";

/** A bridge between buses; the kernel lets it stay with the host. */
const BRIDGE = "0604";
/** Drivers that leave a device alone. */
const HARMLESS = ["pci-stub", "pcieport"];

/** Why a device's group cannot go to a guest; `undefined` when it can. `together` goes with the device. */
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
  const kept = devices.flatMap((other) => other === undefined || mayStay(other) ? [] : [other]);
  if (kept.length === 0) return undefined;
  const told = kept.map((other) => `${other.address} (${other.driver})`).join(", ");
  const reason = `${address} is in IOMMU group ${group} with ${told}: a guest gets all devices of a group or none`;
  return { kind: "refused", reason, hint: "name them in pci.devices too, or put the card into another slot" };
}

function mayStay({ driver, kind }: PciDevice): boolean {
  return driver === "" || kind.startsWith(BRIDGE) || HARMLESS.includes(driver) || isVfio(driver);
}
