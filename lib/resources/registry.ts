/**
 * The built-in resource kinds. Each is loaded when a demand first needs it. To add a kind, add a row.
 * @module
 */
import type { DriverName } from "../libvirt/driver.ts";
import type { ResourceName } from "../plan/demand.ts";
import type { Kinds } from "./kinds.ts";
import type { Resource } from "./resource.ts";

const LOADERS: Readonly<Record<ResourceName, () => Promise<Resource>>> = {
  command: async () => (await import("./command.ts")).command,
  process: async () => (await import("./process.ts")).process,
  nft: async () => (await import("./nft.ts")).nft,
  hairpin: async () => (await import("./hairpin.ts")).hairpin,
  address: async () => (await import("./address.ts")).address,
  route: async () => (await import("./route.ts")).route,
  dns: async () => (await import("./dns.ts")).dns,
  hugepages: async () => (await import("./hugepages.ts")).hugepages,
  module: async () => (await import("./module.ts")).module,
  cpus: async () => (await import("./cpus.ts")).cpus,
  governor: async () => (await import("./governor.ts")).governor,
  console: async () => (await import("./console.ts")).console,
  pci: async () => (await import("./pci.ts")).pci,
  service: async () => (await import("./service.ts")).service,
  sysctl: async () => (await import("./sysctl.ts")).sysctl,
};

/** An operation of a driver: `qemu started`. */
type HookEvent = `${DriverName} ${string}`;

const GUESTS = ["qemu", "lxc", "libxl"] as const satisfies readonly DriverName[];

/**
 * Operations at which libvirt or the start of a guest may have overwritten what a kind wrote, so that all its demands
 * are ensured, whatever the call's own holder. When its daemon restarts, libvirt rewrites its own rules after `daemon
 * start` and before `reconnect`.
 */
const ENSURED_AT: Partial<Record<ResourceName, readonly HookEvent[]>> = {
  // Addresses and routes disappear with the bridge of a network.
  address: ["network started"],
  route: ["network started"],
  nft: [
    ...["network started", "network updated", "network stopped", "daemon reload"] as const,
    ...GUESTS.flatMap((driver) => [`${driver} started`, `${driver} reconnect`] as const),
  ],
};

/** Kinds whose host state libvirt may overwrite after the last hook call of its daemon's start. */
const WRITTEN_AFTER_START = ["nft"] as const satisfies readonly ResourceName[];

/** The built-in resource kinds. */
export const builtinKinds: Kinds = {
  load: async (name) => {
    for (const [known, load] of Object.entries(LOADERS)) {
      if (known === name) return await load();
    }
    return undefined;
  },
  ensuredAt: (driver, operation) =>
    Object.entries(ENSURED_AT).filter(([, events]) => events.includes(`${driver} ${operation}`)).map(([name]) => name),
  writtenAfterStart: WRITTEN_AFTER_START,
};
