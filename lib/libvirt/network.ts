/**
 * A virtual network, as its `<network>` says: what it is and is called. Its addresses have a file of their own.
 *
 * All views are functions of the element and never throw, as those of a guest. A network's hook gets the network at each
 * operation; what is there is there at all of them.
 * @module
 */

import type { XmlElement } from "../xml/tree.ts";
import { attributeOf, childElements, descend, descendText } from "./elements.ts";
import { parseMac, parseUuid } from "./identifiers.ts";
import { parseDecimal } from "./numbers.ts";

/** `/network/name`. */
export function networkName(network: XmlElement): string | undefined {
  return descendText(network, "name");
}

/** `/network/uuid`, since 0.3.0. */
export function networkUuid(network: XmlElement): string | undefined {
  return parseUuid(descendText(network, "uuid"));
}

/** `/network/title`, of newer versions. */
export function networkTitle(network: XmlElement): string | undefined {
  return descendText(network, "title");
}

/** `/network/@connections`: how many interfaces of guests are on it; not there while there are none. Since 0.10.0. */
export function networkConnections(network: XmlElement): number {
  return parseDecimal(attributeOf(network, "connections")) ?? 0;
}

/** The bridge of a network. */
export interface NetworkBridge {
  readonly name: string | undefined;
  /** The zone of firewalld it is in, since 5.1.0. */
  readonly zone: string | undefined;
}

/** `/network/bridge`: libvirt's own, or one of the host's that the network uses. Not on networks without one. */
export function networkBridge(network: XmlElement): NetworkBridge | undefined {
  const bridge = descend(network, "bridge");
  return bridge === undefined ? undefined : { name: attributeOf(bridge, "name"), zone: attributeOf(bridge, "zone") };
}

/** `/network/mac/@address`: that of libvirt's bridge, since 0.8.8. */
export function networkMac(network: XmlElement): string | undefined {
  return parseMac(attributeOf(descend(network, "mac"), "address"));
}

/** How a network reaches the world. */
export interface NetworkForward {
  /** `nat`, `route`, `open`, `bridge`, `private`, `vepa`, `passthrough` or `hostdev`. */
  readonly mode: string;
  /** `@dev`: the only device that traffic may leave by. */
  readonly dev: string | undefined;
  /** `interface/@dev`: the host's devices that guests share, since 0.9.4. */
  readonly interfaces: readonly string[];
}

/** `/network/forward`, since 0.3.0. Without the element the network is isolated; without `@mode` it is `nat`. */
export function networkForward(network: XmlElement): NetworkForward | undefined {
  const forward = descend(network, "forward");
  if (forward === undefined) return undefined;
  const interfaces = childElements(forward, "interface").map((one) => attributeOf(one, "dev"));
  return {
    mode: attributeOf(forward, "mode") ?? "nat",
    dev: attributeOf(forward, "dev"),
    interfaces: interfaces.filter((dev) => dev !== undefined),
  };
}

/** `/network/domain/@name`: the DNS domain of its guests, since 0.4.5. */
export function networkDomainName(network: XmlElement): string | undefined {
  return attributeOf(descend(network, "domain"), "name");
}
