/**
 * The kinds of resources there are. Each is loaded when a demand first needs it. One more kind is one more row.
 * @module
 */
import type { ResourceName } from "../plan/demand.ts";
import type { Resource } from "./resource.ts";

const LOADERS: Partial<Record<ResourceName, () => Promise<Resource>>> = {
  command: async () => (await import("./command.ts")).command,
  process: async () => (await import("./process.ts")).process,
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

/** Loads a kind by its name; `undefined` for a kind that this version does not know. */
export async function loadResource(name: string): Promise<Resource | undefined> {
  for (const [known, load] of Object.entries(LOADERS)) {
    if (known === name) return await load();
  }
  return undefined;
}
