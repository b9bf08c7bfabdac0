/**
 * `forward = [{ host_port = 2222, guest_port = 22 }]`: host ports that are forwarded to a guest while it runs.
 * @module
 */
import * as v from "valibot";
import type { HookCall } from "../libvirt/call.ts";
import type { OnError } from "../plan/intent.ts";
import { familiesMeant } from "../net/ip_interval.ts";
import { DEFAULT_MARK, type PortProtocol, type PortRange } from "../plan/nft_demand.ts";
import type { Action } from "./action.ts";
import type { RuleContext } from "../config/rule_context.ts";
import { isDeviceName } from "./device.ts";
import { guestEnd, guestEndEntries, selectedInterfaces, selectionText } from "./guest_end.ts";
import { type DemandSpec, type DemandSpecs, holdAction, onErrorEntry } from "./hold.ts";
import { ipPrefixSchema, reachedAddressSchema } from "./ip_value.ts";
import { describePorts, portsSchema, protocolSchema } from "./port_value.ts";
import { oneOrMany, tableSchema } from "../config/table_schema.ts";

interface ForwardConfig {
  readonly hostPorts: PortRange;
  readonly guestPorts: PortRange;
  readonly protocol: PortProtocol;
  readonly hostAddresses: readonly string[];
  readonly from: readonly string[];
  readonly to: string | undefined;
  readonly network: string | undefined;
  readonly mac: string | undefined;
  readonly hairpin: boolean;
  readonly onError: OnError | undefined;
}

/** A range with other guest ports needs a map entry for each port. */
const MAPPED_PORTS_MAX = 1000;
const PORT_MAX = 65_535;

/** Schema of one forward. */
export function forwardSchema(): v.GenericSchema<unknown, Action> {
  return v.pipe(
    tableSchema({
      host_port: portsSchema(),
      guest_port: v.optional(portsSchema()),
      protocol: v.optional(protocolSchema(), "tcp"),
      host_address: v.optional(oneOrMany(reachedAddressSchema)),
      from: v.optional(oneOrMany(ipPrefixSchema)),
      ...guestEndEntries(),
      hairpin: v.optional(v.boolean("true or false"), false),
      on_error: onErrorEntry(),
    }, "a forward: a table with host_port"),
    v.transform((
      { host_port, guest_port = host_port, host_address = [], from = [], to, on_error, ...rest },
    ): ForwardConfig => ({
      hostPorts: host_port,
      guestPorts: guest_port,
      protocol: rest.protocol,
      hostAddresses: host_address.map(({ text }) => text),
      from: from.map(({ text }) => text),
      to: to?.text,
      network: rest.network,
      mac: rest.mac,
      hairpin: rest.hairpin,
      onError: on_error,
    })),
    v.rawCheck(({ dataset, addIssue }) => {
      const message = dataset.typed ? portProblem(dataset.value) : undefined;
      if (message !== undefined) addIssue({ message });
    }),
    v.transform(forward),
  );
}

/** Checks the guest's range: its first port, or as many ports as the host's range. */
function portProblem({ hostPorts, guestPorts }: ForwardConfig): string | undefined {
  const extra = hostPorts.last - hostPorts.first;
  const isSinglePort = guestPorts.first === guestPorts.last;
  if (!isSinglePort && guestPorts.last - guestPorts.first !== extra) {
    return "as many ports in guest_port as in host_port, or just the first of them";
  }
  if (guestPorts.first + extra > PORT_MAX) return `guest_port with room for ${extra} more ports below ${PORT_MAX + 1}`;
  if (guestPorts.first !== hostPorts.first && extra >= MAPPED_PORTS_MAX) {
    return `${MAPPED_PORTS_MAX} ports at most where guest_port is another than host_port`;
  }
  return undefined;
}

function forward(config: ForwardConfig): Action {
  return holdAction({
    kind: "forward",
    lasts: "running",
    whiles: ["guest"],
    usesDocument: true,
    families: familiesMeant(config.hostAddresses, config.from, config.to === undefined ? [] : [config.to]),
    hostEnd: { hostPorts: config.hostPorts, protocol: config.protocol, hostAddresses: config.hostAddresses },
    onError: config.onError,
    parts: (rule, call) => parts(config, rule, call),
  });
}

function parts(config: ForwardConfig, rule: RuleContext, call: HookCall): DemandSpecs {
  const { hostPorts, guestPorts, protocol, hostAddresses, from } = config;
  const end = guestEnd(config, call);
  if ("problem" in end) return end;
  const demand = {
    ...{ kind: "forward", hostPorts, guestPort: guestPorts.first, protocol, hostAddresses, from } as const,
    sparedAddresses: [],
    ...end,
    mark: rule.forwardMark ?? DEFAULT_MARK,
  };
  return [{ resource: "nft", demand, text: describe(config) }, ...hairpinParts(config, call)];
}

/** Types of interfaces whose host device is a port of a bridge once the guest runs. */
const BRIDGED: readonly (string | undefined)[] = ["network", "bridge"];

/** Returns the demands for hairpin mode. libvirt names the host device of an interface only once the guest runs. */
function hairpinParts(config: ForwardConfig, call: HookCall): readonly DemandSpec[] {
  if (!config.hairpin || !call.facts.lifetimes.includes("running")) return [];
  return selectedInterfaces(config, call).flatMap(({ type, target }): readonly DemandSpec[] => {
    if (!BRIDGED.includes(type) || target === undefined || !isDeviceName(target)) return [];
    return [{
      resource: "hairpin",
      demand: { dev: target },
      text: `hairpin of ${target}, so that the guest reaches itself`,
    }];
  });
}

function describe(config: ForwardConfig): string {
  const { hostPorts, guestPorts, protocol, hostAddresses, from, to = "the guest" } = config;
  const isUnchanged = hostPorts.first === guestPorts.first;
  const end = hostPorts.last - hostPorts.first + guestPorts.first;
  const ports = guestPorts.first === end ? `${end}` : `${guestPorts.first}-${end}`;
  return [
    `${describePorts(hostPorts, protocol)} of ${hostAddresses.length === 0 ? "the host" : hostAddresses.join(", ")}`,
    ` to ${to}${isUnchanged ? "" : ` at ${ports}`}${selectionText(config)}`,
    ...(from.length === 0 ? [] : [`, for ${from.join(", ")}`]),
  ].join("");
}
