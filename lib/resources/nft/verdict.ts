/**
 * Determines whether a base chain, with the chains it jumps to, passes certain packets. The rules may be of any
 * program; a test whose result cannot be known here counts as both matching and not matching.
 * @module
 */
import type { IpFamily } from "../../net/ip_address.ts";
import { type IpInterval, mergeIntervals, overlaps } from "../../net/ip_interval.ts";
import type { PortRange } from "../../plan/nft_demand.ts";

/** The first packets of connections, as far as they are known; `undefined` means any value. */
export interface Packets {
  readonly family: IpFamily;
  /** The inbound device. */
  readonly in: string | undefined;
  /** The outbound device. */
  readonly out: string | undefined;
  readonly to: IpInterval | undefined;
  readonly protocol: string | undefined;
  readonly ports: PortRange | undefined;
  /** Whether their destination was translated. */
  readonly isTranslated: boolean;
  /** The known bits of their mark. */
  readonly mark: { readonly mask: number; readonly value: number };
}

/** A test in a rule. */
export type RuleTest =
  /** A name that ends with `*` is a prefix. */
  | { readonly kind: "in" | "out"; readonly devices: readonly string[] }
  | { readonly kind: "to"; readonly networks: readonly IpInterval[] }
  | { readonly kind: "family"; readonly families: readonly IpFamily[] }
  | { readonly kind: "protocol"; readonly protocols: readonly string[] }
  | { readonly kind: "ports"; readonly ports: readonly PortRange[] }
  /** The state of the connection. */
  | { readonly kind: "state"; readonly states: readonly string[] }
  | { readonly kind: "translated" }
  | { readonly kind: "mark"; readonly mask: number; readonly value: number }
  | { readonly kind: "unknown" };

/** A test, which may be negated. */
export type RuleCondition = RuleTest & { readonly isNegated: boolean };

/** What a rule does to a packet that meets all its conditions. */
export type ChainAction =
  | { readonly kind: "accept" }
  | { readonly kind: "reject" }
  | { readonly kind: "return" }
  /** The next rule decides. */
  | { readonly kind: "none" }
  | { readonly kind: "jump" | "goto"; readonly chain: string }
  /** The action may accept or reject. */
  | { readonly kind: "unknown" };

export interface ChainRule {
  readonly conditions: readonly RuleCondition[];
  readonly action: ChainAction;
}

export interface RuleChain {
  readonly rules: readonly ChainRule[];
  /** Whether it is a base chain with the policy drop. */
  readonly drops: boolean;
}

/** The chains of a table, by name. */
export type RuleChains = ReadonlyMap<string, RuleChain>;

/**
 * The result for packets. `passes`: no rule that they can match rejects them. `rejects`: all are rejected.
 * `rejects-rest`: all are rejected except those that another rule may accept. `rejects-some`: a rule may reject some
 * of them.
 */
export type Judgement =
  | { readonly kind: "passes" }
  | { readonly kind: "rejects" | "rejects-rest" | "rejects-some"; readonly chain: string };

/** The possible outcomes of a chain. */
interface ChainOutcome {
  readonly accepts: boolean;
  /** The chain with the rejecting rule; `isSure`: every packet that reaches the rule is rejected. */
  readonly rejects: { readonly chain: string; readonly isSure: boolean } | undefined;
  /** Packets may reach the end of the chain. */
  readonly reachesEnd: boolean;
}

/** Determines what a base chain does to packets. */
export function judgeChain(base: string, chains: RuleChains, packets: Packets): Judgement {
  const { accepts, rejects, reachesEnd } = walk(base, { chains, packets, known: new Map() });
  const isPolicy = reachesEnd && chains.get(base)?.drops === true;
  const rejection = isPolicy && rejects?.isSure !== true ? { chain: base, isSure: true } : rejects;
  if (rejection === undefined) return { kind: "passes" };
  const passesSome = accepts || (reachesEnd && !isPolicy);
  const kind = !rejection.isSure ? "rejects-some" : passesSome ? "rejects-rest" : "rejects";
  return { kind, chain: rejection.chain };
}

interface ChainWalk {
  readonly chains: RuleChains;
  readonly packets: Packets;
  /** The outcomes of chains that were evaluated already. */
  readonly known: Map<string, ChainOutcome>;
}

