/**
 * CPUs of the host's programs on hosts with systemd: `AllowedCPUs` of the top-level units, set until the next boot.
 * `set-property` keeps each setting in a drop-in, and setting an empty value leaves the drop-in, so the drop-in is
 * removed and nothing else is. (`systemctl revert` would remove every other run-time setting of the unit as well.)
 * @module
 */
import { TOOLS } from "../../sys/tools.ts";
import type { Sys } from "../../sys/sys.ts";
import { type HostCpus, normalCpus, type Share } from "./host_cpus.ts";
import { possibleCpus } from "./possible_cpus.ts";
import type { Refused, ResourceChange, WriteEnd } from "../resource.ts";
import { runTool, type ToolEnd } from "../run_tool.ts";
import { showUnits } from "../systemctl.ts";

/** The units of the host's programs. Guests are in `machine.slice`, which is never changed. */
const UNITS = ["system.slice", "user.slice", "init.scope"] as const;

/** The folders of systemd's run-time settings: of ordinary units, and of units that systemd created itself. */
const FOLDERS = ["/run/systemd/system.control", "/run/systemd/transient"] as const;
const DROP_IN = "50-AllowedCPUs.conf";
const DROP_IN_BYTES_MAX = 65_536;
const TOOL_TIMEOUT_MS = 10_000;

/** Reads the units and their CPUs. */
export async function showShares(
  sys: Pick<Sys, "run" | "lstat" | "readTextFile">,
): Promise<{ readonly shares: Readonly<Record<string, Share>> } | Refused> {
  const facts = await showUnits(UNITS, ["AllowedCPUs"], sys);
  if (typeof facts === "string") return { kind: "refused", reason: facts };
  const shares: [string, Share][] = [];
  for (const [index, unit] of UNITS.entries()) {
    const allowed = facts[index]?.["AllowedCPUs"];
    if (allowed === undefined) {
      return { kind: "refused", reason: `${TOOLS.systemctl} knows no AllowedCPUs: systemd is older than 244` };
    }
    shares.push([unit, { cpus: normalCpus(allowed), dropIn: dropInOf(unit, sys) }]);
  }
  return { shares: Object.fromEntries(shares) };
}

function dropInsOf(unit: string, sys: Pick<Sys, "lstat">): readonly string[] {
  return FOLDERS.map((folder) => `${folder}/${unit}.d/${DROP_IN}`).filter((path) => sys.lstat(path)?.kind === "file");
}

/** Reads the value of our drop-in. Each assignment adds to the previous ones; an empty one clears them. */
function dropInOf(unit: string, sys: Pick<Sys, "lstat" | "readTextFile">): string | null {
  const [path] = dropInsOf(unit, sys);
  if (path === undefined) return null;
  let cpus = "";
  for (const [, value = ""] of sys.readTextFile(path, DROP_IN_BYTES_MAX).matchAll(/^AllowedCPUs=(.*)$/gm)) {
    cpus = value.trim() === "" ? "" : `${cpus} ${value}`;
  }
  return normalCpus(cpus);
}

/** Sets the units that differ, and removes the drop-in of units that had none before. */
export async function writeShares(change: ResourceChange<HostCpus>, sys: Sys): Promise<WriteEnd<HostCpus>> {
  const { from, to } = change;
  const different = Object.entries(to.shares).filter(([unit, share]) => {
    const current = from.shares[unit];
    return current?.cpus !== share.cpus || current.dropIn !== share.dropIn;
  });
  const all = await possibleCpus(to.online, sys);
  const intermediate = Object.fromEntries(different.map(([unit, share]) => [unit, explicitShare(share, all)] as const));
  change.savePending({ ...to, shares: { ...to.shares, ...intermediate } });
  for (const [unit, { cpus }] of Object.entries(intermediate)) {
    const end = await run(["systemctl", "set-property", "--runtime", "--", unit, `AllowedCPUs=${cpus}`], change, sys);
    if (end.kind !== "done") return failed(end);
  }
  const unset = different.filter(([, { dropIn }]) => dropIn === null).map(([unit]) => unit);
  const removed = unset.length === 0 ? undefined : await removeDropIns(unset, change, sys);
  return removed ?? await verifyShares(to, sys);
}

/**
 * Returns a share with an explicit setting. A unit that ends without a setting is first given all CPUs: the kernel
 * accepts no empty list for a cgroup with programs in it, so while guests use the controller, a cgroup keeps the CPUs
 * that it had when the setting is removed.
 */
function explicitShare({ cpus, dropIn }: Share, all: string): Share {
  const list = dropIn ?? (cpus === "" ? all : cpus);
  return { cpus: list, dropIn: list };
}

/** Removes the drop-ins of units. Returns the problem, or `undefined` on success. */
async function removeDropIns(
  units: readonly string[],
  change: ResourceChange<HostCpus>,
  sys: Sys,
): Promise<WriteEnd<HostCpus> | undefined> {
  const folders = units.flatMap((unit) => dropInsOf(unit, sys)).map((path) => path.slice(0, -DROP_IN.length - 1));
  const expression = ["(", "-type", "f", "-name", DROP_IN, "-o", "-type", "d", "-empty", ")", "-delete"] as const;
  const commands = [
    ...(folders.length === 0 ? [] : [["find", ...folders, "-depth", "-maxdepth", "1", ...expression] as const]),
    ["systemctl", "daemon-reload"] as const,
  ];
  for (const command of commands) {
    const end = await run(command, change, sys);
    if (end.kind !== "done") return failed(end);
  }
  return undefined;
}

/**
 * Reads back the result. If the drop-ins are right, so is what systemd makes of them and of the host's own unit
 * files, whatever it is.
 */
async function verifyShares(to: HostCpus, sys: Sys): Promise<WriteEnd<HostCpus>> {
  const current = await showShares(sys);
  if ("kind" in current) return { kind: "failed", reason: current.reason };
  const isSet = Object.entries(to.shares).every(([unit, { dropIn }]) => current.shares[unit]?.dropIn === dropIn);
  return isSet ? { kind: "applied", value: { ...to, shares: current.shares } } : { kind: "written" };
}

async function run(
  argv: Parameters<typeof runTool>[0],
  { deadlineMs }: ResourceChange<HostCpus>,
  sys: Sys,
): Promise<ToolEnd> {
  return await runTool(argv, { timeoutMs: Math.min(TOOL_TIMEOUT_MS, deadlineMs - sys.elapsedMs()) }, sys);
}

function failed(end: Exclude<ToolEnd, { readonly kind: "done" }>): WriteEnd<HostCpus> {
  return end.kind === "stuck" ? end : { kind: "failed", reason: end.reason };
}
