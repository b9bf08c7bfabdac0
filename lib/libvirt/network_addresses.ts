/**
 * The addresses of a virtual network: its own, and those it gives to guests.
 * @module
 */

import type { XmlElement } from "../xml/tree.ts";
import { attributeOf, childElements, descend } from "./elements.ts";
import { parseMac } from "./identifiers.ts";
import { parseDecimal } from "./numbers.ts";

/** An address of the host on the network, with what its DHCP server gives out. */
export interface NetworkAddress {
  readonly address: string;
  readonly family: "ipv4" | "ipv6";
  /** As libvirt counts: `@prefix`, `@netmask`, or what is natural for the address. */
  readonly prefix: number | undefined;
  readonly ranges: readonly DhcpRange[];
  readonly hosts: readonly DhcpHost[];
}

export interface DhcpRange {
  readonly start: string;
  readonly end: string;
}

/** An address that is kept for one guest. Who edits the network, perhaps a guest's owner, chose the name. */
export interface DhcpHost {
  /** Only for IPv4. */
  readonly mac: string | undefined;
  /** The DUID, only for IPv6. */
  readonly id: string | undefined;
  readonly name: string | undefined;
  readonly ip: string | undefined;
}

/** `/network/ip`, since 0.3.0, several and IPv6 since 0.8.7; `dhcp/range` since 0.3.0, `dhcp/host` since 0.4.5. */
export function networkAddresses(network: XmlElement): readonly NetworkAddress[] {
  return childElements(network, "ip").flatMap((ip) => {
    const address = attributeOf(ip, "address");
    const family = address === undefined ? undefined : familyOf(attributeOf(ip, "family"), address);
    if (address === undefined || family === undefined) return [];
    const dhcp = descend(ip, "dhcp");
    return [{
      address,
      family,
      prefix: prefixOf(ip, address, family),
      ranges: childElements(dhcp, "range").flatMap(readRange),
      hosts: childElements(dhcp, "host").map(readHost),
    }];
  });
}

/** A route to what lies behind a guest. */
export interface NetworkRoute {
  readonly address: string;
  readonly family: "ipv4" | "ipv6";
  readonly prefix: number | undefined;
  readonly gateway: string | undefined;
}

/** `/network/route`, since 1.0.6. */
export function networkRoutes(network: XmlElement): readonly NetworkRoute[] {
  return childElements(network, "route").flatMap((route) => {
    const address = attributeOf(route, "address");
    const family = address === undefined ? undefined : familyOf(attributeOf(route, "family"), address);
    if (address === undefined || family === undefined) return [];
    return [{ address, family, prefix: prefixOf(route, address, family), gateway: attributeOf(route, "gateway") }];
  });
}

function readRange(range: XmlElement): readonly DhcpRange[] {
  const start = attributeOf(range, "start");
  const end = attributeOf(range, "end");
  return start === undefined || end === undefined ? [] : [{ start, end }];
}

function readHost(host: XmlElement): DhcpHost {
  return {
    mac: parseMac(attributeOf(host, "mac")),
    id: attributeOf(host, "id"),
    name: attributeOf(host, "name"),
    ip: attributeOf(host, "ip"),
  };
}

function familyOf(family: string | undefined, address: string): "ipv4" | "ipv6" | undefined {
  if (family === undefined) return address.includes(":") ? "ipv6" : "ipv4";
  return family === "ipv4" || family === "ipv6" ? family : undefined;
}

function prefixOf(element: XmlElement, address: string, family: "ipv4" | "ipv6"): number | undefined {
  const prefix = attributeOf(element, "prefix");
  const bits = parseDecimal(prefix, family === "ipv4" ? 32 : 128);
  // A prefix of 0 counts as none (`virSocketAddrGetIPPrefix`).
  if (prefix !== undefined && bits !== 0) return bits;
  const netmask = attributeOf(element, "netmask");
  if (netmask !== undefined) return netmaskPrefix(netmask);
  if (family === "ipv4") return naturalPrefix(address);
  return /^[0:.]+$/.test(address) ? 0 : 64;
}

/** The prefix of a netmask, `undefined` when its ones do not all stand first. */
function netmaskPrefix(netmask: string): number | undefined {
  const bytes = ipv4Bytes(netmask);
  const bits = bytes?.map((byte) => byte.toString(2).padStart(8, "0")).join("") ?? "";
  return /^1*0*$/.test(bits) && bits !== "" ? bits.lastIndexOf("1") + 1 : undefined;
}

/** libvirt still knows the classes A, B and C. */
function naturalPrefix(address: string): number | undefined {
  const bytes = ipv4Bytes(address);
  if (bytes === undefined) return undefined;
  const [first = 0] = bytes;
  if (bytes.every((byte) => byte === 0)) return 0;
  return first < 128 ? 8 : first < 192 ? 16 : first < 224 ? 24 : undefined;
}

function ipv4Bytes(address: string): readonly number[] | undefined {
  const bytes = address.split(".").map((byte) => /^[0-9]+$/.test(byte) ? parseDecimal(byte, 255) : undefined);
  const known = bytes.filter((byte) => byte !== undefined);
  return bytes.length === 4 && known.length === 4 ? known : undefined;
}
