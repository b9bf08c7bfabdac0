/**
 * Ports of the host's bridges that send a frame back where it came from: without, a guest does not reach itself by the host's
 * address where bridged packets go through iptables.
 * @module
 */
import * as v from "valibot";
import type { HairpinDemand } from "../plan/demand.ts";
import type { Sys } from "../sys/sys.ts";
import { type Reading, type Resolution, resource } from "./resource.ts";

const PREFIX = "hairpin/";
const WRITE_TIMEOUT_MS = 3_000;
const ON = "1";

/** The kind. */
export const hairpin = resource<HairpinDemand, string>({
  name: "hairpin",
  demand: v.object({ dev: v.string() }),
  value: v.string(),
  restores: "absolute",
  tools: [],
  resolve,
  read: (key, sys) => readMode(key.slice(PREFIX.length), sys),
  wanted: () => ({ kind: "value", value: ON }),
  write: async (change, sys) => {
    const end = await sys.kernel.write(fileOf(change.key.slice(PREFIX.length)), change.to, WRITE_TIMEOUT_MS);
    if (end.kind === "refused") return { kind: "failed", reason: end.reason };
    return end.kind === "stuck" ? { kind: "stuck", reason: "the write hangs in the kernel" } : end;
  },
  describe: (value) => value === ON ? "on" : "off",
});

function fileOf(dev: string): string {
  return `/sys/class/net/${dev}/brport/hairpin_mode`;
}

async function resolve(demand: HairpinDemand, sys: Sys): Promise<Resolution<HairpinDemand>> {
  const { dev } = demand;
  const reading = await readMode(dev, sys);
  if (reading.kind !== "value") return { kind: "refused", reason: `${dev} is no port of a bridge` };
  return { kind: "resolved", key: `${PREFIX}${dev}`, demand, value: reading.value };
}

/** With its guest the port goes, and there is nothing to put back. */
async function readMode(dev: string, sys: Sys): Promise<Reading<string>> {
  const path = fileOf(dev);
  const text = (await sys.kernel.read([path])).get(path);
  return text === undefined ? { kind: "gone", reason: `there is no ${path}` } : { kind: "value", value: text.trim() };
}
