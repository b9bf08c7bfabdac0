/**
 * The guest of an action on the packet filter, and its interfaces.
 * @module
 */
import * as v from "valibot";
import type { HookCall } from "../libvirt/call.ts";
import { parseMac } from "../libvirt/identifiers.ts";
import { type DomainInterface, domainInterfaces } from "../libvirt/interfaces.ts";
import type { IpAddress } from "../net/ip_address.ts";
import type { GuestEnd } from "../plan/nft_demand.ts";
import { reachedAddressSchema } from "./ip_value.ts";

/** Selects interfaces of a guest. */
export interface InterfaceSelection {
  readonly network: string | undefined;
  readonly mac: string | undefined;
}

/** Schema entries of the keys that determine a guest's address. */
export interface GuestEndEntries {
  readonly to: v.OptionalSchema<v.GenericSchema<unknown, IpAddress>, undefined>;
  readonly network: v.OptionalSchema<v.GenericSchema<unknown, string>, undefined>;
  readonly mac: v.OptionalSchema<v.GenericSchema<unknown, string>, undefined>;
}

/** Returns the schema entries. */
export function guestEndEntries(): GuestEndEntries {
  return {
    to: v.optional(reachedAddressSchema()),
    network: v.optional(v.pipe(v.string("a network's name"), v.nonEmpty("a network's name"))),
    mac: v.optional(macSchema()),
  };
}

function macSchema(): v.GenericSchema<unknown, string> {
  const expected = 'a MAC address such as "52:54:00:12:34:56"';
  return v.pipe(
    v.string(expected),
    v.rawTransform(({ dataset, addIssue, NEVER }) => {
      const mac = parseMac(dataset.value);
      if (mac !== undefined) return mac;
      addIssue({ message: expected });
      return NEVER;
    }),
  );
}

/**
 * Returns the guest's interfaces that may match. The document does not name the network of an interface on a bridge,
 * so that is decided when the host is inspected.
 */
export function selectedInterfaces({ network, mac }: InterfaceSelection, call: HookCall): readonly DomainInterface[] {
  return domainInterfaces(call.xml().root).filter((one) =>
    (network === undefined || one.network === network || (one.network === undefined && one.bridge !== undefined)) &&
    (mac === undefined || one.mac === mac)
  );
}

/** Advice for user networking, where QEMU itself is the guest's network: `<portForward>`, since libvirt 9.0.0. */
const USER_NETWORK =
  "the guest's interface uses user networking (SLIRP or passt), so it has no address on this host: " +
  "put the ports into the guest's document, <portForward> beside <backend type='passt'/>, or the guest on a libvirt network";

/** Returns the guest's end of a demand, without its address; or why there is none. */
export function guestEnd(
  { to = null, network, mac }: InterfaceSelection & { readonly to: string | null | undefined },
  call: HookCall,
): GuestEnd | { readonly problem: string } {
  const selected = selectedInterfaces({ network, mac }, call);
  if (to === null && selected.length === 0) {
    return { problem: `the guest has no interface${selectionText({ network, mac })}` };
  }
  if (to === null && selected.every(({ type }) => type === "user")) return { problem: USER_NETWORK };
  const interfaces = selected.map((one) => ({
    mac: one.mac ?? null,
    network: one.network ?? null,
    bridge: one.bridge ?? null,
    addresses: one.addresses.map(({ address }) => address),
  }));
  return { to, network: network ?? null, interfaces, guest: null, awaited: null };
}

/** Describes the selection, for people; empty if all interfaces match. */
export function selectionText({ network, mac }: InterfaceSelection): string {
  const conditions = [
    ...(network === undefined ? [] : [` on network ${JSON.stringify(network)}`]),
    ...(mac === undefined ? [] : [` with the MAC address ${mac}`]),
  ];
  return conditions.join("");
}
