/**
 * Addresses that a network's dnsmasq gave out, as libvirt's helper notes them.
 * @module
 */
import * as v from "valibot";
import { parseMac } from "../../libvirt/identifiers.ts";
import type { Sys } from "../../sys/sys.ts";
import { isObject } from "./listing.ts";

const LEASES_DIRECTORY = "/var/lib/libvirt/dnsmasq";
/** libvirt's own limit: VIR_NETWORK_DHCP_LEASE_FILE_SIZE_MAX in its src/util/virlease.c. */
const LEASES_BYTES_MAX = 32 * 1024 * 1024;

const leaseSchema = v.object({ "ip-address": v.string(), "expiry-time": v.optional(v.number(), 0) });

/** What leases need of the world. */
export type LeaseSys = Pick<Sys, "lstat" | "readTextFile" | "now">;

/** The leases of a bridge, or why they cannot be read. */
export type Leases =
  | {
    readonly kind: "read";
    /**
     * The addresses that a MAC has, the one that lasts longest first. The host names in the file are chosen by the guests and
     * are not looked at.
     */
    readonly of: (mac: string) => readonly string[];
  }
  | { readonly kind: "unreadable"; readonly reason: string };

/** Reads the leases of a bridge. A file that is missing or empty has no leases. */
export function readLeases(bridge: string | undefined, sys: LeaseSys): Leases {
  if (bridge === undefined || bridge.includes("/")) return leasesIn([], sys);
  const path = `${LEASES_DIRECTORY}/${bridge}.status`;
  const facts = sys.lstat(path);
  if (facts === undefined) return leasesIn([], sys);
  if (facts.kind !== "file") return { kind: "unreadable", reason: `${path} is not a regular file` };
  if (facts.sizeBytes === 0) return leasesIn([], sys);
  try {
    const json: unknown = JSON.parse(sys.readTextFile(path, LEASES_BYTES_MAX));
    return Array.isArray(json)
      ? leasesIn(json, sys)
      : { kind: "unreadable", reason: `${path} is not a list of leases` };
  } catch (error) {
    // libvirt's helper writes the file in place, so half of it may be there; and what a guest's client sends ends up in it.
    const reason = error instanceof SyntaxError
      ? "is not JSON, or is being written"
      : `cannot be read: ${textOf(error)}`;
    return { kind: "unreadable", reason: `${path} ${reason}` };
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function leasesIn(entries: readonly unknown[], sys: LeaseSys): Leases {
  const nowS = sys.now().getTime() / 1000;
  return {
    kind: "read",
    of: (mac) =>
      entries.filter((entry) => isObject(entry) && parseMac(macOf(entry["mac-address"])) === mac)
        .map((entry) => v.safeParse(leaseSchema, entry))
        .flatMap(({ success, output }) => success ? [{ address: output["ip-address"], untilS: endOf(output) }] : [])
        .filter(({ untilS }) => untilS > nowS)
        .sort((a, b) => a.untilS === b.untilS ? 0 : b.untilS - a.untilS)
        .map(({ address }) => address),
  };
}

function macOf(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

/** dnsmasq writes 0 for a lease that never ends. */
function endOf({ "expiry-time": untilS }: v.InferOutput<typeof leaseSchema>): number {
  return untilS === 0 ? Infinity : untilS;
}
