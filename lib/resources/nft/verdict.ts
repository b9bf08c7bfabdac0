/**
 * What a base chain of the packet filter, with the chains it jumps to, does to some packets: whether they pass. The rules may
 * be anybody's; what a rule tests and cannot be known here may match or not.
 * @module
 */
import type { IpFamily } from "../../net/ip_address.ts";
import { type IpInterval, mergeIntervals, overlaps } from "../../net/ip_interval.ts";
import type { PortRange } from "../../plan/nft_demand.ts";

/** The first packets of connections, as far as they are known; `undefined` is anything. */
export interface Packets {
  readonly family: IpFamily;
  /** The device they come in by. */
  readonly in: string | undefined;
  /** The device they leave by. */
  readonly out: string | undefined;
  readonly to: IpInterval | undefined;
  readonly protocol: string | undefined;
  readonly ports: PortRange | undefined;
  /** Their destination was changed on the way. */
  readonly isTranslated: boolean;
  /** The bits of their mark that are known. */
  readonly mark: { readonly mask: number; readonly value: number };
}

/** What a rule tests. */
export type Test =
  /** A name that ends with `*` is a beginning of names. */
  | { readonly kind: "in" | "out"; readonly devices: readonly string[] }
  | { readonly kind: "to"; readonly networks: readonly IpInterval[] }
  | { readonly kind: "family"; readonly families: readonly IpFamily[] }
  | { readonly kind: "protocol"; readonly protocols: readonly string[] }
  | { readonly kind: "ports"; readonly ports: readonly PortRange[] }
  /** Of its connection. */
  | { readonly kind: "state"; readonly states: readonly string[] }
  | { readonly kind: "translated" }
  | { readonly kind: "mark"; readonly mask: number; readonly value: number }
  | { readonly kind: "unknown" };

/** A test, or its opposite. */
export type Condition = Test & { readonly isNegated: boolean };

/** What a rule does to a packet that meets all its conditions. */
export type Action =
  | { readonly kind: "accept" }
  | { readonly kind: "reject" }
  | { readonly kind: "return" }
  /** The next rule decides. */
  | { readonly kind: "none" }
  | { readonly kind: "jump" | "goto"; readonly chain: string }
  /** It may accept or reject. */
  | { readonly kind: "unknown" };

/** A rule. */
export interface ChainRule {
  readonly conditions: readonly Condition[];
  readonly action: Action;
}

/** A chain. */
export interface RuleChain {
  readonly rules: readonly ChainRule[];
  /** Of a base chain that rejects what no rule decided. */
  readonly drops: boolean;
}

/** The chains of a table, by their names. */
export type RuleChains = ReadonlyMap<string, RuleChain>;

/**
 * What becomes of packets. `passes`: no rule that they can meet rejects them. `rejects`: none of them passes. `rejects-rest`:
 * all but those that some rule accepts, which may be some of them. `rejects-some`: a rule rejects what may be some of them.
 */
export type Judgement =
  | { readonly kind: "passes" }
  | { readonly kind: "rejects" | "rejects-rest" | "rejects-some"; readonly chain: string };

/** What walking a chain may come to. */
interface Ends {
  readonly accepts: boolean;
  /** The chain with the rule that rejects; `isSure`: every packet that reached that rule. */
  readonly rejects: { readonly chain: string; readonly isSure: boolean } | undefined;
  /** Packets leave by the chain's end. */
  readonly falls: boolean;
}

/** Judges what a base chain does. */
export function judge(base: string, chains: RuleChains, packets: Packets): Judgement {
  const { accepts, rejects, falls } = walk(base, { chains, packets, known: new Map() });
  const isPolicy = falls && chains.get(base)?.drops === true;
  const rejection = isPolicy && rejects?.isSure !== true ? { chain: base, isSure: true } : rejects;
  if (rejection === undefined) return { kind: "passes" };
  const passesSome = accepts || (falls && !isPolicy);
  const kind = !rejection.isSure ? "rejects-some" : passesSome ? "rejects-rest" : "rejects";
  return { kind, chain: rejection.chain };
}

interface Walk {
  readonly chains: RuleChains;
  readonly packets: Packets;
  /** What chains came to that were walked already. */
  readonly known: Map<string, Ends>;
}

/** A chain that is not listed, and one that is being walked, which the kernel forbids, may do anything. */
function walk(name: string, all: Walk): Ends {
  const known = all.known.get(name);
  if (known !== undefined) return known;
  const anything: Ends = { accepts: true, rejects: { chain: name, isSure: false }, falls: true };
  all.known.set(name, anything);
  const chain = all.chains.get(name);
  const ends = chain === undefined ? anything : walkRules(name, chain, all);
  all.known.set(name, ends);
  return ends;
}

