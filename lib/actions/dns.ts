/**
 * `dns = { domain = "lab.internal" }`: the host resolves the names of a domain with a network's own server while the
 * network is active.
 * @module
 */
import * as v from "valibot";
import type { OnError } from "../plan/intent.ts";
import type { Action } from "./action.ts";
import { bridgeOf, networkServer } from "./device.ts";
import { holdAction, onErrorEntry } from "./hold.ts";
import { ipAddressSchema } from "./ip_value.ts";
import { tableSchema } from "../config/table_schema.ts";

const DOMAIN = 'a domain such as "lab.internal"';

/** Schema of `dns`. */
export function dnsSchema(): v.GenericSchema<unknown, Action> {
  const label = "[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?";
  return v.pipe(
    tableSchema({
      domain: v.pipe(v.string(DOMAIN), v.toLowerCase(), v.regex(new RegExp(`^${label}(?:\\.${label})*$`), DOMAIN)),
      server: v.optional(ipAddressSchema()),
      on_error: onErrorEntry(),
    }, "a table with domain"),
    v.transform(({ domain, server, on_error }) => dns({ domain, server: server?.text, onError: on_error })),
  );
}

interface DnsConfig {
  readonly domain: string;
  readonly server: string | undefined;
  readonly onError: OnError | undefined;
}

function dns({ domain, server, onError }: DnsConfig): Action {
  return holdAction({
    kind: "dns",
    lasts: "running",
    whiles: ["network"],
    usesDocument: true,
    onError,
    parts: (_rule, call) => {
      const [dev, address] = [bridgeOf(call), server ?? networkServer(call)];
      if (dev === undefined) return { problem: "the network has no bridge" };
      if (address === undefined) {
        return { problem: "the network has no address of its own, so no server answers there" };
      }
      const text = `names below ${domain} resolved at ${address} (${dev})`;
      return [{ resource: "dns", demand: { dev, domain, server: address }, text }];
    },
  });
}
