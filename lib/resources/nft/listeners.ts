/**
 * Programs of the host that listen on ports: a forward of the same port takes the place of theirs for who comes from outside.
 * @module
 */
import { parseIpAddress } from "../../net/ip_address.ts";
import { isLoopback, networkTexts } from "../../net/ip_interval.ts";
import type { ForwardDemand, HostEnd } from "../../plan/nft_demand.ts";
import type { Sys } from "../../sys/sys.ts";

/** A port that a program of the host listens on. */
export interface Listener {
  readonly protocol: "tcp" | "udp";
  /** `0.0.0.0` and `::` stand for all. */
  readonly address: string;
  readonly port: number;
}

/**
 * Where the kernel tells. Sockets that listen come first in the files of TCP, so it does no harm that no more than the
 * beginning of a long file is read.
 */
const FILES = [
  { path: "/proc/net/tcp", protocol: "tcp", state: "0A" },
  { path: "/proc/net/tcp6", protocol: "tcp", state: "0A" },
  { path: "/proc/net/udp", protocol: "udp", state: "07" },
  { path: "/proc/net/udp6", protocol: "udp", state: "07" },
] as const;

/** Who is named in a sentence; of the others it is told how many they are. */
const NAMED_MAX = 3;

/** Reads who listens on which port, in the order of ports; nobody, where the kernel does not tell. */
export async function readListeners({ kernel }: Pick<Sys, "kernel">): Promise<readonly Listener[]> {
  const texts = await kernel.read(FILES.map(({ path }) => path)).catch(() => new Map<string, string>());
  return FILES.flatMap(({ path, protocol, state }) => listenersIn(texts.get(path) ?? "", protocol, state))
    .sort((a, b) => a.port - b.port);
}

function listenersIn(text: string, protocol: Listener["protocol"], state: string): readonly Listener[] {
  return text.split("\n").flatMap((line) => {
    const [, address = "", port = "", found] =
      /^ *\d+: ([\dA-F]+):([\dA-F]{4}) [\dA-F]+:[\dA-F]{4} ([\dA-F]{2}) /.exec(line) ??
        [];
    return found === state ? [{ protocol, address: addressText(address), port: parseInt(port, 16) }] : [];
  });
}

/** The kernel prints an address as numbers of 32 bits that hold its bytes, whichever end this machine begins them with. */
function addressText(hex: string): string {
  const words = (hex.match(/.{8}/g) ?? []).map((word) => parseInt(word, 16));
  const bits = new Uint8Array(Uint32Array.from(words).buffer).reduce((sum, byte) => sum << 8n | BigInt(byte), 0n);
  const isMapped = words.length === 4 && bits >> 32n === 0xffffn;
  const family = words.length === 1 || isMapped ? "ipv4" : "ipv6";
  const own = isMapped ? bits & 0xffff_ffffn : bits;
  return networkTexts({ family, first: own, last: own }).join("");
}

/** Whose place a forward would take, in a sentence; `undefined` for nobody's. It leaves the spared addresses alone. */
export function contestedText(
  end: HostEnd & Pick<ForwardDemand, "sparedAddresses">,
  listeners: readonly Listener[],
): string | undefined {
  const spared = end.sparedAddresses.map((address) => parseIpAddress(address)?.text);
  const places = new Set(
    listeners.filter((listener) => takes(end, listener) && !spared.includes(listener.address)).map(placeText),
  );
  if (places.size === 0) return undefined;
  const more = places.size > NAMED_MAX ? ` and at ${places.size - NAMED_MAX} more of these ports` : "";
  const named = [...places].slice(0, NAMED_MAX).join(", ");
  return `a program of this host listens at ${named}${more}: who comes from outside gets the guest instead`;
}

function takes({ hostPorts, protocol, hostAddresses }: HostEnd, listener: Listener): boolean {
  if (protocol !== "both" && protocol !== listener.protocol) return false;
  if (listener.port < hostPorts.first || listener.port > hostPorts.last || isOwnOnly(listener)) return false;
  return hostAddresses.length === 0 || hostAddresses.some((address) => servesAt(listener, address));
}

/** Whoever listens on all IPv6 addresses mostly serves IPv4 too. */
function servesAt({ address }: Listener, hostAddress: string): boolean {
  if (address === "::") return true;
  if (address === "0.0.0.0") return !hostAddress.includes(":");
  return address === parseIpAddress(hostAddress)?.text;
}

/** A forward leaves these alone. */
function isOwnOnly({ address }: Listener): boolean {
  const parsed = parseIpAddress(address);
  return parsed !== undefined && isLoopback(parsed);
}

function placeText({ protocol, address, port }: Listener): string {
  return `${address.includes(":") ? `[${address}]` : address}:${port}/${protocol}`;
}
