/**
 * PCI devices: taken from their driver, given to the one that hands them to a guest, and back. A device goes to one guest at
 * a time.
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

/** The kind. */
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
    // What we left as it was is libvirt's, or somebody else's, to change.
    pending === undefined && written !== undefined && sameState(written, original) ? actual : original,
  isAbandoned: isFree,
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
  const together = new Set(plan.flatMap((one) => one.resource === "pci" ? [one.demand.address] : []));
  const refused = (isVfio(driver) ? await refuseGroup(device, together, sys) : undefined) ??
    (managed ? undefined : await refuseDriver(driver, plan, sys)) ??
    await refuseUsers(device, { demand, plan }, sys);
  if (refused !== undefined) return refused;
  const isThere = !managed && device.driver === driver;
  return {
    kind: "resolved",
    key: `${PREFIX}${address}`,
    demand,
    ...(isThere ? { note: `${address} has the driver ${driver} already` } : {}),
  };
}

/** A driver that is not there, and that nothing in the plan brings. */
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
    return { kind: "conflict", reason: `${first.who} has it and ${other.who} wants it: a device goes to one guest` };
  }
  return unanimous(held, {
    value: ({ driver, managed }) => managed || original.driver === driver ? original : { driver, override: driver },
    text: ({ driver, managed }) => managed ? "it left to libvirt" : `it with ${driver}`,
  });
}

/** A hook that was killed leaves a device between two drivers: without any, or kept for one that has not got it. */
function isFree(actual: PciState, { original, written, pending }: SavedState<PciState>): boolean {
  const ends = [original, written, pending].filter((state) => state !== undefined);
  return (actual.driver === "" || ends.some(({ driver }) => driver === actual.driver)) &&
    ends.some(({ override }) => override === actual.override);
}
