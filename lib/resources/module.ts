/**
 * Kernel modules, loaded or unloaded. All holders of a module must require the same state.
 * @module
 */
import * as v from "valibot";
import type { ModuleDemand } from "../plan/demand.ts";
import type { Sys } from "../sys/sys.ts";
import { unanimous } from "./unanimous.ts";
import {
  type Reading,
  type Refused,
  type Resolution,
  resource,
  type ResourceChange,
  type WriteEnd,
} from "./resource.ts";
import { runTool, type ToolEnd } from "./run_tool.ts";

/** `builtin`: compiled into the kernel and always present. */
type ModuleState = "loaded" | "unloaded" | "builtin";

const PREFIX = "module/";
const DRY_RUN_TIMEOUT_MS = 5_000;
const WRITE_TIMEOUT_MS = 30_000;
/** Restores even past the deadline: a killed modprobe may leave modules half loaded. */
const WRITE_TIMEOUT_MIN_MS = 2_000;
/** How long to wait for a reference to be dropped: the kernel does so shortly after the user exits. */
const IN_USE_MS_MAX = 5_000;
const POLL_MS = 250;
/** Present on kernels that support loadable modules. */
const MODULES_FILE = "/proc/modules";

/** Kernel modules, as a resource kind. */
export const module = resource<ModuleDemand, ModuleState>({
  name: "module",
  demand: v.object({ name: v.string(), state: v.picklist(["loaded", "unloaded"]) }),
  value: v.picklist(["loaded", "unloaded", "builtin"]),
  restores: "absolute",
  tools: ["modprobe"],
  resolve,
  read: async (key, sys): Promise<Reading<ModuleState>> => ({
    kind: "value",
    value: await readState(key.slice(PREFIX.length), sys),
  }),
  wanted: (original, held) =>
    unanimous(held, {
      value: ({ state }) => original === "builtin" && state === "loaded" ? "builtin" : state,
      text: ({ state }) => `it ${state}`,
    }),
  write,
  describe: (state) => state === "builtin" ? "built into the kernel" : state,
});

/** Converts to the kernel's spelling, with underscores for dashes. */
function kernelName(name: string): string {
  return name.replaceAll("-", "_");
}

async function resolve({ name, state }: ModuleDemand, sys: Sys): Promise<Resolution<ModuleDemand>> {
  const demand = { name: kernelName(name), state };
  const resolved = { kind: "resolved", key: `${PREFIX}${demand.name}`, demand } as const;
  const current = await readState(demand.name, sys);
  if (current === "builtin" && state === "unloaded") {
    return { kind: "refused", reason: `${demand.name} is built into the kernel and cannot be unloaded` };
  }
  if (current === "builtin" || current === "loaded") return resolved;
  if (!(await sys.kernel.read([MODULES_FILE])).has(MODULES_FILE)) {
    return { kind: "refused", reason: `this kernel loads no modules, and ${demand.name} is not built into it` };
  }
  const result = await dryRunModprobe(demand.name, sys);
  if (result.kind === "done") return refuseAlias(demand.name, result.stdout) ?? resolved;
  if (state === "loaded") return { kind: "refused", reason: result.reason, hint: `see: modinfo ${demand.name}` };
  return { ...resolved, note: `there is no module ${demand.name} to unload: ${result.reason}` };
}

async function dryRunModprobe(name: string, sys: Sys): Promise<ToolEnd> {
  return await runTool(["modprobe", "--dry-run", "--show-depends", name], { timeoutMs: DRY_RUN_TIMEOUT_MS }, sys);
}

/**
 * Refuses an alias. The last line names the module itself: `insmod
 * /lib/modules/VERSION/kernel/drivers/vfio/pci/vfio-pci.ko.xz ids=…`.
 */
function refuseAlias(name: string, depends: string): Refused | undefined {
  const last = depends.trimEnd().split("\n").at(-1) ?? "";
  const [, file] = /^insmod \S*?([^/\s]+)\.ko(?:\.\w+)?(?:\s|$)/.exec(last) ?? [];
  if (file === undefined || kernelName(file) === name) return undefined;
  const reason = `${name} is another name of the module ${kernelName(file)}`;
  return { kind: "refused", reason, hint: `write ${kernelName(file)}` };
}

/** Reads the state. A built-in module has a folder only if it has parameters, and never an `initstate` file. */
async function readState(name: string, sys: Sys): Promise<ModuleState> {
  const files = await sys.kernel.list(folderOf(name));
  if (files !== undefined) return files.has("initstate") ? "loaded" : "builtin";
  const result = await dryRunModprobe(name, sys);
  return result.kind === "done" && /^builtin /m.test(result.stdout) ? "builtin" : "unloaded";
}

function folderOf(name: string): string {
  return `/sys/module/${name}`;
}

async function write(change: ResourceChange<ModuleState>, sys: Sys): Promise<WriteEnd<ModuleState>> {
  const name = change.key.slice(PREFIX.length);
  const untilMs = Math.min(change.deadlineMs, sys.elapsedMs() + IN_USE_MS_MAX);
  while (true) {
    const end = await runModprobe(name, change, sys);
    if (end.kind === "done") return { kind: "written" };
    if (end.kind === "stuck") return end;
    const users = change.to === "unloaded" ? await usersOf(name, sys) : undefined;
    if (users === undefined) return { kind: "failed", reason: end.reason };
    if (sys.elapsedMs() + POLL_MS > untilMs) return { kind: "failed", reason: `${users} (${end.reason})` };
    await sys.sleep(POLL_MS);
  }
}

async function runModprobe(name: string, { to, deadlineMs }: ResourceChange<ModuleState>, sys: Sys): Promise<ToolEnd> {
  const leftMs = Math.max(deadlineMs - sys.elapsedMs(), WRITE_TIMEOUT_MIN_MS);
  const timeoutMs = Math.min(leftMs, WRITE_TIMEOUT_MS);
  return await runTool(["modprobe", ...(to === "unloaded" ? ["--remove"] : []), name], { timeoutMs }, sys);
}

/** Describes what uses a module: dependent modules by name, other references by number. */
async function usersOf(name: string, sys: Sys): Promise<string | undefined> {
  const file = `${folderOf(name)}/refcnt`;
  const count = Number((await sys.kernel.read([file])).get(file)?.trim() ?? 0);
  if (!(count > 0)) return undefined;
  const holders = [...(await sys.kernel.list(`${folderOf(name)}/holders`) ?? new Map()).keys()];
  const others = count - holders.length;
  const users = [
    ...(holders.length === 0 ? [] : [`the modules ${holders.join(", ")}`]),
    ...(others <= 0 ? [] : [`${others} open ${others === 1 ? "device or file" : "devices or files"}`]),
  ];
  return `${name} is in use by ${users.join(" and ")}`;
}
