/**
 * Host programs that listen on ports. A forward of the same port hides them from outside clients.
 * @module
 */
import { parseIpAddress } from "../../net/ip_address.ts";
import { isLoopback, networkTexts } from "../../net/ip_interval.ts";
import type { ForwardDemand, HostEnd } from "../../plan/nft_demand.ts";
import type { Sys } from "../../sys/sys.ts";

/** A port on which a host program listens. */
export interface Listener {
  readonly protocol: "tcp" | "udp";
  /** `0.0.0.0` and `::` mean all addresses. */
  readonly address: string;
  readonly port: number;
}

/**
 * The kernel's lists of sockets. Listening sockets come first in the TCP files, so reading only the beginning of a
 * long file is sufficient.
 */
const FILES = [
  { path: "/proc/net/tcp", protocol: "tcp", state: "0A" },
  { path: "/proc/net/tcp6", protocol: "tcp", state: "0A" },
  { path: "/proc/net/udp", protocol: "udp", state: "07" },
  { path: "/proc/net/udp6", protocol: "udp", state: "07" },
] as const;

/** How many listeners a sentence names; the others are only counted. */
const NAMED_MAX = 3;

/** Reads the listeners, ordered by port; none if the kernel's lists cannot be read. */
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

/** Parses an address. The kernel prints it as 32-bit numbers in the byte order of the machine. */
function addressText(hex: string): string {
  const words = (hex.match(/.{8}/g) ?? []).map((word) => parseInt(word, 16));
  const bits = new Uint8Array(Uint32Array.from(words).buffer).reduce((sum, byte) => sum << 8n | BigInt(byte), 0n);
  const isMapped = words.length === 4 && bits >> 32n === 0xffffn;
  const family = words.length === 1 || isMapped ? "ipv4" : "ipv6";
  const own = isMapped ? bits & 0xffff_ffffn : bits;
  return networkTexts({ family, first: own, last: own }).join("");
}

/**
 * Describes local listeners that a forward would hide, or `undefined` if there are none. Spared addresses are not
 * hidden.
 */
export function hiddenListenersText(
  end: HostEnd & Pick<ForwardDemand, "sparedAddresses">,
  listeners: readonly Listener[],
): string | undefined {
  const spared = end.sparedAddresses.map((address) => parseIpAddress(address)?.text);
  const endpoints = new Set(
    listeners.filter((listener) => isHiddenBy(end, listener) && !spared.includes(listener.address)).map(endpointText),
  );
  if (endpoints.size === 0) return undefined;
  const more = endpoints.size > NAMED_MAX ? ` and at ${endpoints.size - NAMED_MAX} more of these ports` : "";
  const named = [...endpoints].slice(0, NAMED_MAX).join(", ");
  return `a program of this host listens at ${named}${more}: clients from outside reach the guest instead`;
}

function isHiddenBy({ hostPorts, protocol, hostAddresses }: HostEnd, listener: Listener): boolean {
  if (protocol !== "both" && protocol !== listener.protocol) return false;
  if (listener.port < hostPorts.first || listener.port > hostPorts.last || isLoopbackOnly(listener)) return false;
  return hostAddresses.length === 0 || hostAddresses.some((address) => listensAt(listener, address));
}

/** Whether a listener serves a host address. One on all IPv6 addresses usually serves IPv4 too. */
function listensAt({ address }: Listener, hostAddress: string): boolean {
  if (address === "::") return true;
  if (address === "0.0.0.0") return !hostAddress.includes(":");
  return address === parseIpAddress(hostAddress)?.text;
}

/** Whether a program listens only on a loopback address, which no forward hides. */
function isLoopbackOnly({ address }: Listener): boolean {
  const parsed = parseIpAddress(address);
  return parsed !== undefined && isLoopback(parsed);
}

function endpointText({ protocol, address, port }: Listener): string {
  return `${address.includes(":") ? `[${address}]` : address}:${port}/${protocol}`;
}
