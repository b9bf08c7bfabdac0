/**
 * The host's text consoles on displays that are passed through to guests. All of them are one resource: a virtual
 * terminal is drawn on every framebuffer, so it is restored when the last guest stops.
 * @module
 */
import * as v from "valibot";
import type { ConsoleDemand } from "../plan/demand.ts";
import type { Sys } from "../sys/sys.ts";
import { consolesOf, consoleSwitch, isTerminal, readConsoles } from "./pci/console_items.ts";
import { readPciDevice } from "./pci/device.ts";
import {
  type Reading,
  type Resolution,
  resource,
  type ResourceChange,
  type SavedState,
  type WriteEnd,
} from "./resource.ts";

/** Whether each console is on, by name, in order. */
type Consoles = Readonly<Record<string, boolean>>;

const KEY = "console";
const WRITE_TIMEOUT_MS = 5_000;

/** Text consoles of the host, as a resource kind. */
export const console = resource<ConsoleDemand, Consoles>({
  name: "console",
  demand: v.object({
    devices: v.array(v.string()),
    framebuffers: v.array(v.string()),
    terminals: v.boolean(),
  }),
  value: v.record(v.string(), v.boolean()),
  restores: "difference",
  tools: [],
  resolve,
  read: async (_key, sys, saved): Promise<Reading<Consoles>> => ({
    kind: "value",
    value: Object.fromEntries(await readConsoles(Object.keys(saved?.original ?? {}), sys)),
  }),
  wanted: (original, held) => {
    const off = new Set(held.flatMap(({ demand }) => demand.framebuffers));
    const hasTerminalsOn = !held.some(({ demand }) => demand.terminals);
    const mayStayOn = (item: string): boolean => isTerminal(item) ? hasTerminalsOn : !off.has(item);
    return { kind: "value", value: mapConsoles(original, (item, isOn) => isOn && mayStayOn(item)) };
  },
  rebase,
  write,
  describe: (value) => {
    const on = Object.entries(value).filter(([, isOn]) => isOn).map(([item]) => item);
    return on.length === 0 ? "no active console" : `${on.join(", ")} on`;
  },
});

async function resolve(demand: ConsoleDemand, sys: Sys): Promise<Resolution<ConsoleDemand>> {
  const found = await Promise.all(demand.devices.map((address) => readPciDevice(address, sys)));
  const devices = found.filter((device) => device !== undefined);
  const items = (await Promise.all(devices.map(async (device) => [...(await consolesOf(device, sys)).keys()]))).flat();
  const framebuffers = [...new Set(items.filter((item) => !isTerminal(item)))].sort();
  // The kernel does not list a terminal while its only framebuffer is off.
  const terminals = items.length > 0;
  return { kind: "resolved", key: KEY, demand: { ...demand, framebuffers, terminals } };
}

/**
 * Updates the original: consoles that appeared or disappeared are taken over, and one that another program switched
 * keeps its state.
 */
function rebase({ original, written, pending }: SavedState<Consoles>, actual: Consoles): Consoles {
  return mapConsoles(actual, (item, isOn) => {
    const isWrittenByUs = isOn === written?.[item] || isOn === pending?.[item];
    return isWrittenByUs ? original[item] ?? isOn : isOn;
  });
}

function mapConsoles(consoles: Consoles, change: (item: string, isOn: boolean) => boolean): Consoles {
  return Object.fromEntries(Object.entries(consoles).map(([item, isOn]) => [item, change(item, isOn)]));
}

/** Switches consoles. A terminal needs a framebuffer: it is switched off first and on last. */
async function write({ from, to }: ResourceChange<Consoles>, sys: Sys): Promise<WriteEnd<Consoles>> {
  const changed = Object.keys(to).filter((item) => to[item] !== from[item]);
  const ordered = [
    ...changed.filter((item) => isTerminal(item) && !to[item]),
    ...changed.filter((item) => !isTerminal(item)),
    ...changed.filter((item) => isTerminal(item) && to[item]),
  ];
  for (const item of ordered) {
    const { path, text } = consoleSwitch(item)(to[item] ?? false);
    const end = await sys.kernel.write(path, text, WRITE_TIMEOUT_MS);
    const operation = `switching ${item} ${to[item] ? "on" : "off"}`;
    if (end.kind === "stuck") return { kind: "stuck", reason: `${operation} hangs in the kernel` };
    if (end.kind === "refused") return { kind: "failed", reason: `${operation}: ${end.reason}` };
  }
  return { kind: "written" };
}
