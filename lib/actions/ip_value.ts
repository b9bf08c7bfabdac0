/**
 * Addresses and prefixes in rules. A placeholder must yield a single address: a value that a guest's owner can write
 * must not redirect the traffic of a whole network.
 * @module
 */
import * as v from "valibot";
import type { HookCall } from "../libvirt/call.ts";
import { ADDRESS_BITS, type IpAddress, type IpPrefix, parseIpAddress, parseIpPrefix } from "../net/ip_address.ts";
import { isLoopback } from "../net/ip_interval.ts";
import type { RuleContext } from "../config/rule_context.ts";
import { hasPlaceholder, substitute, type Template, templateSchema } from "../config/placeholder.ts";

const ADDRESS = "an IP address";
const PREFIX = 'an IP address or a network such as "192.0.2.0/24", without bits behind its length';

/** Schema of an address. */
export function ipAddressSchema(): v.GenericSchema<unknown, IpAddress> {
  return addressSchema(ADDRESS, () => true);
}

const REACHED = "an address that others reach: no loopback address, nor 0.0.0.0 or ::";
/** The unspecified addresses, which mean all addresses. */
const UNSPECIFIED: readonly string[] = ["0.0.0.0", "::"];

/** Schema of an address at which a packet from another machine can arrive. */
export function reachedAddressSchema(): v.GenericSchema<unknown, IpAddress> {
  return addressSchema(REACHED, (address) => !isLoopback(address) && !UNSPECIFIED.includes(address.text));
}

function addressSchema(
  expected: string,
  isAllowed: (address: IpAddress) => boolean,
): v.GenericSchema<unknown, IpAddress> {
  return v.pipe(
    v.string(ADDRESS),
    v.rawTransform(({ dataset, addIssue, NEVER }) => {
      const address = parseIpAddress(dataset.value);
      if (address !== undefined && isAllowed(address)) return address;
      addIssue({ message: address === undefined ? ADDRESS : expected });
      return NEVER;
    }),
  );
}

/** Schema of a prefix with addresses that other machines can reach. */
export function reachedPrefixSchema(): v.GenericSchema<unknown, IpPrefix> {
  return v.pipe(
    ipPrefixSchema(),
    v.check((prefix) => !isLoopback(prefix) && prefix.bits !== 0n, `${REACHED}; or a network of such`),
  );
}

/** Schema of a prefix. */
export function ipPrefixSchema(): v.GenericSchema<unknown, IpPrefix> {
  return v.pipe(
    v.string(PREFIX),
    v.rawTransform(({ dataset, addIssue, NEVER }) => {
      const prefix = parseIpPrefix(dataset.value);
      if (prefix !== undefined) return prefix;
      addIssue({ message: PREFIX });
      return NEVER;
    }),
  );
}

/** Schema of a prefix that may contain placeholders. */
export function prefixTemplateSchema(): v.GenericSchema<unknown, Template> {
  return v.pipe(
    v.string(PREFIX),
    templateSchema(),
    v.check((template) => hasPlaceholder(template) || parseIpPrefix(template.text) !== undefined, PREFIX),
  );
}

/** Returns the prefix of a template for a call, or why there is none. */
export function substitutePrefix(
  template: Template,
  rule: RuleContext,
  call: HookCall,
): IpPrefix | { readonly problem: string } {
  const filled = substitute(template, rule, call);
  if (filled.kind === "unfilled") return { problem: filled.problem };
  const prefix = parseIpPrefix(filled.text.trim());
  if (prefix === undefined) return { problem: `"${template.text}" gives "${filled.text}", which is not ${PREFIX}` };
  if (hasPlaceholder(template) && prefix.length !== ADDRESS_BITS[prefix.family]) {
    return { problem: `"${template.text}" gives ${prefix.text}: a placeholder may only give a single address` };
  }
  return prefix;
}
