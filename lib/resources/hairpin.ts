/**
 * Hairpin mode of bridge ports: the port sends a frame back where it came from. Without it, a guest does not reach
 * itself through the host's address on hosts where bridged packets pass through iptables.
 * @module
 */
import * as v from "valibot";
import type { HairpinDemand } from "../plan/demand.ts";
import type { Sys } from "../sys/sys.ts";
import { type Reading, type Resolution, resource } from "./resource.ts";

const PREFIX = "hairpin/";
const WRITE_TIMEOUT_MS = 3_000;
const ON = "1";

/** Hairpin mode of bridge ports, as a resource kind. */
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
  if (reading.kind !== "value") return { kind: "refused", reason: `${dev} is not a port of a bridge` };
  return { kind: "resolved", key: `${PREFIX}${dev}`, demand, value: reading.value };
}

/** Reads the hairpin mode. The port disappears with its guest; then there is nothing to restore. */
async function readMode(dev: string, sys: Sys): Promise<Reading<string>> {
  const path = fileOf(dev);
  const text = (await sys.kernel.read([path])).get(path);
  return text === undefined ? { kind: "gone", reason: `there is no ${path}` } : { kind: "value", value: text.trim() };
}
