/**
 * Parses the chains of any table in the output of `nft -j list`, as far as they decide whether a packet passes.
 * @module
 */
import type { IpFamily } from "../../net/ip_address.ts";
import { intervalOf, isObject, type Json, rangeOf } from "./listing.ts";
import type { ChainAction, ChainRule, RuleChain, RuleChains, RuleCondition, RuleTest } from "./verdict.ts";

/** Returns the chains of a table, such as `inet filter`, from a listing. */
export function nftChains(objects: readonly Json[], table: string): RuleChains {
  const chains = new Map<string, RuleChain & { readonly rules: ChainRule[] }>();
  for (const { chain, rule } of objects) {
    if (isObject(chain) && tableOf(chain) === table) {
      chains.set(String(chain["name"]), { rules: [], drops: chain["policy"] === "drop" });
    }
    if (isObject(rule) && tableOf(rule) === table) chains.get(String(rule["chain"]))?.rules.push(...rulesOf(rule));
  }
  return chains;
}

/** Returns the table of an object: `inet filter`. */
export function tableOf({ family, table }: Json): string {
  return `${family} ${table}`;
}

/** Parses a rule. A rule with a verdict map becomes one rule for each element. */
function rulesOf({ expr }: Json): readonly ChainRule[] {
  const terms = (Array.isArray(expr) ? expr : []).filter(isObject);
  const conditions = terms.flatMap(conditionsOf);
  const maps = terms.map((term) => term["vmap"]).filter(isObject);
  if (maps.length > 0) return maps.flatMap((map) => mapRules(map, conditions));
  const actions = terms.flatMap(actionOf);
  // Older versions of nft print matches and targets of iptables without a name.
  const isHidden = actions.length === 0 && terms.some((term) => Object.hasOwn(term, "xt") && !isObject(term["xt"]));
  return [{ conditions, action: isHidden ? { kind: "unknown" } : actions[0] ?? { kind: "none" } }];
}

function mapRules({ key, data }: Json, conditions: readonly RuleCondition[]): readonly ChainRule[] {
  const set: unknown = isObject(data) ? data["set"] : undefined;
  if (!Array.isArray(set)) return [{ conditions: [...conditions, UNKNOWN], action: { kind: "unknown" } }];
  return set.map((pair): ChainRule => {
    const [value, verdict]: readonly unknown[] = Array.isArray(pair) ? pair : [];
    const action = isObject(verdict) ? actionOf(verdict)[0] : undefined;
    const isDefault = value === "*";
    const own = isDefault ? [UNKNOWN] : conditionsOf({ match: { op: "==", left: key, right: value } });
    return { conditions: [...conditions, ...own], action: action ?? { kind: "none" } };
  });
}

function actionOf(term: Json): readonly ChainAction[] {
  if ("accept" in term) return [{ kind: "accept" }];
  if ("drop" in term || "reject" in term) return [{ kind: "reject" }];
  if ("return" in term) return [{ kind: "return" }];
  if ("queue" in term || "synproxy" in term) return [{ kind: "unknown" }];
  const { jump, goto, xt } = term;
  if (isObject(jump)) return [{ kind: "jump", chain: String(jump["target"]) }];
  if (isObject(goto)) return [{ kind: "goto", chain: String(goto["target"]) }];
  return isObject(xt) && xt["name"] === "REJECT" ? [{ kind: "reject" }] : [];
}

const UNKNOWN = { kind: "unknown", isNegated: false } as const satisfies RuleCondition;

/** Statements that record or modify a packet, and those that are parsed elsewhere. */
const CONTINUING_STATEMENTS: readonly string[] = [
  ...["accept", "drop", "reject", "return", "continue", "jump", "goto", "queue", "synproxy", "vmap", "match"],
  ...["counter", "log", "mangle", "notrack", "set", "map", "flow", "ct helper", "ct timeout", "secmark", "last"],
];

/** Parses the conditions of a term. An unknown term may match or not. */
function conditionsOf(term: Json): readonly RuleCondition[] {
  const { match, xt } = term;
  if (isObject(match)) return matchConditions(match);
  if (isObject(xt)) return xt["type"] === "match" && xt["name"] !== "comment" ? [UNKNOWN] : [];
  return Object.keys(term).every((key) => CONTINUING_STATEMENTS.includes(key)) ? [] : [UNKNOWN];
}

function matchConditions({ op, left, right }: Json): readonly RuleCondition[] {
  if (!isObject(left)) return [UNKNOWN];
  const isNegated = op === "!=";
  const [implied, test] = testsOf(left, right);
  const own: RuleTest = isNegated || op === "==" || op === "in" ? test : UNKNOWN;
  return [...implied.map((one): RuleCondition => ({ ...one, isNegated: false })), { ...own, isNegated }];
}