function walkRules(name: string, { rules }: RuleChain, all: Walk): Ends {
  let accepts = false;
  let rejects: Ends["rejects"];
  let returns = false;
  for (const { conditions, action } of rules) {
    const match = matchOf(conditions, all.packets);
    if (match === "no" || action.kind === "none") continue;
    const met = endsOf(action, name, all);
    const rejection = met.rejects && { ...met.rejects, isSure: met.rejects.isSure && match === "yes" };
    accepts ||= met.accepts;
    if (rejects?.isSure !== true && rejection !== undefined) {
      rejects = rejection.isSure ? rejection : rejects ?? rejection;
    }
    const goesOn = met.falls && action.kind === "jump";
    returns ||= met.falls && !goesOn;
    if (match === "yes" && !goesOn) return { accepts, rejects, falls: returns };
  }
  return { accepts, rejects, falls: true };
}

function endsOf(action: Action, chain: string, all: Walk): Ends {
  switch (action.kind) {
    case "none":
      return { accepts: false, rejects: undefined, falls: true };
    case "accept":
      return { accepts: true, rejects: undefined, falls: false };
    case "reject":
      return { accepts: false, rejects: { chain, isSure: true }, falls: false };
    case "return":
      return { accepts: false, rejects: undefined, falls: true };
    case "jump":
    case "goto":
      return walk(action.chain, all);
    case "unknown":
      return { accepts: true, rejects: { chain, isSure: false }, falls: false };
    default:
      return action satisfies never;
  }
}

/** Whether packets meet a test: all of them, none, or what cannot be told. */
type Match = "yes" | "no" | "maybe";

function matchOf(conditions: readonly Condition[], packets: Packets): Match {
  const matches = conditions.map((condition) => conditionMatch(condition, packets));
  if (matches.includes("no")) return "no";
  return matches.includes("maybe") ? "maybe" : "yes";
}

const OPPOSITE = { yes: "no", no: "yes", maybe: "maybe" } as const satisfies Record<Match, Match>;

function conditionMatch(condition: Condition, packets: Packets): Match {
  const match = testMatch(condition, packets);
  return condition.isNegated ? OPPOSITE[match] : match;
}

function testMatch(test: Test, packets: Packets): Match {
  switch (test.kind) {
    case "in":
    case "out":
      return deviceMatch(packets[test.kind], test.devices);
    case "to":
      return networkMatch(packets, test.networks);
    case "family":
      return test.families.includes(packets.family) ? "yes" : "no";
    case "protocol":
      return packets.protocol === undefined ? "maybe" : test.protocols.includes(packets.protocol) ? "yes" : "no";
    case "ports":
      return packets.ports === undefined ? "maybe" : portMatch(packets.ports, test.ports);
    case "state":
      return test.states.includes("new") ? "yes" : "no";
    case "translated":
      return packets.isTranslated ? "yes" : "no";
    case "mark":
      return markMatch(packets.mark, test);
    case "unknown":
      return "maybe";
    default:
      return test satisfies never;
  }
}

function deviceMatch(device: string | undefined, names: readonly string[]): Match {
  if (device === undefined) return "maybe";
  const isNamed = names.some((name) => name.endsWith("*") ? device.startsWith(name.slice(0, -1)) : name === device);
  return isNamed ? "yes" : "no";
}

function networkMatch({ family, to }: Packets, networks: readonly IpInterval[]): Match {
  const own = mergeIntervals(networks.filter((network) => network.family === family));
  if (own.length === 0) return "no";
  if (to === undefined) return "maybe";
  if (own.some(({ first, last }) => first <= to.first && to.last <= last)) return "yes";
  return own.some((network) => overlaps(network, to)) ? "maybe" : "no";
}

function portMatch({ first, last }: PortRange, ranges: readonly PortRange[]): Match {
  if (ranges.some((range) => range.first <= first && last <= range.last)) return "yes";
  return ranges.some((range) => range.first <= last && first <= range.last) ? "maybe" : "no";
}

/** The bits are taken as unsigned. */
function markMatch(known: Packets["mark"], { mask, value }: { readonly mask: number; readonly value: number }): Match {
  const shared = mask & known.mask;
  if ((value & shared) !== (known.value & shared)) return "no";
  return (mask & ~known.mask) === 0 ? "yes" : "maybe";
}
