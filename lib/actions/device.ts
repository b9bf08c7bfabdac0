/**
 * Network devices in rules: named, or the bridge of the call's network.
 * @module
 */
import * as v from "valibot";
import type { HookCall } from "../libvirt/call.ts";
import { descend } from "../libvirt/elements.ts";
import { networkAddresses } from "../libvirt/network_addresses.ts";
import { networkBridge } from "../libvirt/network.ts";
import type { XmlElement } from "../xml/tree.ts";

const NAME = /^(?!\.{1,2}$)[\w.][\w.-]{0,14}$/;

/** Whether a text is a valid device name that no tool takes for a path or an option. */
export function isDeviceName(text: string): boolean {
  return NAME.test(text);
}

/** Schema of a device name that the kernel accepts and no tool takes for an option. */
export function deviceSchema(): v.GenericSchema<unknown, string> {
  const expected = "a network device's name, such as virbr0";
  return v.pipe(v.string(expected), v.regex(NAME, expected));
}

/** Returns the `<network>` element of a network's call. */
export function networkOf(call: HookCall): XmlElement | undefined {
  return call.network === undefined ? undefined : descend(call.xml().root, "network");
}

/** Returns the bridge of the call's network. */
export function bridgeOf(call: HookCall): string | undefined {
  const network = networkOf(call);
  return network === undefined ? undefined : networkBridge(network)?.name;
}

/** Returns the host's first address on the call's network, at which its DHCP and DNS server answers. */
export function networkServer(call: HookCall): string | undefined {
  const network = networkOf(call);
  return network === undefined ? undefined : networkAddresses(network)[0]?.address;
}
