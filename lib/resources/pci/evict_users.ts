/**
 * Makes sure that nobody of the host uses a guest's devices before the first of them is touched: looks, waits, or ends
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
/** Of the time, a program has this share to end by itself. */
const ASKING_SHARE = 0.5;
const KILL_TIMEOUT_MS = 2_000;
const INIT_PID = 1;

/** The host and its guests live by these. They let a device go, or it stays with them. */
const SPARED = /^(systemd|libvirt|virt[a-z]+d$|qemu|init$|dbus)/;

/** Why devices cannot become free, as far as can be told before anything is touched. */
export async function refuseUsers(
  device: PciDevice,
  { demand, plan }: { readonly demand: PciDemand; readonly plan: readonly AnyDemand[] },
  sys: Sys,
): Promise<Refused | undefined> {
  const users = await findUsers([device], demand.guest, sys);
  const staying = users.filter((user) => !mayEndWith(plan, user));
  return refusal([demand.address], demand.holders, staying.filter((user) => staysUnder(demand.holders, user)));
}

/** Whom units that the plan stops first take along, nobody knows before: programs, and what a mount or a swap unit is for. */
function mayEndWith(plan: readonly AnyDemand[], { kind }: DeviceUser): boolean {
  const stopped = plan.flatMap((one) =>
    one.resource === "service" && one.demand.state === "inactive" ? [one.demand.unit] : []
  );
  if (kind === "storage") return stopped.some((unit) => /\.(mount|swap)$/.test(unit));
  return kind === "program" && stopped.length > 0;
}

/** Whether a policy lets a user be, and that does not go by itself. */
function staysUnder(holders: PciDemand["holders"], user: DeviceUser): boolean {
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
  stop: "file systems, guests and the host's own services are never ended: free the device of them first",
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

/** Waits until nobody uses the devices any more; under `stop` asks programs to end, and then ends them. */
export async function evictDeviceUsers(demand: PciDemand, deadlineMs: number, sys: Sys): Promise<Refused | undefined> {
  const { holders, timeoutMs, together, guest } = demand;
  const startedMs = sys.elapsedMs();
  const untilMs = Math.min(deadlineMs, startedMs + timeoutMs);
  const killMs = startedMs + (untilMs - startedMs) * ASKING_SHARE;
  const signalled = new Set<string>();
  while (true) {
    const devices = await Promise.all(together.map((address) => readPciDevice(address, sys)));
    const found = await findUsers(devices.filter((device) => device !== undefined), guest, sys);
    const users = found.filter((user) => mustGo(holders, user));
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

/** Consoles are switched off by a resource of their own; what a network interface carried goes with its device. */
function mustGo(holders: PciDemand["holders"], { kind }: DeviceUser): boolean {
  return holders !== "stop" || (kind !== "console" && kind !== "network");
}

/** Sends each program a signal once. */
async function signalPrograms(
  users: readonly DeviceUser[],
  { signal, signalled }: { readonly signal: "TERM" | "KILL"; readonly signalled: Set<string> },
  sys: Sys,
): Promise<string | undefined> {
  const daemon = sys.ppid();
  const pids = users.flatMap((user) =>
    user.kind === "program" && user.pid !== INIT_PID && user.pid !== daemon && !SPARED.test(user.name)
      ? [String(user.pid)]
      : []
  );
  const fresh = [...new Set(pids)].filter((pid) => !signalled.has(`${signal} ${pid}`));
  if (fresh.length === 0) return undefined;
  for (const pid of fresh) signalled.add(`${signal} ${pid}`);
  const end = await runTool(["kill", `-${signal}`, ...fresh], { timeoutMs: KILL_TIMEOUT_MS }, sys);
  // A status says only that one had ended before.
  return end.kind === "stuck" || (end.kind === "failed" && end.code === undefined) ? end.reason : undefined;
}
