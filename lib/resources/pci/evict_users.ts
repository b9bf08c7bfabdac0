/**
 * Ensures that the host does not use a guest's devices before the first of them is changed: checks, waits, or ends
 * programs.
 * @module
 */
import type { AnyDemand, PciDemand } from "../../plan/demand.ts";
import type { Sys } from "../../sys/sys.ts";
import { describeUser, type DeviceUser, findUsers } from "./device_users.ts";
import { type PciDevice, readPciDevice } from "./device.ts";
import type { Refused } from "../resource.ts";
import { runTool } from "../run_tool.ts";

const POLL_MS = 100;
/** Share of the time that a program has to end after SIGTERM, before SIGKILL. */
const TERM_SHARE = 0.5;
const KILL_TIMEOUT_MS = 2_000;
const INIT_PID = 1;

/** Programs that are never ended, since the host and its guests depend on them. The hook waits for them instead. */
const PROTECTED = /^(systemd|libvirt|virt[a-z]+d$|qemu|init$|dbus)/;

/** Refuses devices that cannot become free, as far as is known before anything changes. */
export async function refuseUsers(
  device: PciDevice,
  { demand, plan }: { readonly demand: PciDemand; readonly plan: readonly AnyDemand[] },
  sys: Sys,
): Promise<Refused | undefined> {
  const users = await findUsers([device], demand.guest, sys);
  const remaining = users.filter((user) => !mayStopWithUnits(plan, user));
  return refusal([demand.address], demand.holders, remaining.filter((user) => remainsUnder(demand.holders, user)));
}

/**
 * Whether a user may disappear with units that the plan stops first. Which programs end with them is not known in
 * advance; storage ends with a mount or swap unit.
 */
function mayStopWithUnits(plan: readonly AnyDemand[], { kind }: DeviceUser): boolean {
  const stopped = plan.flatMap((one) =>
    one.resource === "service" && one.demand.state === "inactive" ? [one.demand.unit] : []
  );
  if (kind === "storage") return stopped.some((unit) => /\.(mount|swap)$/.test(unit));
  return kind === "program" && stopped.length > 0;
}

/** Whether a policy neither ends a user nor expects it to end by itself. */
function remainsUnder(holders: PciDemand["holders"], user: DeviceUser): boolean {
  switch (holders) {
    case "fail":
      return true;
    case "wait":
      return user.kind === "console";
    case "stop":
      return user.kind === "storage" || user.kind === "guest";
  }
}

const HINTS = {
  fail: 'stop what uses it: services = { stop = […] }; or pci = { holders = "wait" } or "stop"',
  wait: 'stop what uses it: services = { stop = […] }; or pci = { holders = "stop" }',
  stop: "file systems, guests and the host's own services are never ended: free the device first",
} as const satisfies Record<PciDemand["holders"], string>;

function refusal(
  addresses: readonly string[],
  holders: PciDemand["holders"],
  users: readonly DeviceUser[],
): Refused | undefined {
  if (users.length === 0) return undefined;
  const are = addresses.length === 1 ? "is" : "are";
  const reason = `${addresses.join(", ")} ${are} in use: ${users.map(describeUser).join(", ")}`;
  return { kind: "refused", reason, hint: HINTS[holders] };
}

/**
 * Waits until the devices are unused. Under `stop`, sends SIGTERM and then SIGKILL to programs that use them. Returns
 * why it failed, or `undefined`.
 */
export async function evictDeviceUsers(demand: PciDemand, deadlineMs: number, sys: Sys): Promise<Refused | undefined> {
  const { holders, timeoutMs, together, guest } = demand;
  const startedMs = sys.elapsedMs();
  const untilMs = Math.min(deadlineMs, startedMs + timeoutMs);
  const killMs = startedMs + (untilMs - startedMs) * TERM_SHARE;
  const signalled = new Set<string>();
  while (true) {
    const devices = await Promise.all(together.map((address) => readPciDevice(address, sys)));
    const found = await findUsers(devices.filter((device) => device !== undefined), guest, sys);
    const users = found.filter((user) => mustEnd(holders, user));
    if (users.length === 0) return undefined;
    if (sys.elapsedMs() >= untilMs) return refusal(together, holders, users);
    if (holders === "stop") {
      const signal = sys.elapsedMs() < killMs ? "TERM" : "KILL";
      const problem = await signalPrograms(users, { signal, signalled }, sys);
      if (problem !== undefined) return { kind: "refused", reason: problem };
    }
    await sys.sleep(POLL_MS);
  }
}

/**
 * Whether a user must end first. Consoles are switched off by a resource of their own; a network interface disappears
 * with its device.
 */
function mustEnd(holders: PciDemand["holders"], { kind }: DeviceUser): boolean {
  return holders !== "stop" || (kind !== "console" && kind !== "network");
}

/** Sends a signal once to each program. Returns the problem, or `undefined` on success. */
async function signalPrograms(
  users: readonly DeviceUser[],
  { signal, signalled }: { readonly signal: "TERM" | "KILL"; readonly signalled: Set<string> },
  sys: Sys,
): Promise<string | undefined> {
  const daemon = sys.ppid();
  const pids = users.flatMap((user) =>
    user.kind === "program" && user.pid !== INIT_PID && user.pid !== daemon && !PROTECTED.test(user.name)
      ? [String(user.pid)]
      : []
  );
  const unsignalled = [...new Set(pids)].filter((pid) => !signalled.has(`${signal} ${pid}`));
  if (unsignalled.length === 0) return undefined;
  for (const pid of unsignalled) signalled.add(`${signal} ${pid}`);
  const end = await runTool(["kill", `-${signal}`, ...unsignalled], { timeoutMs: KILL_TIMEOUT_MS }, sys);
  // An exit status only means that a program had already ended.
  return end.kind === "stuck" || (end.kind === "failed" && end.code === undefined) ? end.reason : undefined;
}
