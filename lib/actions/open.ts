/**
 * `open = { from = "10.0.0.0/8", ports = [22, 443] }`: a network whose guests can be reached from outside while it is active.
 * @module
 */
import * as v from "valibot";
import type { HookCall } from "../libvirt/call.ts";
import { networkAddresses } from "../libvirt/network_addresses.ts";
import type { OnError } from "../plan/intent.ts";
import { parseIpAddress } from "../plan/ip_address.ts";
import { networkOf as networkAround, networkTexts } from "../plan/ip_interval.ts";
import { DEFAULT_MARK, type OpenDemand, type PortProtocol, type PortRange } from "../plan/nft_demand.ts";
import type { Action, RuleContext } from "./action.ts";
import { networkOf } from "./device.ts";
import { holdAction, onErrorEntry, type Parts } from "./hold.ts";
import { ipPrefixSchema } from "./ip_value.ts";
import { describePorts, portsSchema, protocolSchema } from "./port_value.ts";
import { oneOrMany, tableSchema } from "./table_schema.ts";

interface OpenConfig {
  readonly from: readonly string[];
  readonly ports: readonly PortRange[];
  readonly protocol: PortProtocol;
  readonly onError: OnError | undefined;
}

/** The configuration of `open`, as a schema. */
export function openSchema(): v.GenericSchema<unknown, Action> {
  return v.pipe(
    tableSchema({
      from: v.optional(oneOrMany(ipPrefixSchema)),
      ports: v.optional(oneOrMany(portsSchema)),
      protocol: v.optional(protocolSchema(), "tcp"),
      on_error: onErrorEntry(),
    }, "a table with from and ports, or an empty one for everything"),
    v.transform(({ from = [], ports = [], protocol, on_error }) =>
      open({ from: from.map(({ text }) => text), ports, protocol, onError: on_error })
    ),
  );
}

function open(config: OpenConfig): Action {
  return holdAction({
    kind: "open",
    lasts: "running",
    whiles: ["network"],
    looksAtDocument: true,
    onError: config.onError,
    parts: (rule, call) => parts(config, rule, call),
  });
}

function parts({ from, ports, protocol }: OpenConfig, rule: RuleContext, call: HookCall): Parts {
  const networks = networksOf(call);
  if (networks.length === 0) return { problem: "the network has no addresses that libvirt knows of" };
  const what = ports.length === 0 ? "" : `, ${ports.map((range) => describePorts(range, protocol)).join(", ")}`;
  const whom = from.length === 0 ? "everybody" : from.join(", ");
  const demand: OpenDemand = { kind: "open", networks, from, protocol, ports, mark: rule.forwardMark ?? DEFAULT_MARK };
  return [{ resource: "nft", demand, text: `${networks.join(", ")} opened to ${whom}${what}` }];
}

function networksOf(call: HookCall): readonly string[] {
  const network = networkOf(call);
  if (network === undefined) return [];
  return networkAddresses(network).flatMap(({ address, prefix }) => {
    const parsed = parseIpAddress(address);
    return parsed === undefined || prefix === undefined ? [] : networkTexts(networkAround(parsed, prefix));
  });
}
