/**
 * Network devices of the host in rules: named, or the bridge of the network that a call is about.
 * @module
 */
import * as v from "valibot";
import type { HookCall } from "../libvirt/call.ts";
import { descend } from "../libvirt/elements.ts";
import { networkAddresses } from "../libvirt/network_addresses.ts";
import { networkBridge } from "../libvirt/network.ts";
import type { XmlElement } from "../xml/tree.ts";

const NAME = /^(?!\.{1,2}$)[\w.][\w.-]{0,14}$/;

/** Whether a text can be a device's name: no path, and nothing that a tool takes for an option. */
export function isDeviceName(text: string): boolean {
  return NAME.test(text);
}

/** A device's name, as a schema: what the kernel takes, and no tool takes for an option. */
export function deviceSchema(): v.GenericSchema<unknown, string> {
  const expected = "a network device's name, such as virbr0";
  return v.pipe(v.string(expected), v.regex(NAME, expected));
}

/** The `<network>` of a network's call. */
export function networkOf(call: HookCall): XmlElement | undefined {
  return call.network === undefined ? undefined : descend(call.xml().root, "network");
}

/** The bridge of the network that a call is about. */
export function bridgeOf(call: HookCall): string | undefined {
  const network = networkOf(call);
  return network === undefined ? undefined : networkBridge(network)?.name;
}

/** The host's own first address on the network that a call is about: its DHCP and DNS server answers there. */
export function networkServer(call: HookCall): string | undefined {
  const network = networkOf(call);
  return network === undefined ? undefined : networkAddresses(network)[0]?.address;
}
