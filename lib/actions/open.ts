/**
 * `open = { from = "10.0.0.0/8", ports = [22, 443] }`: makes a network's guests reachable from outside while the
 * network is active, or one guest while it runs.
 * @module
 */
import * as v from "valibot";
import type { HookCall } from "../libvirt/call.ts";
import { networkAddresses } from "../libvirt/network_addresses.ts";
import type { OnError } from "../plan/intent.ts";
import { ADDRESS_BITS, type IpPrefix, parseIpAddress } from "../net/ip_address.ts";
import { familiesMeant, networkOf as networkAround, networkTexts } from "../net/ip_interval.ts";
import { DEFAULT_MARK, type OpenDemand, type PortProtocol, type PortRange } from "../plan/nft_demand.ts";
import type { Action } from "./action.ts";
import type { RuleContext, RuleProblem } from "../config/rule_context.ts";
import { networkOf } from "./device.ts";
import { guestEnd, guestEndEntries, selectionText } from "./guest_end.ts";
import { type DemandSpec, type DemandSpecs, holdAction, onErrorEntry } from "./hold.ts";
import { ipPrefixSchema, reachedPrefixSchema } from "./ip_value.ts";
import { describePorts, portsSchema, protocolSchema } from "./port_value.ts";
import { oneOrMany, tableSchema } from "../config/table_schema.ts";

interface OpenConfig {
  readonly from: readonly string[];
  readonly ports: readonly PortRange[];
  readonly protocol: PortProtocol;
  /** For a guest: its address. For a network: addresses that are routed to its guests, instead of its own. */
  readonly to: readonly IpPrefix[];
  readonly network: string | undefined;
  readonly mac: string | undefined;
  readonly onError: OnError | undefined;
}

const UNRESTRICTED = { from: [], ports: [], protocol: "tcp", to: [], network: undefined, mac: undefined } as const;

/** Without this, `protocol = "udp"` without ports would open TCP as well. */
const PORTS_REQUIRED = "ports beside protocol: without them everything is open, whatever its protocol";

/** Schema of `open`. */
export function openSchema(): v.GenericSchema<unknown, Action> {
  const everything = v.pipe(
    v.literal(true, "true, or a table with from and ports"),
    v.transform(() => open({ ...UNRESTRICTED, onError: undefined })),
  );
  const some = v.pipe(
    tableSchema({
      from: v.optional(oneOrMany(ipPrefixSchema)),
      ports: v.optional(oneOrMany(portsSchema)),
      protocol: v.optional(protocolSchema()),
      ...guestEndEntries(),
      to: v.optional(oneOrMany(reachedPrefixSchema)),
      on_error: onErrorEntry(),
    }, "true, or a table with from and ports"),
    v.check(({ ports, protocol }) => protocol === undefined || ports !== undefined, PORTS_REQUIRED),
    v.transform(({ from = [], ports = [], protocol = "tcp", to = [], network, mac, on_error }) =>
      open({ from: from.map(({ text }) => text), ports, protocol, to, network, mac, onError: on_error })
    ),
  );
  return v.lazy((input) => typeof input === "object" ? some : everything);
}

function open(config: OpenConfig): Action {
  return holdAction({
    kind: "open",
    lasts: "running",
    whiles: ["guest", "network"],
    usesDocument: true,
    families: familiesMeant(config.from, config.to.map(({ text }) => text)),
    onError: config.onError,
    findProblems: (rule) => rule.while === "guest" ? guestAddressProblems(config) : guestKeyProblems(config),
    parts: (rule, call) => rule.while === "guest" ? guestParts(config, rule, call) : networkParts(config, rule, call),
  });
}

/** Requires a single address for a guest. */
function guestAddressProblems({ to }: OpenConfig): readonly RuleProblem[] {
  if (to.length === 0 || addressIn(to) !== undefined) return [];
  return [{
    path: ["to"],
    found: to.map(({ text }) => text).join(", "),
    expected: 'one address of the guest (several, or a network, in a rule with while = "network")',
  }];
}

/** Returns the single address that prefixes contain; `undefined` if they contain more. */
function addressIn([first, ...rest]: readonly IpPrefix[]): string | undefined {
  if (first === undefined || rest.length > 0 || first.length !== ADDRESS_BITS[first.family]) return undefined;
  return networkTexts(networkAround(first, first.length)).join("");
}

/** Refuses keys that select an interface of a guest in a rule for networks. */
function guestKeyProblems(config: OpenConfig): readonly RuleProblem[] {
  return (["network", "mac"] as const).filter((key) => config[key] !== undefined).map((key) => ({
    path: [key],
    found: `the key "${key}"`,
    expected: "no such key: it selects an interface of a guest",
  }));
}

function networkParts(config: OpenConfig, rule: RuleContext, call: HookCall): DemandSpecs {
  const networks = config.to.length > 0
    ? config.to.flatMap((prefix) => networkTexts(networkAround(prefix, prefix.length)))
    : networksOf(call);
  if (networks.length === 0) return { problem: "the network has no addresses that libvirt knows of" };
  return [openDemand(config, { networks, at: null, name: networks.join(", ") }, rule)];
}

function guestParts(config: OpenConfig, rule: RuleContext, call: HookCall): DemandSpecs {
  const to = addressIn(config.to);
  const at = guestEnd({ ...config, to }, call);
  if ("problem" in at) return at;
  const name = `${to ?? "the guest"}${selectionText(config)}`;
  return [openDemand(config, { networks: [], at, name }, rule)];
}

function openDemand(
  { from, ports, protocol }: OpenConfig,
  { name, ...target }: Pick<OpenDemand, "networks" | "at"> & { readonly name: string },
  rule: RuleContext,
): DemandSpec {
  const portsText = ports.length === 0 ? "" : `, ${ports.map((range) => describePorts(range, protocol)).join(", ")}`;
  const clients = from.length === 0 ? "all" : from.join(", ");
  const demand: OpenDemand = { kind: "open", ...target, from, protocol, ports, mark: rule.forwardMark ?? DEFAULT_MARK };
  return { resource: "nft", demand, text: `${name} opened to ${clients}${portsText}` };
}

function networksOf(call: HookCall): readonly string[] {
  const network = networkOf(call);
  if (network === undefined) return [];
  return networkAddresses(network).flatMap(({ address, prefix }) => {
    const parsed = parseIpAddress(address);
    return parsed === undefined || prefix === undefined ? [] : networkTexts(networkAround(parsed, prefix));
  });
}
