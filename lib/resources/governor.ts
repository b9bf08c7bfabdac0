/**
 * The governor of a CPU frequency policy. A policy covers one CPU or several that can only change together. All
 * holders of a policy must require the same governor.
 * @module
 */
import * as v from "valibot";
import type { GovernorDemand } from "../plan/demand.ts";
import type { Sys } from "../sys/sys.ts";
import { unanimous } from "./unanimous.ts";
import { type Reading, type Resolution, resource } from "./resource.ts";

const PREFIX = "governor/";
const CPU_FOLDER = "/sys/devices/system/cpu";
const WRITE_TIMEOUT_MS = 3_000;

/** Governors of CPU frequency policies, as a resource kind. */
export const governor = resource<GovernorDemand, string>({
  name: "governor",
  demand: v.object({ cpu: v.number(), governor: v.string() }),
  value: v.string(),
  restores: "absolute",
  tools: [],
  resolve,
  read: (key, sys) => readGovernor(key.slice(PREFIX.length), sys),
  wanted: (_original, held) =>
    unanimous(held, { value: (demand) => demand.governor, text: (demand) => demand.governor }),
  write: async (change, sys) => {
    const path = fileOf(change.key.slice(PREFIX.length), "scaling_governor");
    const end = await sys.kernel.write(path, change.to, WRITE_TIMEOUT_MS);
    if (end.kind === "refused") return { kind: "failed", reason: end.reason };
    return end.kind === "stuck" ? { kind: "stuck", reason: "the write hangs in the kernel" } : end;
  },
  describe: (value) => value,
});

function fileOf(policy: string, name: string): string {
  return `${CPU_FOLDER}/cpufreq/${policy}/${name}`;
}

async function resolve(demand: GovernorDemand, sys: Sys): Promise<Resolution<GovernorDemand>> {
  const { cpu } = demand;
  const entries = await sys.kernel.list(`${CPU_FOLDER}/cpu${cpu}`);
  if (entries === undefined) return { kind: "refused", reason: `this host has no CPU ${cpu}` };
  const [policy] = /policy\d+$/.exec(entries.get("cpufreq") ?? "") ?? [];
  if (policy === undefined) {
    const reason = `the frequency of CPU ${cpu} cannot be governed (or it is offline)`;
    return { kind: "refused", reason, hint: "in a virtual machine there is usually no cpufreq: leave governor out" };
  }
  const path = fileOf(policy, "scaling_available_governors");
  const offered = (await sys.kernel.read([path])).get(path)?.trim().split(/\s+/) ?? [];
  if (!offered.includes(demand.governor)) {
    return { kind: "refused", reason: `CPU ${cpu} has no governor ${demand.governor}: it has ${offered.join(", ")}` };
  }
  return { kind: "resolved", key: `${PREFIX}${policy}`, demand };
}

/**
 * Reads the governor. The file disappears when the last CPU of a policy goes offline; then there is nothing to
 * restore.
 */
async function readGovernor(policy: string, sys: Sys): Promise<Reading<string>> {
  const path = fileOf(policy, "scaling_governor");
  const text = (await sys.kernel.read([path])).get(path);
  return text === undefined ? { kind: "gone", reason: `there is no ${path}` } : { kind: "value", value: text.trim() };
}
