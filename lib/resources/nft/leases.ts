/**
 * Addresses that a network's dnsmasq gave out, as libvirt's helper notes them.
 * @module
 */
import * as v from "valibot";
import { parseMac } from "../../libvirt/identifiers.ts";
import type { Sys } from "../../sys/sys.ts";

const LEASES_DIRECTORY = "/var/lib/libvirt/dnsmasq";
const LEASES_BYTES_MAX = 4 * 1024 * 1024;

const leasesSchema = v.array(v.object({
  "ip-address": v.string(),
  "mac-address": v.optional(v.string()),
  "expiry-time": v.optional(v.number(), 0),
}));

/** What leases need of the world. */
export type LeaseSys = Pick<Sys, "lstat" | "readTextFile" | "now">;

/**
 * The addresses that a MAC has on a bridge, the one that lasts longest first. The names in there are what guests call
 * themselves, and are not looked at.
 */
export function readLeases(
  { bridge }: { readonly bridge: string | undefined },
  mac: string,
  sys: LeaseSys,
): readonly string[] {
  const path = `${LEASES_DIRECTORY}/${bridge}.status`;
  if (bridge === undefined || bridge.includes("/") || sys.lstat(path)?.kind !== "file") return [];
  const nowS = sys.now().getTime() / 1000;
  return parseLeases(sys.readTextFile(path, LEASES_BYTES_MAX))
    .map((lease) => ({ ...lease, untilS: lease["expiry-time"] === 0 ? Infinity : lease["expiry-time"] }))
    .filter((lease) => parseMac(lease["mac-address"]) === mac && lease.untilS > nowS)
    .sort((a, b) => a.untilS === b.untilS ? 0 : b.untilS - a.untilS)
    .map((lease) => lease["ip-address"]);
}

/** The helper writes the file anew in place: empty, or half of it, is no lease yet. */
function parseLeases(text: string): v.InferOutput<typeof leasesSchema> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    // Somebody looks again.
    return [];
  }
  const result = v.safeParse(leasesSchema, json);
  return result.success ? result.output : [];
}
