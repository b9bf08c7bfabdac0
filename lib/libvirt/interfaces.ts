/**
 * The network interfaces of a guest.
 * @module
 */

import type { XmlElement } from "../xml/tree.ts";
import { attributeOf, childElements, descend, deviceElements } from "./elements.ts";
import { parseMac, parseUuid } from "./identifiers.ts";
import { parseDecimal } from "./numbers.ts";

/** A network interface, `<interface>`. */
export interface DomainInterface {
  /**
   * `network`, `bridge`, `direct`, `hostdev`, `user` and others. While the guest runs it is what the interface really
   * became: one on a network of bridges is a `bridge`, one on a pool of devices a `direct` or a `hostdev`.
   */
  readonly type: string | undefined;
  /** In lower case. libxl and qemu write one that was not given. */
  readonly mac: string | undefined;
  /** `source/@network`. */
  readonly network: string | undefined;
  /** `source/@portgroup`, since 0.9.4. */
  readonly portGroup: string | undefined;
  /** `source/@bridge`; of an interface on a network where there is a {@linkcode portId}. */
  readonly bridge: string | undefined;
  /** `source/@dev`: the host's device of a `direct` interface. */
  readonly sourceDev: string | undefined;
  /**
   * `source/@portid`, the UUID of the network's port, since 5.1.0. qemu: at start, started and reconnect only. lxc: at
   * started, reconnect and stopped.
   */
  readonly portId: string | undefined;
  /** `target/@dev`, the host's end, `vnet0`. Where there is a {@linkcode portId}; elsewhere only if a user chose it. */
  readonly target: string | undefined;
  /** `guest/@dev`, the name inside a container. */
  readonly guestDev: string | undefined;
  /** `model/@type`. */
  readonly model: string | undefined;
  /** `alias/@name`. From start to release, not at migrate and restore; user aliases (`ua-…`) everywhere. */
  readonly alias: string | undefined;
  /** `backenddomain/@name`, since 1.2.13; libxl only. */
  readonly backendDomain: string | undefined;
  /** `ip`, since 1.2.12: addresses that the guest is given by libvirt (lxc, libxl), never what DHCP gave. */
  readonly addresses: readonly InterfaceAddress[];
}

export interface InterfaceAddress {
  readonly address: string;
  readonly family: "ipv4" | "ipv6";
  readonly prefix: number | undefined;
}

/** `/domain/devices/interface`, in order. Everywhere. */
export function domainInterfaces(domain: XmlElement): readonly DomainInterface[] {
  return deviceElements(domain, "interface").map(readInterface);
}

/** One `<interface>`, of a guest or in what old versions tell a network's hook. */
export function readInterface(element: XmlElement): DomainInterface {
  const source = descend(element, "source");
  return {
    type: attributeOf(element, "type"),
    mac: parseMac(attributeOf(descend(element, "mac"), "address")),
    network: attributeOf(source, "network"),
    portGroup: attributeOf(source, "portgroup"),
    bridge: attributeOf(source, "bridge"),
    sourceDev: attributeOf(source, "dev"),
    portId: parseUuid(attributeOf(source, "portid")),
    target: attributeOf(descend(element, "target"), "dev"),
    guestDev: attributeOf(descend(element, "guest"), "dev"),
    model: attributeOf(descend(element, "model"), "type"),
    alias: attributeOf(descend(element, "alias"), "name"),
    backendDomain: attributeOf(descend(element, "backenddomain"), "name"),
    addresses: childElements(element, "ip").flatMap(readAddress),
  };
}

function readAddress(ip: XmlElement): readonly InterfaceAddress[] {
  const address = attributeOf(ip, "address");
  if (address === undefined) return [];
  const family = attributeOf(ip, "family") ?? (address.includes(":") ? "ipv6" : "ipv4");
  if (family !== "ipv4" && family !== "ipv6") return [];
  return [{ address, family, prefix: parseDecimal(attributeOf(ip, "prefix"), family === "ipv4" ? 32 : 128) }];
}
