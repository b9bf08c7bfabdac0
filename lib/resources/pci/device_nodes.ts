/**
 * The nodes below `/dev` through which programs use PCI devices.
 * @module
 */
import { isVfio, type KernelSys, type PciDevice } from "./device.ts";

/** A node and the device that it leads to. */
export interface DeviceNode {
  readonly address: string;
  /** `/dev/dri/card0` */
  readonly path: string;
  /** Its number, `259:1`, where it is a disk or a part of one. */
  readonly block: string | undefined;
}

/** Nodes whose driver waits for whoever has them open. Others, an input's or a modem's, take a device that goes. */
const WAITED_FOR = /^(dri|snd|vfio)\/|^fb\d/;
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
  const own = found.flatMap(({ device, uevent, number, isBlock }): readonly DeviceNode[] => {
    const [, name] = /^DEVNAME=(.+)$/m.exec(uevents.get(uevent) ?? "") ?? [];
    if (name === undefined || !(isBlock || WAITED_FOR.test(name))) return [];
    return [{ address: device.address, path: `/dev/${name}`, block: isBlock ? number : undefined }];
  });
  return [...own, ...vfioNodes(devices), ...await nvidiaNodes(devices, sys)];
}

/** A group's node is nobody's child in the tree of devices. */
function vfioNodes(devices: readonly PciDevice[]): readonly DeviceNode[] {
  return devices.flatMap(({ address, driver, group }) =>
    group !== undefined && isVfio(driver) ? [{ address, path: `/dev/vfio/${group}`, block: undefined }] : []
  );
}

const NVIDIA = "/proc/driver/nvidia/gpus";

/** NVIDIA's own driver keeps its nodes out of the tree of devices; some of them are shared by all its cards. */
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