/** Returns the conditions that a field implies, and the test of its value. */
function testsOf(left: Json, right: unknown): readonly [readonly RuleTest[], RuleTest] {
  const { meta, ct, payload } = left;
  if (isObject(meta)) return [[], metaTest(String(meta["key"]), right)];
  if (isObject(ct)) return [[], ctTest(ct, right)];
  if (isObject(payload)) return payloadTests(payload, right);
  return [[], maskedMark(left, right) ?? UNKNOWN];
}

const FAMILIES: Readonly<Record<string, IpFamily>> = { ipv4: "ipv4", ipv6: "ipv6", ip: "ipv4", ip6: "ipv6" };

function metaTest(key: string, right: unknown): RuleTest {
  const words = wordsOf(right);
  switch (key) {
    case "iif":
    case "iifname":
      return words === undefined ? UNKNOWN : { kind: "in", devices: words };
    case "oif":
    case "oifname":
      return words === undefined ? UNKNOWN : { kind: "out", devices: words };
    case "nfproto":
    case "protocol":
      return words === undefined
        ? UNKNOWN
        : { kind: "family", families: words.flatMap((word) => FAMILIES[word] ?? []) };
    case "l4proto":
      return protocolTest(right);
    case "mark":
      return typeof right === "number" ? { kind: "mark", mask: 0xffffffff, value: right } : UNKNOWN;
    default:
      return UNKNOWN;
  }
}

/** nft prints numbers on hosts without `/etc/protocols`. */
const PROTOCOLS: Readonly<Record<string, string>> = { "1": "icmp", "6": "tcp", "17": "udp", "58": "ipv6-icmp" };

function protocolTest(right: unknown): RuleTest {
  const words = wordsOf(right);
  return words === undefined ? UNKNOWN : { kind: "protocol", protocols: words.map((word) => PROTOCOLS[word] ?? word) };
}

function ctTest(ct: Json, right: unknown): RuleTest {
  const words = wordsOf(right);
  if (words === undefined) return UNKNOWN;
  if (ct["key"] === "state") return { kind: "state", states: words };
  return ct["key"] === "status" && words.length === 1 && words[0] === "dnat" ? { kind: "translated" } : UNKNOWN;
}

/** `meta mark & MASK == VALUE` */
function maskedMark(left: Json, right: unknown): RuleTest | undefined {
  const and: unknown = left["&"];
  const [field, mask]: readonly unknown[] = Array.isArray(and) ? and : [];
  const isMark = isObject(field) && isObject(field["meta"]) && field["meta"]["key"] === "mark";
  if (!isMark || typeof mask !== "number" || typeof right !== "number") return undefined;
  return { kind: "mark", mask, value: right };
}

function payloadTests({ protocol, field }: Json, right: unknown): readonly [readonly RuleTest[], RuleTest] {
  const family = FAMILIES[String(protocol)];
  if (family !== undefined) {
    const implied: readonly RuleTest[] = [{ kind: "family", families: [family] }];
    if (field === "daddr") return [implied, networkTest(right)];
    return [implied, field === "protocol" || field === "nexthdr" ? protocolTest(right) : UNKNOWN];
  }
  const implied: readonly RuleTest[] = protocol === "th" ? [] : [{ kind: "protocol", protocols: [String(protocol)] }];
  return [implied, field === "dport" ? portTest(right) : UNKNOWN];
}

function networkTest(right: unknown): RuleTest {
  const networks = valuesOf(right).map(intervalOf);
  return networks.every((one) => one !== undefined) ? { kind: "to", networks } : UNKNOWN;
}

function portTest(right: unknown): RuleTest {
  const ports = valuesOf(right).map(rangeOf);
  return ports.every((one) => one !== undefined) ? { kind: "ports", ports } : UNKNOWN;
}

/** Returns the values of one value, a list of flags, or a set. */
function valuesOf(right: unknown): readonly unknown[] {
  const set: unknown = isObject(right) ? right["set"] : right;
  return Array.isArray(set) ? set : [right];
}

/** Returns the words of a value; `undefined` for a named set, whose elements are not listed. */
function wordsOf(right: unknown): readonly string[] | undefined {
  const words = valuesOf(right).map((value) =>
    typeof value === "number" ? String(value) : typeof value === "string" && !value.startsWith("@") ? value : undefined
  );
  return words.every((word) => word !== undefined) ? words : undefined;
}
