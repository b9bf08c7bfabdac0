/**
 * The nodes below `/dev` through which programs use PCI devices.
 * @module
 */
import { isVfio, type KernelSys, type PciDevice } from "./device.ts";

/** A node and its PCI device. */
export interface DeviceNode {
  readonly address: string;
  /** `/dev/dri/card0` */
  readonly path: string;
  /** Its device number, `259:1`, for a disk or partition. */
  readonly block: string | undefined;
}

/**
 * Nodes whose driver waits until they are closed when it is unbound. Drivers of other nodes, such as input devices
 * and modems, do not wait.
 */
const BLOCKING_NODES = /^(dri|snd|vfio)\/|^fb\d/;
const NUMBERS = [{ folder: "/sys/dev/char", isBlock: false }, { folder: "/sys/dev/block", isBlock: true }] as const;

/** Finds the nodes of devices. */
export async function readNodes(devices: readonly PciDevice[], sys: KernelSys): Promise<readonly DeviceNode[]> {
  const listed = await Promise.all(NUMBERS.map(async ({ folder, isBlock }) => {
    const numbers = await sys.kernel.list(folder) ?? new Map<string, string | undefined>();
    return [...numbers].flatMap(([number, target = ""]) => {
      const device = devices.find(({ address }) => target.includes(`/${address}/`));
      return device === undefined ? [] : [{ device, uevent: `${folder}/${number}/uevent`, number, isBlock }];
    });
  }));
  const found = listed.flat();
  const uevents = await sys.kernel.read(found.map(({ uevent }) => uevent));
  const nodes = found.flatMap(({ device, uevent, number, isBlock }): readonly DeviceNode[] => {
    const [, name] = /^DEVNAME=(.+)$/m.exec(uevents.get(uevent) ?? "") ?? [];
    if (name === undefined || !(isBlock || BLOCKING_NODES.test(name))) return [];
    return [{ address: device.address, path: `/dev/${name}`, block: isBlock ? number : undefined }];
  });
  return [...nodes, ...vfioNodes(devices), ...await nvidiaNodes(devices, sys)];
}

/** Returns VFIO group nodes, which are not below the device in sysfs. */
function vfioNodes(devices: readonly PciDevice[]): readonly DeviceNode[] {
  return devices.flatMap(({ address, driver, group }) =>
    group !== undefined && isVfio(driver) ? [{ address, path: `/dev/vfio/${group}`, block: undefined }] : []
  );
}

const NVIDIA = "/proc/driver/nvidia/gpus";

/**
 * Returns the nodes of NVIDIA's proprietary driver, which are not below the device in sysfs. Some are shared by all
 * its cards.
 */
async function nvidiaNodes(devices: readonly PciDevice[], sys: KernelSys): Promise<readonly DeviceNode[]> {
  const cards = devices.filter(({ driver }) => driver === "nvidia");
  if (cards.length === 0) return [];
  const information = (address: string): string => `${NVIDIA}/${address}/information`;
  const texts = await sys.kernel.read(cards.map(({ address }) => information(address)));
  const all = await sys.kernel.list(NVIDIA);
  const shared = all?.size === cards.length ? ["nvidiactl", "nvidia-modeset", "nvidia-uvm"] : [];
  return cards.flatMap(({ address }) => {
    const [, minor] = /^Device Minor:\s*(\d+)/m.exec(texts.get(information(address)) ?? "") ?? [];
    const names = [...(minor === undefined ? [] : [`nvidia${minor}`]), ...shared];
    return names.map((name) => ({ address, path: `/dev/${name}`, block: undefined }));
  });
}
