/**
 * Keys below `/proc/sys`. All holders of a key must require the same value.
 * @module
 */
import * as v from "valibot";
import type { SysctlDemand } from "../plan/demand.ts";
import type { Sys } from "../sys/sys.ts";
import { unanimous } from "./unanimous.ts";
import { type Reading, type Resolution, resource } from "./resource.ts";

const PREFIX = "sysctl/";
const WRITE_TIMEOUT_MS = 3_000;
/** Restores even past the deadline. */
const WRITE_TIMEOUT_MIN_MS = 500;

/** Kernel parameters, as a resource kind. */
export const sysctl = resource<SysctlDemand, string>({
  name: "sysctl",
  demand: v.object({ name: v.string(), value: v.string() }),
  value: v.string(),
  restores: "absolute",
  tools: [],
  resolve,
  read: (key, sys) => readKey(key.slice(PREFIX.length), sys),
  wanted: (_original, held) => unanimous(held, { value: ({ value }) => value, text: ({ value }) => value }),
  write: async (change, sys) => {
    const leftMs = Math.max(change.deadlineMs - sys.elapsedMs(), WRITE_TIMEOUT_MIN_MS);
    // An empty write is a no-op in procfs; a newline clears the value.
    const text = change.to === "" ? "\n" : change.to;
    const path = pathOf(change.key.slice(PREFIX.length));
    const end = await sys.kernel.write(path, text, Math.min(leftMs, WRITE_TIMEOUT_MS));
    if (end.kind === "written") return end;
    const reason = end.kind === "stuck" ? "the write hangs in the kernel" : end.reason;
    return end.kind === "stuck" ? { kind: "stuck", reason } : { kind: "failed", reason };
  },
  describe: (value) => value === "" ? "empty" : value,
});

function pathOf(name: string): string {
  return `/proc/sys/${name}`;
}

/** Normalizes a value: the kernel separates numbers by tabs and ends with a newline. */
function normal(text: string): string {
  return text.trim().replace(/\s+/g, " ");
}

async function resolve(demand: SysctlDemand, sys: Sys): Promise<Resolution<SysctlDemand>> {
  const reading = await readKey(demand.name, sys);
  if (reading.kind !== "value") return { kind: "refused", reason: reading.reason, hint: "see: sysctl -a" };
  const probe = await sys.kernel.write(pathOf(demand.name), "", WRITE_TIMEOUT_MS);
  if (probe.kind !== "written") {
    const problem = probe.kind === "stuck" ? "opening it hangs in the kernel" : probe.reason;
    return { kind: "refused", reason: `${pathOf(demand.name)} cannot be written: ${problem}` };
  }
  return {
    kind: "resolved",
    key: `${PREFIX}${demand.name}`,
    demand: { ...demand, value: normal(demand.value) },
    value: reading.value,
  };
}

async function readKey(name: string, sys: Sys): Promise<Reading<string>> {
  const path = pathOf(name);
  const text = (await sys.kernel.read([path])).get(path);
  if (text !== undefined) return { kind: "value", value: normal(text) };
  const slash = path.lastIndexOf("/");
  const exists = (await sys.kernel.list(path.slice(0, slash)))?.has(path.slice(slash + 1)) ?? false;
  return exists
    ? { kind: "unreadable", reason: `${path} cannot be read, so it could not be restored` }
    : { kind: "gone", reason: `there is no ${path}` };
}
