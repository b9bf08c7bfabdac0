/**
 * Reads active libvirt networks: libvirt keeps a network's document in `/run` while it is active.
 * @module
 */
import { childElements } from "../../libvirt/elements.ts";
import { networkAddresses } from "../../libvirt/network_addresses.ts";
import { networkBridge, networkForward } from "../../libvirt/network.ts";
import { type IpFamily, parseIpAddress } from "../../net/ip_address.ts";
import { type IpInterval, networkOf } from "../../net/ip_interval.ts";
import type { Sys } from "../../sys/sys.ts";
import { isDocumentError } from "../../xml/limit_error.ts";
import type { XmlElement } from "../../xml/tree.ts";

/** A subnet of a network. */
export interface NetworkRange {
  readonly interval: IpInterval;
  /** The host's address in it. */
  readonly host: string;
}

/** The parts of a network definition that are needed to find guests' addresses. */
export interface GuestNetwork {
  readonly name: string;
  readonly bridge: string | undefined;
  readonly ranges: readonly NetworkRange[];
  /** DHCP reservations. */
  readonly reservations: readonly { readonly mac: string; readonly ip: string }[];
  /**
   * Address families that its DHCP server assigns. For the others guests choose their own addresses, which libvirt
   * does not know.
   */
  readonly dhcpFamilies: readonly IpFamily[];
  /** Whether guests have no access to other networks. */
  readonly isolated: boolean;
}

/** The folder of the documents of active networks. */
export const NETWORKS_DIRECTORY = "/run/libvirt/network";
const DOCUMENT_BYTES_MAX = 4 * 1024 * 1024;

/** Lists the names of all active networks. */
export function networkNames(sys: Pick<Sys, "readDirectory">): readonly string[] {
  const suffix = ".xml";
  return (sys.readDirectory(NETWORKS_DIRECTORY) ?? []).filter((name) => name.endsWith(suffix))
    .map((name) => name.slice(0, -suffix.length));
}

/** Reads the document of an active network; `undefined` if there is no such network. */
export async function readNetworkDocument(
  name: string,
  sys: Pick<Sys, "lstat" | "readTextFile">,
): Promise<XmlElement | undefined> {
  const path = `${NETWORKS_DIRECTORY}/${name}.xml`;
  if (name.includes("/") || sys.lstat(path)?.kind !== "file") return undefined;
  const text = readStatus(path, sys);
  return text === undefined ? undefined : await networkIn(text);
}

/** Reads an active network; `undefined` if there is no such network. */
export async function readNetwork(
  name: string,
  sys: Pick<Sys, "lstat" | "readTextFile">,
): Promise<GuestNetwork | undefined> {
  const network = await readNetworkDocument(name, sys);
  if (network === undefined) return undefined;
  const addresses = networkAddresses(network);
  const mode = networkForward(network)?.mode;
  return {
    name,
    bridge: networkBridge(network)?.name,
    ranges: addresses.flatMap(({ address, prefix }) => {
      const parsed = parseIpAddress(address);
      if (parsed === undefined || prefix === undefined) return [];
      return [{ interval: networkOf(parsed, prefix), host: address }];
    }),
    reservations: addresses.flatMap(({ hosts }) => hosts).flatMap(({ mac, ip }) =>
      mac === undefined || ip === undefined ? [] : [{ mac, ip }]
    ),
    dhcpFamilies: addresses.flatMap(({ family, ranges, hosts }) => ranges.length + hosts.length === 0 ? [] : [family]),
    isolated: mode === undefined,
  };
}

/**
 * Reads a status file. One that has just been removed, or is too long, must not prevent other networks from being
 * read.
 */
function readStatus(path: string, sys: Pick<Sys, "readTextFile">): string | undefined {
  try {
    return sys.readTextFile(path, DOCUMENT_BYTES_MAX);
  } catch {
    return undefined;
  }
}

/** Parses a document. libvirt wrote it, so one that cannot be parsed is treated as missing. */
async function networkIn(text: string): Promise<XmlElement | undefined> {
  const { parseLibvirtDocument } = await import("../../libvirt/parse.ts");
  try {
    return childElements(parseLibvirtDocument(new TextEncoder().encode(text)).root, "network")[0];
  } catch (error) {
    if (!isDocumentError(error)) throw error;
    return undefined;
  }
}
