/**
 * PCI devices: moved from their driver to the one that passes them to a guest, and back. A device belongs to one
 * guest at a time.
 * @module
 */
import * as v from "valibot";
import type { AnyDemand, PciDemand } from "../plan/demand.ts";
import type { Sys } from "../sys/sys.ts";
import { TOOLS } from "../sys/tools.ts";
import { evictDeviceUsers, refuseUsers } from "./pci/evict_users.ts";
import { unanimous } from "./unanimous.ts";
import { refuseGroup } from "./pci/iommu_group.ts";
import { isVfio, PCI_PATHS, readPciDevice } from "./pci/device.ts";
import { type PciState, sameState, writePciState } from "./pci/state.ts";
import {
  type HeldDemand,
  type Reading,
  type Refused,
  type Requester,
  type Resolution,
  resource,
  type SavedState,
  type Wanted,
} from "./resource.ts";

const PREFIX = "pci/";

/** Drivers of PCI devices, as a resource kind. */
export const pci = resource<PciDemand, PciState>({
  name: "pci",
  demand: v.object({
    address: v.string(),
    driver: v.string(),
    holders: v.picklist(["fail", "wait", "stop"]),
    timeoutMs: v.number(),
    managed: v.boolean(),
    guest: v.string(),
    together: v.array(v.string()),
  }),
  value: v.object({ driver: v.string(), override: v.string() }),
  restores: "absolute",
  tools: [],
  resolve,
  evict: evictDeviceUsers,
  read: (key, sys) => readState(key.slice(PREFIX.length), sys),
  wanted,
  rebase: ({ original, written, pending }, actual) =>
    // A device that was left as it was may be changed by libvirt or by another program.
    pending === undefined && written !== undefined && sameState(written, original) ? actual : original,
  isAbandoned: isAbandoned,
  write: (change, sys) => writePciState({ ...change, address: change.key.slice(PREFIX.length) }, sys),
  describe: ({ driver, override }) => {
    const name = driver === "" ? "without a driver" : `with ${driver}`;
    return override === "" || override === driver ? name : `${name}, kept for ${override}`;
  },
});

async function resolve(
  demand: PciDemand,
  sys: Sys,
  { plan }: Requester,
): Promise<Resolution<PciDemand>> {
  const { address, driver, managed, holders } = demand;
  const device = await readPciDevice(address, sys);
  if (device === undefined) {
    return { kind: "refused", reason: `there is no PCI device ${address}`, hint: "see: lspci -D" };
  }
  if (holders === "stop" && sys.lstat(TOOLS.kill) === undefined) {
    return { kind: "refused", reason: `there is no ${TOOLS.kill} on this host, which ends programs` };
  }
  const plannedAddresses = new Set(plan.flatMap((one) => one.resource === "pci" ? [one.demand.address] : []));
  const refused = (isVfio(driver) ? await refuseGroup(device, plannedAddresses, sys) : undefined) ??
    (managed ? undefined : await refuseDriver(driver, plan, sys)) ??
    await refuseUsers(device, { demand, plan }, sys);
  if (refused !== undefined) return refused;
  const hasDriver = !managed && device.driver === driver;
  return {
    kind: "resolved",
    key: `${PREFIX}${address}`,
    demand,
    ...(hasDriver ? { note: `${address} has the driver ${driver} already` } : {}),
  };
}

/** Refuses a driver that is not loaded, unless the plan loads it. */
async function refuseDriver(driver: string, plan: readonly AnyDemand[], sys: Sys): Promise<Refused | undefined> {
  const isPlanned = plan.some((one) =>
    one.resource === "module" && one.demand.state === "loaded" &&
    one.demand.name.replaceAll("_", "-") === driver.replaceAll("_", "-")
  );
  if (isPlanned || await sys.kernel.list(PCI_PATHS.driver(driver)) !== undefined) return undefined;
  return {
    kind: "refused",
    reason: `the driver ${driver} is not loaded`,
    hint: `let the rule load it: modules = { load = ["${driver}"] }`,
  };
}

async function readState(address: string, sys: Sys): Promise<Reading<PciState>> {
  const device = await readPciDevice(address, sys);
  if (device === undefined) return { kind: "gone", reason: `there is no PCI device ${address} any more` };
  return { kind: "value", value: { driver: device.driver, override: device.override } };
}

function wanted(original: PciState, held: readonly HeldDemand<PciDemand>[]): Wanted<PciState> {
  const [first, ...rest] = held;
  const other = rest.find(({ demand }) => demand.guest !== first?.demand.guest);
  if (first !== undefined && other !== undefined) {
    return {
      kind: "conflict",
      reason: `${first.holder} has it and ${other.holder} wants it: only one guest can use a device`,
    };
  }
  return unanimous(held, {
    value: ({ driver, managed }) => managed || original.driver === driver ? original : { driver, override: driver },
    text: ({ driver, managed }) => managed ? "it left to libvirt" : `it with ${driver}`,
  });
}

/**
 * Whether a killed hook may have left the device between two drivers: without one, or with an override for a driver
 * that does not have it.
 */
function isAbandoned(actual: PciState, { original, written, pending }: SavedState<PciState>): boolean {
  const ends = [original, written, pending].filter((state) => state !== undefined);
  return (actual.driver === "" || ends.some(({ driver }) => driver === actual.driver)) &&
    ends.some(({ override }) => override === actual.override);
}
