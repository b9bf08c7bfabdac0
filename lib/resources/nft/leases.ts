/**
 * Reads DHCP leases of libvirt's networks from the files that libvirt's dnsmasq helper writes.
 * @module
 */
import * as v from "valibot";
import type { Sys } from "../../sys/sys.ts";
import { parseJson } from "../json.ts";

const LEASES_DIRECTORY = "/var/lib/libvirt/dnsmasq";
/** libvirt's own limit: VIR_NETWORK_DHCP_LEASE_FILE_SIZE_MAX in its src/util/virlease.c. */
const LEASES_BYTES_MAX = 32 * 1024 * 1024;

const leaseSchema = v.object({
  "ip-address": v.string(),
  "mac-address": v.string(),
  "expiry-time": v.optional(v.number(), 0),
});

/** The functions of `Sys` that reading leases needs. */
export type LeaseSys = Pick<Sys, "lstat" | "readTextFile" | "now">;

/** The leases of a bridge, or why they cannot be read. */
export type Leases =
  | {
    readonly kind: "read";
    /**
     * Returns the addresses leased to a MAC, the one that expires last first. Host names in the file are chosen by
     * guests and are ignored.
     */
    readonly of: (mac: string) => readonly string[];
  }
  | { readonly kind: "unreadable"; readonly reason: string };

/** Reads the leases of a bridge. A file that is missing or empty has no leases. */
export function readLeases(bridge: string | undefined, sys: LeaseSys): Leases {
  if (bridge === undefined || bridge.includes("/")) return leasesIn("", sys);
  const path = `${LEASES_DIRECTORY}/${bridge}.status`;
  const facts = sys.lstat(path);
  if (facts === undefined) return leasesIn("", sys);
  if (facts.kind !== "file") return { kind: "unreadable", reason: `${path} is not a regular file` };
  try {
    const text = sys.readTextFile(path, LEASES_BYTES_MAX).trim();
    if (text === "" || (text.startsWith("[") && text.endsWith("]"))) return leasesIn(text, sys);
    return { kind: "unreadable", reason: `${path} is no list of leases, or is being written` };
  } catch (error) {
    return { kind: "unreadable", reason: `${path} cannot be read: ${reasonOf(error)}` };
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function leasesIn(text: string, sys: LeaseSys): Leases {
  const nowS = sys.now().getTime() / 1000;
  return {
    kind: "read",
    of: (mac) =>
      leasesOf(mac, text)
        // dnsmasq writes 0 for a lease without expiry.
        .map(({ "ip-address": address, "expiry-time": untilS }) => ({ address, untilS: untilS || Infinity }))
        .filter(({ untilS }) => untilS > nowS)
        .sort((a, b) => a.untilS === b.untilS ? 0 : b.untilS - a.untilS)
        .map(({ address }) => address),
  };
}

/**
 * Finds the leases of a MAC. Guests that use many MAC addresses make the file long, so only objects that contain the
 * MAC are parsed. Their values are numbers and plain strings (dnsmasq accepts no other host names), so an object ends
 * at the next brace.
 */
function leasesOf(mac: string, text: string): readonly v.InferOutput<typeof leaseSchema>[] {
  const leases: v.InferOutput<typeof leaseSchema>[] = [];
  const needle = JSON.stringify(mac);
  for (let at = text.indexOf(needle); at !== -1; at = text.indexOf(needle, at + needle.length)) {
    const [start, end] = [text.lastIndexOf("{", at), text.indexOf("}", at)];
    const lease = start === -1 || end === -1 ? undefined : parseJson(leaseSchema, text.slice(start, end + 1));
    if (lease !== undefined && lease["mac-address"] === mac) leases.push(lease);
  }
  return leases;
}
