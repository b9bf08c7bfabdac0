/**
 * Kernel modules, loaded or unloaded. All holders of a module must want the same.
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

/** `builtin`: part of the kernel, there for good. */
type ModuleState = "loaded" | "unloaded" | "builtin";

const PREFIX = "module/";
const ASK_TIMEOUT_MS = 5_000;
const WRITE_TIMEOUT_MS = 30_000;
/** Also what is late is put back: a modprobe that is killed may leave half of it. */
const WRITE_TIMEOUT_MIN_MS = 2_000;
/** Who just ended lets go a moment later. */
const IN_USE_MS_MAX = 5_000;
const LOOK_AGAIN_MS = 250;
/** A kernel that loads modules tells which it has. */
const MODULES_FILE = "/proc/modules";

/** The kind. */
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

/** The kernel's own spelling: dashes are underscores. */
function kernelName(name: string): string {
  return name.replaceAll("-", "_");
}

async function resolve({ name, state }: ModuleDemand, sys: Sys): Promise<Resolution<ModuleDemand>> {
  const demand = { name: kernelName(name), state };
  const resolved = { kind: "resolved", key: `${PREFIX}${demand.name}`, demand } as const;
  const now = await readState(demand.name, sys);
  if (now === "builtin" && state === "unloaded") {
    return { kind: "refused", reason: `${demand.name} is built into the kernel, and stays there` };
  }
  if (now === "builtin" || now === "loaded") return resolved;
  if (!(await sys.kernel.read([MODULES_FILE])).has(MODULES_FILE)) {
    return { kind: "refused", reason: `this kernel loads no modules, and ${demand.name} is not built into it` };
  }
  const asked = await askModprobe(demand.name, sys);
  if (asked.kind === "done") return refuseAlias(demand.name, asked.stdout) ?? resolved;
  if (state === "loaded") return { kind: "refused", reason: asked.reason, hint: `see: modinfo ${demand.name}` };
  return { ...resolved, note: `there is no module ${demand.name} to unload: ${asked.reason}` };
}

async function askModprobe(name: string, sys: Sys): Promise<ToolEnd> {
  return await runTool(["modprobe", "--dry-run", "--show-depends", name], { timeoutMs: ASK_TIMEOUT_MS }, sys);
}

/** `insmod /lib/modules/VERSION/kernel/drivers/vfio/pci/vfio-pci.ko.xz ids=…`, the module itself last. */
function refuseAlias(name: string, depends: string): Refused | undefined {
  const last = depends.trimEnd().split("\n").at(-1) ?? "";
  const [, file] = /^insmod \S*?([^/\s]+)\.ko(?:\.\w+)?(?:\s|$)/.exec(last) ?? [];
  if (file === undefined || kernelName(file) === name) return undefined;
  const reason = `${name} is another name of the module ${kernelName(file)}`;
  return { kind: "refused", reason, hint: `write ${kernelName(file)}` };
}

/** One that is built in has no folder unless it has parameters, and no `initstate` even then. */
async function readState(name: string, sys: Sys): Promise<ModuleState> {
  const files = await sys.kernel.list(folderOf(name));
  if (files !== undefined) return files.has("initstate") ? "loaded" : "builtin";
  const asked = await askModprobe(name, sys);
  return asked.kind === "done" && /^builtin /m.test(asked.stdout) ? "builtin" : "unloaded";
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
    if (sys.elapsedMs() + LOOK_AGAIN_MS > untilMs) return { kind: "failed", reason: `${users} (${end.reason})` };
    await sys.sleep(LOOK_AGAIN_MS);
  }
}

async function runModprobe(name: string, { to, deadlineMs }: ResourceChange<ModuleState>, sys: Sys): Promise<ToolEnd> {
  const leftMs = Math.max(deadlineMs - sys.elapsedMs(), WRITE_TIMEOUT_MIN_MS);
  const timeoutMs = Math.min(leftMs, WRITE_TIMEOUT_MS);
  return await runTool(["modprobe", ...(to === "unloaded" ? ["--remove"] : []), name], { timeoutMs }, sys);
}

/** Who keeps a module from being unloaded: other modules by name, anything else as a number. */
async function usersOf(name: string, sys: Sys): Promise<string | undefined> {
  const file = `${folderOf(name)}/refcnt`;
  const count = Number((await sys.kernel.read([file])).get(file)?.trim() ?? 0);
  if (!(count > 0)) return undefined;
  const holders = [...(await sys.kernel.list(`${folderOf(name)}/holders`) ?? new Map()).keys()];
  const others = count - holders.length;
  const who = [
    ...(holders.length === 0 ? [] : [`the modules ${holders.join(", ")}`]),
    ...(others <= 0 ? [] : [`${others} open ${others === 1 ? "device or file" : "devices or files"}`]),
  ];
  return `${name} is in use by ${who.join(" and ")}`;
}
