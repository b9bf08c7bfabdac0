/**
 * What the network driver gives its hook: `<hookData>` around a network and what the call is about.
 * @module
 */

import type { XmlElement } from "../xml/tree.ts";
import { descend } from "./elements.ts";
import { type DomainInterface, readInterface } from "./interfaces.ts";
import { type NetworkPort, readNetworkPort } from "./network_port.ts";

/** `/hookData/network`. At all operations. */
export function hookDataNetwork(hookData: XmlElement): XmlElement | undefined {
  return descend(hookData, "network");
}

/** `/hookData/networkport`. At port-created and port-deleted, since 5.5.0. */
export function hookDataPort(hookData: XmlElement): NetworkPort | undefined {
  const port = descend(hookData, "networkport");
  return port === undefined ? undefined : readNetworkPort(port);
}

/** `/hookData/domain`: the guest. At plugged and unplugged, 1.2.2 to 5.4. */
export function hookDataDomain(hookData: XmlElement): XmlElement | undefined {
  return descend(hookData, "domain");
}

/** `/hookData/interface`: the guest's interface. At plugged and unplugged, 1.2.2 to 5.4. */
export function hookDataInterface(hookData: XmlElement): DomainInterface | undefined {
  const element = descend(hookData, "interface");
  return element === undefined ? undefined : readInterface(element);
}
