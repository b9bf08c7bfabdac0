/**
 * `addresses = [{ address = "192.0.2.1/24", dev = "virbr1" }]`: addresses of the host while a network is active or a
 * guest runs.
 * @module
 */
import * as v from "valibot";
import type { OnError } from "../plan/intent.ts";
import { ADDRESS_BITS, parseIpAddress } from "../net/ip_address.ts";
import type { Action } from "./action.ts";
import { bridgeOf, deviceSchema } from "./device.ts";
import { holdAction, onErrorEntry } from "./hold.ts";
import { tableSchema } from "../config/table_schema.ts";

interface AddressConfig {
  readonly address: string;
  readonly dev: string | undefined;
  readonly onError: OnError | undefined;
}

/** Schema of one address. */
export function addressesSchema(): v.GenericSchema<unknown, Action> {
  return v.pipe(
    tableSchema({
      address: addressSchema(),
      dev: v.optional(deviceSchema()),
      on_error: onErrorEntry(),
    }, "an address: a table with address and dev"),
    v.transform(({ address, dev, on_error }) => addresses({ address, dev, onError: on_error })),
  );
}

/** Schema of `ADDRESS/LENGTH` in normal form. Without a length, it is that of a single address. */
function addressSchema(): v.GenericSchema<unknown, string> {
  const expected = 'an IP address with the length of its network, such as "192.0.2.1/24"';
  return v.pipe(
    v.string(expected),
    v.rawTransform(({ dataset, addIssue, NEVER }) => {
      const [, text = "", length] = /^([^/]*)(?:\/(0|[1-9]\d{0,2}))?$/.exec(dataset.value) ?? [];
      const address = parseIpAddress(text);
      const bitCount = address === undefined ? 0 : ADDRESS_BITS[address.family];
      if (address !== undefined && Number(length ?? bitCount) <= bitCount) {
        return `${address.text}/${length ?? bitCount}`;
      }
      addIssue({ message: expected });
      return NEVER;
    }),
  );
}

function addresses({ address, dev, onError }: AddressConfig): Action {
  return holdAction({
    kind: "addresses",
    lasts: "running",
    whiles: ["guest", "network"],
    usesDocument: dev === undefined,
    onError,
    findProblems: (rule) =>
      dev === undefined && rule.while !== "network"
        ? [{ path: [], found: "no dev", expected: "dev (a network's own bridge is the default)" }]
        : [],
    parts: (_rule, call) => {
      const device = dev ?? bridgeOf(call);
      if (device === undefined) return { problem: "the network has no bridge" };
      return [{ resource: "address", demand: { dev: device, address }, text: `address ${address} on ${device}` }];
    },
  });
}
