/**
 * Keys below `/proc/sys`. All holders of a key must want the same value.
 * @module
 */
import * as v from "valibot";
import type { SysctlDemand } from "../plan/demand.ts";
import type { Sys } from "../sys/sys.ts";
import { unanimous } from "./unanimous.ts";
import { type Reading, type Resolution, resource } from "./resource.ts";

const PREFIX = "sysctl/";
const WRITE_TIMEOUT_MS = 3_000;
/** Also what is late is put back. */
const WRITE_TIMEOUT_MIN_MS = 500;

/** The kind. */
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
    // To write nothing is not to write.
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

/** The kernel separates numbers by tabs and ends with a line feed. */
function normal(text: string): string {
  return text.trim().replace(/\s+/g, " ");
}

async function resolve(demand: SysctlDemand, sys: Sys): Promise<Resolution<SysctlDemand>> {
  const reading = await readKey(demand.name, sys);
  if (reading.kind !== "value") return { kind: "refused", reason: reading.reason, hint: "see: sysctl -a" };
  const opened = await sys.kernel.write(pathOf(demand.name), "", WRITE_TIMEOUT_MS);
  if (opened.kind !== "written") {
    const why = opened.kind === "stuck" ? "opening it hangs in the kernel" : opened.reason;
    return { kind: "refused", reason: `${pathOf(demand.name)} cannot be written: ${why}` };
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
  const isThere = (await sys.kernel.list(path.slice(0, slash)))?.has(path.slice(slash + 1)) ?? false;
  return isThere
    ? { kind: "unreadable", reason: `${path} cannot be read, so nobody could put back what it was` }
    : { kind: "gone", reason: `there is no ${path}` };
}
