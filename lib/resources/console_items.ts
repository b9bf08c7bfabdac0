/**
 * What of the host shows text on a display: virtual terminals that draw on framebuffers, and the framebuffers that the
 * firmware left behind.
 * @module
 */
import type { KernelSys, PciDevice } from "./pci_device.ts";

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
 * All items, in order, and whether they are switched on. Of `known` ones also those that are off and not to be seen: a
 * framebuffer without its driver, and a terminal while there is no framebuffer that it could show on.
 */
export async function readConsoles(known: readonly string[], sys: KernelSys): Promise<ReadonlyMap<string, boolean>> {
  const framebuffers = await readFramebuffers(known, sys);
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

async function readFramebuffers(
  known: readonly string[],
  { kernel }: KernelSys,
): Promise<ReadonlyMap<string, boolean>> {
  const bound = await Promise.all(FIRMWARE_DRIVERS.map(async (driver) =>
    // Beside the devices there are the driver's own files, and the link to its module.
    [...await kernel.list(`${PLATFORM}/drivers/${driver}`) ?? []]
      .filter(([name, target]) => target !== undefined && name !== "module")
      .map(([name]) => `${driver}/${name}`)
  ));
  const on = bound.flat();
  const wanting = known.filter((item) => !isTerminal(item) && !on.includes(item));
  const there = wanting.length === 0 ? undefined : await kernel.list(`${PLATFORM}/devices`);
  const off = wanting.filter((item) => there?.has(item.slice(item.indexOf("/") + 1)));
  return new Map([...on.map((item) => [item, true] as const), ...off.map((item) => [item, false] as const)]);
}

/** The items that show on a device, and whether they are switched on. */
export async function consolesOf(device: PciDevice, sys: KernelSys): Promise<ReadonlyMap<string, boolean>> {
  if (!device.hasFramebuffer && !device.isBootDisplay) return new Map();
  const all = [...await readConsoles([], sys)];
  const firmware = device.isBootDisplay ? all.filter(([item]) => !isTerminal(item)) : [];
  const isShown = device.hasFramebuffer || firmware.length > 0;
  return new Map(isShown ? [...firmware, ...all.filter(([item]) => isTerminal(item))] : []);
}
