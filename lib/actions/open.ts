/**
 * `open = { from = "10.0.0.0/8", ports = [22, 443] }`: a network whose guests can be reached from outside while it is active, or
 * one guest while it runs.
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
  /** Of a guest: its address. Of a network: addresses that are routed to its guests, instead of its own. */
  readonly to: readonly IpPrefix[];
  readonly network: string | undefined;
  readonly mac: string | undefined;
  readonly onError: OnError | undefined;
}

const EVERYTHING = { from: [], ports: [], protocol: "tcp", to: [], network: undefined, mac: undefined } as const;

/** Who says "udp" and no port would else open TCP, too. */
const PORTS_BESIDE = "ports beside protocol: without them everything is open, whatever its protocol";

/** The configuration of `open`, as a schema. */
export function openSchema(): v.GenericSchema<unknown, Action> {
  const everything = v.pipe(
    v.literal(true, "true, or a table with from and ports"),
    v.transform(() => open({ ...EVERYTHING, onError: undefined })),
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
    v.check(({ ports, protocol }) => protocol === undefined || ports !== undefined, PORTS_BESIDE),
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
    looksAtDocument: true,
    families: familiesMeant(config.from, config.to.map(({ text }) => text)),
    onError: config.onError,
    findProblems: (rule) => rule.while === "guest" ? guestAddressProblems(config) : guestKeyProblems(config),
    parts: (rule, call) => rule.while === "guest" ? guestParts(config, rule, call) : networkParts(config, rule, call),
  });
}

/** A guest is opened at one address. */
function guestAddressProblems({ to }: OpenConfig): readonly RuleProblem[] {
  if (to.length === 0 || addressIn(to) !== undefined) return [];
  return [{
    path: ["to"],
    found: to.map(({ text }) => text).join(", "),
    expected: 'one address of the guest (several, or a network, in a rule with while = "network")',
  }];
}

/** The one address that prefixes say; `undefined` where they say more. */
function addressIn([first, ...rest]: readonly IpPrefix[]): string | undefined {
  if (first === undefined || rest.length > 0 || first.length !== ADDRESS_BITS[first.family]) return undefined;
  return networkTexts(networkAround(first, first.length)).join("");
}

/** A network is opened as a whole, or the addresses that are routed to it. */
function guestKeyProblems(config: OpenConfig): readonly RuleProblem[] {
  return (["network", "mac"] as const).filter((key) => config[key] !== undefined).map((key) => ({
    path: [key],
    found: `the key "${key}"`,
    expected: "no such key: it says which interface of a guest is meant",
  }));
}

function networkParts(config: OpenConfig, rule: RuleContext, call: HookCall): DemandSpecs {
  const networks = config.to.length > 0
    ? config.to.flatMap((prefix) => networkTexts(networkAround(prefix, prefix.length)))
    : networksOf(call);
  if (networks.length === 0) return { problem: "the network has no addresses that libvirt knows of" };
  return [openPart(config, { networks, at: null, name: networks.join(", ") }, rule)];
}

function guestParts(config: OpenConfig, rule: RuleContext, call: HookCall): DemandSpecs {
  const to = addressIn(config.to);
  const at = guestEnd({ ...config, to }, call);
  if ("problem" in at) return at;
  const name = `${to ?? "the guest"}${selectionText(config)}`;
  return [openPart(config, { networks: [], at, name }, rule)];
}

function openPart(
  { from, ports, protocol }: OpenConfig,
  { name, ...what }: Pick<OpenDemand, "networks" | "at"> & { readonly name: string },
  rule: RuleContext,
): DemandSpec {
  const which = ports.length === 0 ? "" : `, ${ports.map((range) => describePorts(range, protocol)).join(", ")}`;
  const whom = from.length === 0 ? "everybody" : from.join(", ");
  const demand: OpenDemand = { kind: "open", ...what, from, protocol, ports, mark: rule.forwardMark ?? DEFAULT_MARK };
  return { resource: "nft", demand, text: `${name} opened to ${whom}${which}` };
}

function networksOf(call: HookCall): readonly string[] {
  const network = networkOf(call);
  if (network === undefined) return [];
  return networkAddresses(network).flatMap(({ address, prefix }) => {
    const parsed = parseIpAddress(address);
    return parsed === undefined || prefix === undefined ? [] : networkTexts(networkAround(parsed, prefix));
  });
}
