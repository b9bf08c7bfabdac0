/**
 * Who holds what a call acquires.
 * @module
 */
import type { Holder } from "../ledger/holder.ts";
import type { HookCall } from "../libvirt/call.ts";
import { callUuid } from "../libvirt/call_uuid.ts";
import { childElements } from "../libvirt/elements.ts";
import { readNetworkPort } from "../libvirt/network_port.ts";

/** Operations whose object is a port of the network that they name. */
export function isAboutPort(call: HookCall): boolean {
  return call.facts.lifetimes.length === 1 && call.facts.lifetimes[0] === "port";
}

/**
 * The holder of a call; `undefined` where there is none, or the document does not say.
 * @throws {XmlSyntaxError} when the document of a port is not XML that we read
 */
export function holderOf(call: HookCall): Holder | undefined {
  const uuid = callUuid(call);
  if (uuid === undefined) return undefined;
  if (call.domain !== undefined) return { kind: "domain", driver: call.driver, uuid, name: call.domain };
  if (call.network === undefined) return undefined;
  if (!isAboutPort(call)) return { kind: "network", uuid, name: call.network };
  const [element] = childElements(call.xml().root, "networkport");
  const port = element === undefined ? undefined : readNetworkPort(element);
  if (port?.uuid === undefined) return undefined;
  const { uuid: owner, name: ownerName } = port.owner;
  return { kind: "port", uuid: port.uuid, network: uuid, name: call.network, owner, ownerName };
}