/**
 * Evaluates a chain. A chain that is not listed, or that is being evaluated (a loop, which the kernel forbids), may
 * do anything.
 */
function walk(name: string, context: ChainWalk): ChainOutcome {
  const known = context.known.get(name);
  if (known !== undefined) return known;
  const anything: ChainOutcome = { accepts: true, rejects: { chain: name, isSure: false }, reachesEnd: true };
  context.known.set(name, anything);
  const chain = context.chains.get(name);
  const outcome = chain === undefined ? anything : walkRules(name, chain, context);
  context.known.set(name, outcome);
  return outcome;
}

function walkRules(name: string, { rules }: RuleChain, context: ChainWalk): ChainOutcome {
  let accepts = false;
  let rejects: ChainOutcome["rejects"];
  let returns = false;
  for (const { conditions, action } of rules) {
    const match = matchOf(conditions, context.packets);
    if (match === "no" || action.kind === "none") continue;
    const outcome = endsOf(action, name, context);
    const rejection = outcome.rejects && { ...outcome.rejects, isSure: outcome.rejects.isSure && match === "yes" };
    accepts ||= outcome.accepts;
    if (rejects?.isSure !== true && rejection !== undefined) {
      rejects = rejection.isSure ? rejection : rejects ?? rejection;
    }
    const continues = outcome.reachesEnd && action.kind === "jump";
    returns ||= outcome.reachesEnd && !continues;
    if (match === "yes" && !continues) return { accepts, rejects, reachesEnd: returns };
  }
  return { accepts, rejects, reachesEnd: true };
}

function endsOf(action: ChainAction, chain: string, context: ChainWalk): ChainOutcome {
  switch (action.kind) {
    case "none":
      return { accepts: false, rejects: undefined, reachesEnd: true };
    case "accept":
      return { accepts: true, rejects: undefined, reachesEnd: false };
    case "reject":
      return { accepts: false, rejects: { chain, isSure: true }, reachesEnd: false };
    case "return":
      return { accepts: false, rejects: undefined, reachesEnd: true };
    case "jump":
    case "goto":
      return walk(action.chain, context);
    case "unknown":
      return { accepts: true, rejects: { chain, isSure: false }, reachesEnd: false };
    default:
      return action satisfies never;
  }
}

/** Whether packets match a test: all of them, none, or unknown. */
type TestResult = "yes" | "no" | "maybe";

function matchOf(conditions: readonly RuleCondition[], packets: Packets): TestResult {
  const matches = conditions.map((condition) => conditionMatch(condition, packets));
  if (matches.includes("no")) return "no";
  return matches.includes("maybe") ? "maybe" : "yes";
}

const OPPOSITE = { yes: "no", no: "yes", maybe: "maybe" } as const satisfies Record<TestResult, TestResult>;

function conditionMatch(condition: RuleCondition, packets: Packets): TestResult {
  const match = testMatch(condition, packets);
  return condition.isNegated ? OPPOSITE[match] : match;
}

function testMatch(test: RuleTest, packets: Packets): TestResult {
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

function deviceMatch(device: string | undefined, names: readonly string[]): TestResult {
  if (device === undefined) return "maybe";
  const isNamed = names.some((name) => name.endsWith("*") ? device.startsWith(name.slice(0, -1)) : name === device);
  return isNamed ? "yes" : "no";
}

function networkMatch({ family, to }: Packets, networks: readonly IpInterval[]): TestResult {
  const own = mergeIntervals(networks.filter((network) => network.family === family));
  if (own.length === 0) return "no";
  if (to === undefined) return "maybe";
  if (own.some(({ first, last }) => first <= to.first && to.last <= last)) return "yes";
  return own.some((network) => overlaps(network, to)) ? "maybe" : "no";
}

function portMatch({ first, last }: PortRange, ranges: readonly PortRange[]): TestResult {
  if (ranges.some((range) => range.first <= first && last <= range.last)) return "yes";
  return ranges.some((range) => range.first <= last && first <= range.last) ? "maybe" : "no";
}

/** Compares the known bits, as unsigned numbers. */
function markMatch(
  known: Packets["mark"],
  { mask, value }: { readonly mask: number; readonly value: number },
): TestResult {
  const shared = mask & known.mask;
  if ((value & shared) !== (known.value & shared)) return "no";
  return (mask & ~known.mask) === 0 ? "yes" : "maybe";
}
