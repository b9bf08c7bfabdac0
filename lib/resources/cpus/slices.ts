/**
 * CPUs of the host's programs under systemd: `AllowedCPUs` of the units at the top, set until the next boot. `set-property`
 * keeps each setting in a file of its own, and setting it to nothing leaves the file: so it is removed, and nothing else is.
 * (`systemctl revert` would remove every other run-time setting of the unit as well.)
 * @module
 */
import { TOOLS } from "../../sys/tools.ts";
import type { Sys } from "../../sys/sys.ts";
import { type HostCpus, normalCpus, type Share } from "./host_cpus.ts";
import { possibleCpus } from "./possible_cpus.ts";
import type { Refused, ResourceChange, WriteEnd } from "../resource.ts";
import { runTool, type ToolEnd } from "../run_tool.ts";
import { showUnits } from "../systemctl.ts";

/** Where the host's programs are. Guests are in `machine.slice`, which is never touched. */
const UNITS = ["system.slice", "user.slice", "init.scope"] as const;

/** Where systemd keeps run-time settings: of ordinary units, and of those that it made itself. */
const FOLDERS = ["/run/systemd/system.control", "/run/systemd/transient"] as const;
const DROP_IN = "50-AllowedCPUs.conf";
const DROP_IN_BYTES_MAX = 65_536;
const TOOL_TIMEOUT_MS = 10_000;

/** The units and what they may use. */
export async function showShares(
  sys: Pick<Sys, "run" | "lstat" | "readTextFile">,
): Promise<{ readonly shares: Readonly<Record<string, Share>> } | Refused> {
  const answer = await showUnits(UNITS, ["AllowedCPUs"], sys);
  if (typeof answer === "string") return { kind: "refused", reason: answer };
  const shares: [string, Share][] = [];
  for (const [index, unit] of UNITS.entries()) {
    const allowed = answer[index]?.["AllowedCPUs"];
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

/** Each assignment adds to the ones before; an empty one takes them back. */
function dropInOf(unit: string, sys: Pick<Sys, "lstat" | "readTextFile">): string | null {
  const [path] = dropInsOf(unit, sys);
  if (path === undefined) return null;
  let cpus = "";
  for (const [, value = ""] of sys.readTextFile(path, DROP_IN_BYTES_MAX).matchAll(/^AllowedCPUs=(.*)$/gm)) {
    cpus = value.trim() === "" ? "" : `${cpus} ${value}`;
  }
  return normalCpus(cpus);
}

/** Sets what differs; what had no run-time setting before has none afterwards. */
export async function writeShares(change: ResourceChange<HostCpus>, sys: Sys): Promise<WriteEnd<HostCpus>> {
  const { from, to } = change;
  const different = Object.entries(to.shares).filter(([unit, share]) => {
    const now = from.shares[unit];
    return now?.cpus !== share.cpus || now.dropIn !== share.dropIn;
  });
  const all = await possibleCpus(to.online, sys);
  const between = Object.fromEntries(different.map(([unit, share]) => [unit, describedShares(share, all)] as const));
  change.savePending({ ...to, shares: { ...to.shares, ...between } });
  for (const [unit, { cpus }] of Object.entries(between)) {
    const end = await run(["systemctl", "set-property", "--runtime", "--", unit, `AllowedCPUs=${cpus}`], change, sys);
    if (end.kind !== "done") return failed(end);
  }
  const bare = different.filter(([, { dropIn }]) => dropIn === null).map(([unit]) => unit);
  const removed = bare.length === 0 ? undefined : await removeDropIns(bare, change, sys);
  return removed ?? await settled(to, sys);
}

/**
 * A share as a setting. Where nothing shall be said in the end, first all CPUs are: the kernel takes no empty list for a group
 * with programs in it. So while guests use the controller, a group keeps the CPUs that it had when the setting goes.
 */
function describedShares({ cpus, dropIn }: Share, all: string): Share {
  const said = dropIn ?? (cpus === "" ? all : cpus);
  return { cpus: said, dropIn: said };
}

/** Removes the run-time settings of units; tells what went wrong. */
async function removeDropIns(
  units: readonly string[],
  change: ResourceChange<HostCpus>,
  sys: Sys,
): Promise<WriteEnd<HostCpus> | undefined> {
  const folders = units.flatMap((unit) => dropInsOf(unit, sys)).map((path) => path.slice(0, -DROP_IN.length - 1));
  const what = ["(", "-type", "f", "-name", DROP_IN, "-o", "-type", "d", "-empty", ")", "-delete"] as const;
  const commands = [
    ...(folders.length === 0 ? [] : [["find", ...folders, "-depth", "-maxdepth", "1", ...what] as const]),
    ["systemctl", "daemon-reload"] as const,
  ];
  for (const command of commands) {
    const end = await run(command, change, sys);
    if (end.kind !== "done") return failed(end);
  }
  return undefined;
}

/** With the right run-time settings, what comes of them and of the host's own files is right, whatever it was before. */
async function settled(to: HostCpus, sys: Sys): Promise<WriteEnd<HostCpus>> {
  const now = await showShares(sys);
  if ("kind" in now) return { kind: "failed", reason: now.reason };
  const isSet = Object.entries(to.shares).every(([unit, { dropIn }]) => now.shares[unit]?.dropIn === dropIn);
  return isSet ? { kind: "stands", value: { ...to, shares: now.shares } } : { kind: "written" };
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
