/**
 * Consoles of the host: virtual terminals that draw on framebuffers, and the framebuffers that the firmware set up.
 * @module
 */
import type { KernelSys, PciDevice } from "./device.ts";

const TERMINALS = "/sys/class/vtconsole";
const PLATFORM = "/sys/bus/platform";
/** Drivers of firmware framebuffers. They belong to no device driver and keep the device's memory. */
const FIRMWARE_DRIVERS = ["efi-framebuffer", "simple-framebuffer", "vesa-framebuffer"] as const;

/** Returns the path and the text that switch a console on or off. */
export type ConsoleSwitch = (on: boolean) => { readonly path: string; readonly text: string };

/** Returns how to switch an item: `vtcon1`, or `DRIVER/DEVICE` for a framebuffer. */
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
 * Reads all items, in order, and whether they are on. While a framebuffer is off, the kernel does not list the
 * terminals that draw on it: those in `known` are then reported as off.
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

/** Reads the firmware framebuffers. A framebuffer is on while it is bound to its driver. */
async function readFramebuffers({ kernel }: KernelSys): Promise<ReadonlyMap<string, boolean>> {
  const devices = [...(await kernel.list(`${PLATFORM}/devices`))?.keys() ?? []];
  const present = FIRMWARE_DRIVERS.flatMap((driver) =>
    devices.filter((name) => name.startsWith(`${driver}.`)).map((name) => ({ driver, name }))
  );
  const states = await Promise.all(present.map(async ({ driver, name }): Promise<readonly [string, boolean]> => {
    const isOn = (await kernel.list(`${PLATFORM}/drivers/${driver}`))?.has(name) ?? false;
    return [`${driver}/${name}`, isOn];
  }));
  return new Map(states);
}

/** Returns the items that are shown on a device, or would be if they were on. */
export async function consolesOf(device: PciDevice, sys: KernelSys): Promise<ReadonlyMap<string, boolean>> {
  if (!device.hasFramebuffer && !device.isBootDisplay) return new Map();
  const all = [...await readConsoles([], sys)];
  const firmware = device.isBootDisplay ? all.filter(([item]) => !isTerminal(item)) : [];
  const isShown = device.hasFramebuffer || firmware.length > 0;
  return new Map(isShown ? [...firmware, ...all.filter(([item]) => isTerminal(item))] : []);
}
