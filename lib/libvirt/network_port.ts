/**
 * A port of a network: one guest's interface on it.
 * @module
 */

import type { XmlElement } from "../xml/tree.ts";
import { attributeOf, descend, descendText } from "./elements.ts";
import { parseMac, parseUuid } from "./identifiers.ts";
import { pciAddress } from "./pci_address.ts";

/** What the interface is plugged into. It never says which tap it is: that is in the guest's own XML. */
export type NetworkPlug =
  /** A network with a bridge of libvirt's own, or (`bridge`) one of the host's. */
  | { readonly kind: "network" | "bridge"; readonly bridge: string }
  /** A device of the host, by macvtap; `mode` is `vepa`, `bridge`, `private` or `passthrough`. */
  | { readonly kind: "direct"; readonly dev: string; readonly mode: string | undefined }
  /** A virtual function that the guest is given. */
  | { readonly kind: "hostdev-pci"; readonly address: string; readonly managed: boolean };

/** A network's port. */
export interface NetworkPort {
  /** The only thing to know it by: a second port with its MAC may come and go. */
  readonly uuid: string | undefined;
  readonly owner: { readonly name: string | undefined; readonly uuid: string | undefined };
  readonly mac: string | undefined;
  /** The group of ports it is in. */
  readonly group: string | undefined;
  /** `undefined` for what a newer libvirt may plug into. */
  readonly plug: NetworkPlug | undefined;
}

/** Reads a `<networkport>`: at port-created and port-deleted, since 5.5.0. */
export function readNetworkPort(port: XmlElement): NetworkPort {
  return {
    uuid: parseUuid(descendText(port, "uuid")),
    owner: { name: descendText(port, "owner", "name"), uuid: parseUuid(descendText(port, "owner", "uuid")) },
    mac: parseMac(attributeOf(descend(port, "mac"), "address")),
    group: descendText(port, "group"),
    plug: readPlug(descend(port, "plug")),
  };
}

function readPlug(plug: XmlElement | undefined): NetworkPlug | undefined {
  const kind = attributeOf(plug, "type");
  switch (kind) {
    case "network":
    case "bridge": {
      const bridge = attributeOf(plug, "bridge");
      return bridge === undefined ? undefined : { kind, bridge };
    }
    case "direct": {
      const dev = attributeOf(plug, "dev");
      return dev === undefined ? undefined : { kind, dev, mode: attributeOf(plug, "mode") };
    }
    case "hostdev-pci": {
      const address = pciAddress(descend(plug, "address"));
      return address === undefined ? undefined : { kind, address, managed: attributeOf(plug, "managed") === "yes" };
    }
    default:
      return undefined;
  }
}
