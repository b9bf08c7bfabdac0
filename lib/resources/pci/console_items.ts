/**
 * What of the host shows text on a display: virtual terminals that draw on framebuffers, and the framebuffers that the
 * firmware left behind.
 * @module
 */
import type { KernelSys, PciDevice } from "./device.ts";

const TERMINALS = "/sys/class/vtconsole";
const PLATFORM = "/sys/bus/platform";
/** Drivers of framebuffers that belong to no device's own driver, and keep its memory. */
const FIRMWARE_DRIVERS = ["efi-framebuffer", "simple-framebuffer", "vesa-framebuffer"] as const;

/** What one is switched with. */
export type ConsoleSwitch = (on: boolean) => { readonly path: string; readonly text: string };

/** How to switch an item: `vtcon1`, or `DRIVER/DEVICE` for a framebuffer. */
export function consoleSwitch(item: string): ConsoleSwitch {
  const [driver = "", device] = item.split("/");
  if (device === undefined) return (on) => ({ path: `${TERMINALS}/${item}/bind`, text: on ? "1" : "0" });
  return (on) => ({ path: `${PLATFORM}/drivers/${driver}/${on ? "bind" : "unbind"}`, text: device });
}

/** Whether an item is a virtual terminal. */
export function isTerminal(item: string): boolean {
  return !item.includes("/");
}

/**
 * All items, in order, and whether they are switched on. While no framebuffer is on, the terminals that could show on one are not
 * to be seen: those of `known` are off then.
 */
export async function readConsoles(known: readonly string[], sys: KernelSys): Promise<ReadonlyMap<string, boolean>> {
  const framebuffers = await readFramebuffers(sys);
  const terminals = await readTerminals(sys);
  const hidden = [...framebuffers.values()].includes(false)
    ? known.filter((item) => isTerminal(item) && !terminals.has(item)).map((item) => [item, false] as const)
    : [];
  return new Map([...framebuffers, ...terminals, ...hidden].toSorted(([a], [b]) => a < b ? -1 : 1));
}

async function readTerminals({ kernel }: KernelSys): Promise<ReadonlyMap<string, boolean>> {
  const names = [...(await kernel.list(TERMINALS))?.keys() ?? []];
  const texts = await kernel.read(names.flatMap((name) => [`${TERMINALS}/${name}/name`, `${TERMINALS}/${name}/bind`]));
  return new Map(
    names.filter((name) => texts.get(`${TERMINALS}/${name}/name`)?.includes("frame buffer"))
      .map((name) => [name, texts.get(`${TERMINALS}/${name}/bind`)?.trim() === "1"]),
  );
}

/** A device is on while its driver has it. */
async function readFramebuffers({ kernel }: KernelSys): Promise<ReadonlyMap<string, boolean>> {
  const devices = [...(await kernel.list(`${PLATFORM}/devices`))?.keys() ?? []];
  const there = FIRMWARE_DRIVERS.flatMap((driver) =>
    devices.filter((name) => name.startsWith(`${driver}.`)).map((name) => ({ driver, name }))
  );
  const states = await Promise.all(there.map(async ({ driver, name }): Promise<readonly [string, boolean]> => {
    const isOn = (await kernel.list(`${PLATFORM}/drivers/${driver}`))?.has(name) ?? false;
    return [`${driver}/${name}`, isOn];
  }));
  return new Map(states);
}

/** The items that show on a device, or would if they were on. */
export async function consolesOf(device: PciDevice, sys: KernelSys): Promise<ReadonlyMap<string, boolean>> {
  if (!device.hasFramebuffer && !device.isBootDisplay) return new Map();
  const all = [...await readConsoles([], sys)];
  const firmware = device.isBootDisplay ? all.filter(([item]) => !isTerminal(item)) : [];
  const isShown = device.hasFramebuffer || firmware.length > 0;
  return new Map(isShown ? [...firmware, ...all.filter(([item]) => isTerminal(item))] : []);
}
