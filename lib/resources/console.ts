/**
 * The host's text consoles on displays that guests are given. All of them are one resource: a virtual terminal shows on
 * every framebuffer there is, so it comes back when the last guest has gone.
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

/** Whether each is switched on, by its name, in order. */
type Consoles = Readonly<Record<string, boolean>>;

const KEY = "console";
const WRITE_TIMEOUT_MS = 5_000;

/** The kind. */
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
    const hasTerminals = !held.some(({ demand }) => demand.terminals);
    const isLeft = (item: string): boolean => isTerminal(item) ? hasTerminals : !off.has(item);
    return { kind: "value", value: mapConsoles(original, (item, isOn) => isOn && isLeft(item)) };
  },
  rebase,
  write,
  describe: (value) => {
    const on = Object.entries(value).filter(([, isOn]) => isOn).map(([item]) => item);
    return on.length === 0 ? "no console on" : `${on.join(", ")} on`;
  },
});

async function resolve(demand: ConsoleDemand, sys: Sys): Promise<Resolution<ConsoleDemand>> {
  const found = await Promise.all(demand.devices.map((address) => readPciDevice(address, sys)));
  const devices = found.filter((device) => device !== undefined);
  const items = (await Promise.all(devices.map(async (device) => [...(await consolesOf(device, sys)).keys()]))).flat();
  const framebuffers = [...new Set(items.filter((item) => !isTerminal(item)))].sort();
  // A terminal is not to be seen while a framebuffer of its own is off.
  const terminals = items.length > 0;
  return { kind: "resolved", key: KEY, demand: { ...demand, framebuffers, terminals } };
}

/** What came, what went, and what another switched meanwhile stays as that left it. */
function rebase({ original, written, pending }: SavedState<Consoles>, actual: Consoles): Consoles {
  return mapConsoles(actual, (item, isOn) => {
    const isOurs = isOn === written?.[item] || isOn === pending?.[item];
    return isOurs ? original[item] ?? isOn : isOn;
  });
}

function mapConsoles(consoles: Consoles, change: (item: string, isOn: boolean) => boolean): Consoles {
  return Object.fromEntries(Object.entries(consoles).map(([item, isOn]) => [item, change(item, isOn)]));
}

/** A terminal needs a framebuffer to show on: it goes first and comes last. */
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
    const what = `switching ${item} ${to[item] ? "on" : "off"}`;
    if (end.kind === "stuck") return { kind: "stuck", reason: `${what} hangs in the kernel` };
    if (end.kind === "refused") return { kind: "failed", reason: `${what}: ${end.reason}` };
  }
  return { kind: "written" };
}
