/**
 * Reads and changes the driver of a device, step by step. Each write may hang in the kernel, so a child process makes
 * it.
 * @module
 */
import type { Sys } from "../../sys/sys.ts";
import { isVfio, PCI_PATHS, readPciDevice } from "./device.ts";
import { describeUser, type DeviceUser } from "./device_users.ts";
import type { ResourceChange, WriteEnd } from "../resource.ts";
import { runTool } from "../run_tool.ts";

/** The driver of a device. */
export interface PciState {
  /** Empty without a driver. */
  readonly driver: string;
  /** `driver_override`: the only driver that may bind to it; empty if any may. */
  readonly override: string;
}

/** Whether two states are equal. */
export function sameState(a: PciState, b: PciState): boolean {
  return a.driver === b.driver && a.override === b.override;
}

const POLL_MS = 50;
/** Share of the remaining time for one wait: other devices and services must be restored too. */
const WAIT_SHARE = 0.5;

interface PciChange extends ResourceChange<PciState> {
  readonly address: string;
}

type Problem = Extract<WriteEnd<PciState>, { readonly kind: "failed" | "stuck" }>;

/** Moves a device to a driver: sets the override, unbinds the current driver and binds the new one. */
export async function writePciState(change: PciChange, sys: Sys): Promise<WriteEnd<PciState>> {
  const moves = change.from.driver !== change.to.driver;
  return (moves ? await waitForVfio(change, sys) : undefined) ??
    await setOverride(change, sys) ??
    (moves ? await unbind(change, sys) ?? await bind(change, sys) : undefined) ??
    { kind: "written" };
}

async function setOverride(change: PciChange, sys: Sys): Promise<Problem | undefined> {
  const { address, from, to: { override } } = change;
  if (from.override === override) return undefined;
  const what = override === ""
    ? `clearing the driver override of ${address}`
    : `setting the driver override of ${address} to ${override}`;
  return await step({ path: PCI_PATHS.override(address), text: `${override}\n`, what }, change, sys);
}

async function unbind(change: PciChange, sys: Sys): Promise<Problem | undefined> {
  const { address, from: { driver } } = change;
  if (driver === "") return undefined;
  return await step(
    { path: PCI_PATHS.unbind(driver), text: address, what: `unbinding ${address} from ${driver}` },
    change,
    sys,
  );
}

/** Waits until the VFIO group is closed. Otherwise the kernel would wait without a time limit. */
async function waitForVfio({ address, from, deadlineMs }: PciChange, sys: Sys): Promise<Problem | undefined> {
  if (!isVfio(from.driver)) return undefined;
  const group = (await readPciDevice(address, sys))?.group;
  if (group === undefined) return undefined;
  const untilMs = sys.elapsedMs() + waitMs(deadlineMs, sys);
  while (true) {
    const [user] = await sys.kernel.openers([`/dev/vfio/${group}`]);
    if (user === undefined) return undefined;
    if (sys.elapsedMs() + POLL_MS > untilMs) {
      const guest: DeviceUser = { kind: "guest", ...user };
      return { kind: "failed", reason: `${address} is still in use: ${describeUser(guest)}` };
    }
    await sys.sleep(POLL_MS);
  }
}

/** Binds the driver by name: probing would bind the first of several matching drivers. */
async function bind(change: PciChange, sys: Sys): Promise<Problem | undefined> {
  const { address, to: { driver } } = change;
  if (driver === "") return undefined;
  const write = { path: PCI_PATHS.bind(driver), text: address, what: `binding ${address} to ${driver}` };
  const problem = await step(write, change, sys);
  if (problem?.kind !== "failed" || await sys.kernel.list(PCI_PATHS.driver(driver)) !== undefined) return problem;
  const loadProblem = await reloadDriver(change, sys);
  if (loadProblem !== undefined) return loadProblem;
  // A driver binds to its devices when it is loaded.
  return (await readPciDevice(address, sys))?.driver === driver ? undefined : await step(write, change, sys);
}

/** Loads the device's original driver if it was unloaded meanwhile. */
async function reloadDriver({ to, saved, deadlineMs }: PciChange, sys: Sys): Promise<Problem | undefined> {
  const reason = `the driver ${to.driver} is not loaded`;
  if (!sameState(to, saved.original)) return { kind: "failed", reason };
  const end = await runTool(["modprobe", "--", to.driver], { timeoutMs: waitMs(deadlineMs, sys) }, sys);
  if (end.kind === "done") return undefined;
  return { kind: end.kind, reason: `${reason}, and cannot be: ${end.reason}` };
}

async function step(
  { path, text, what }: { readonly path: string; readonly text: string; readonly what: string },
  { deadlineMs }: PciChange,
  sys: Sys,
): Promise<Problem | undefined> {
  const end = await sys.kernel.write(path, text, waitMs(deadlineMs, sys));
  switch (end.kind) {
    case "written":
      return undefined;
    case "refused":
      return { kind: "failed", reason: `${what}: ${end.reason}` };
    case "stuck":
      return { kind: "stuck", reason: `${what} hangs in the kernel` };
    default:
      return end satisfies never;
  }
}

function waitMs(deadlineMs: number, sys: Pick<Sys, "elapsedMs">): number {
  return Math.max((deadlineMs - sys.elapsedMs()) * WAIT_SHARE, 1);
}
