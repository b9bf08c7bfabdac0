/**
 * Converts the output of `nft -j list table` to our table in normal form. Versions of nft print the same rule in
 * different ways. A statement that virt-hooks never writes is kept as JSON, so it differs from every rule of ours.
 * @module
 */
import { commentText, markNumber, mergePorts, portText, setText } from "./rules.ts";
import { parseIpAddress } from "../../net/ip_address.ts";
import { type IpInterval, mergeIntervals, networkTexts, parseInterval } from "../../net/ip_interval.ts";
import type { PortRange } from "../../plan/nft_demand.ts";
import { type Chain, normalTable, type Table } from "./table.ts";

/** An object in nft's JSON. */
export type Json = Readonly<Record<string, unknown>>;

/** Whether a value is a JSON object. */
export function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Returns the objects in nft's output; `undefined` for a text that is no listing. */
export function parseListing(text: string): readonly Json[] | undefined {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    // The caller's message names what was listed.
    return undefined;
  }
  const objects: unknown = isObject(json) ? json["nftables"] : undefined;
  return Array.isArray(objects) ? objects.filter(isObject) : undefined;
}

/** Returns our table from a listing. */
export function tableOfListing(objects: readonly Json[]): Table {
  const chains = new Map<string, Chain & { readonly rules: string[] }>();
  const counters: string[] = [];
  const foreign: string[] = [];
  for (const [kind, object] of objects.flatMap((one) => Object.entries(one))) {
    if (!isObject(object)) continue;
    const name = String(object["name"]);
    if (kind === "chain") chains.set(name, { name, hook: hookText(object), rules: [] });
    else if (kind === "counter") counters.push(name);
    else if (kind === "rule") chains.get(String(object["chain"]))?.rules.push(ruleText(object));
    else if (kind !== "metainfo" && kind !== "table") foreign.push(`${kind} ${name}`);
  }
  return normalTable({ counters, chains: [...chains.values()], foreign });
}

function hookText({ type, hook, prio, policy, dev }: Json): string {
  if (hook === undefined) return "";
  const device = dev === undefined ? "" : ` device ${JSON.stringify(dev)}`;
  return `type ${type} hook ${hook}${device} priority ${prio} ; policy ${policy} ;`;
}

/** Returns the text that creates a rule. */
export function ruleText({ expr, comment }: Json): string {
  const terms = (Array.isArray(expr) ? expr : []).map(termText);
  const commentTerms = typeof comment === "string" ? [commentText(comment)] : [];
  return [...withFamily(terms), ...commentTerms].join(" ");
}

/** Adds the family, which nft omits where another term of the rule implies it. */
function withFamily(terms: readonly string[]): readonly string[] {
  const family = terms.map((term) => /^dnat (ip6?) to /.exec(term)?.[1]).find((word) => word !== undefined);
  if (family === undefined) return terms;
  const named = `meta nfproto ${family === "ip" ? "ipv4" : "ipv6"}`;
  return [named, ...terms.filter((term) => term !== named)];
}

/** The text of each statement that virt-hooks writes; `undefined` for forms it never writes. */
const STATEMENTS: Readonly<Record<string, (value: unknown) => string | undefined>> = {
  match: matchText,
  counter: (value) => typeof value === "string" ? `counter name ${value}` : "counter",
  dnat: dnatText,
  jump: (value) => isObject(value) ? `jump ${value["target"]}` : undefined,
  return: () => "return",
  masquerade: (value) => value === null ? "masquerade" : undefined,
  mangle: markSetText,
};

function termText(term: unknown): string {
  const [[kind, value] = ["", undefined], ...rest] = isObject(term) ? Object.entries(term) : [];
  const text = rest.length === 0 && Object.hasOwn(STATEMENTS, kind) ? STATEMENTS[kind]?.(value) : undefined;
  return text ?? foreignText(term);
}

/** Returns a foreign term as JSON. No rule of ours contains a brace followed by a quote. */
function foreignText(term: unknown): string {
  return JSON.stringify(term);
}

function matchText(match: unknown): string | undefined {
  if (!isObject(match) || !["==", "in", "!="].includes(String(match["op"]))) return undefined;
  const left = fieldText(match["left"]);
  const right = left === "meta l4proto" ? protocolText(match["right"]) : valuesText(match["right"]);
  if (left === undefined || right === undefined) return undefined;
  return `${left} ${match["op"] === "!=" ? "!= " : ""}${right}`;
}

/** nft prints numbers on hosts without `/etc/protocols`. */
const PROTOCOLS = new Map<unknown, string>([[6, "tcp"], [17, "udp"]]);

function protocolText(right: unknown): string | undefined {
  return PROTOCOLS.get(right) ?? valuesText(right);
}

function fieldText(field: unknown): string | undefined {
  if (!isObject(field)) return undefined;
  const { meta, payload, ct, fib } = field;
  if (isObject(meta)) return `meta ${meta["key"]}`;
  if (isObject(payload)) return `${payload["protocol"]} ${payload["field"]}`;
  if (isObject(ct)) return ct["dir"] === undefined ? `ct ${ct["key"]}` : `ct ${ct["dir"]} ${ct["key"]}`;
  if (isObject(fib)) return `fib ${[fib["flags"]].flat().join(" . ")} ${fib["result"]}`;
  return undefined;
}

/** Formats one value or a set: addresses, numbers or words. */
function valuesText(right: unknown): string | undefined {
  const values: unknown[] = isObject(right) && Array.isArray(right["set"]) ? right["set"] : [right];
  const intervals = values.map(intervalOf);
  if (intervals.every((one) => one !== undefined)) return setText(mergeIntervals(intervals).flatMap(networkTexts));
  const ports = portsOf(right);
  if (ports !== undefined) return setText(mergePorts(ports).map(portText));
  return values.every((value) => typeof value === "string") ? setText(values) : undefined;
}

/** Parses an address, a network or a range in nft's JSON. */
export function intervalOf(value: unknown): IpInterval | undefined {
  if (typeof value === "string") return parseInterval(value);
  if (!isObject(value)) return undefined;
  const { prefix, range } = value;
  if (isObject(prefix)) return parseInterval(`${prefix["addr"]}/${prefix["len"]}`);
  const [first, last] = Array.isArray(range) ? range.map((end) => parseIpAddress(String(end))) : [];
  if (first === undefined || last === undefined) return undefined;
  return { family: first.family, first: first.bits, last: last.bits };
}

/** Parses a port, a range, or a set of them; `undefined` for anything else. */
export function portsOf(right: unknown): readonly PortRange[] | undefined {
  const values: unknown[] = isObject(right) && Array.isArray(right["set"]) ? right["set"] : [right];
  const ports = values.map(rangeOf);
  return ports.every((one) => one !== undefined) ? ports : undefined;
}

/** Parses a port or a range in nft's JSON. */
export function rangeOf(value: unknown): PortRange | undefined {
  if (typeof value === "number") return { first: value, last: value };
  const range: unknown = isObject(value) ? value["range"] : undefined;
  const [first, last]: readonly unknown[] = Array.isArray(range) ? range : [];
  return typeof first === "number" && typeof last === "number" ? { first, last } : undefined;
}

function dnatText(dnat: unknown): string | undefined {
  if (!isObject(dnat)) return undefined;
  const { family, addr, port, ...more } = dnat;
  const address = parseIpAddress(String(addr));
  if (address === undefined || Object.keys(more).length > 0) return undefined;
  const to = `dnat ${family} to`;
  if (port === undefined) return `${to} ${addr}`;
  if (typeof port === "number") return `${to} ${address.family === "ipv6" ? `[${addr}]` : addr}:${port}`;
  const map = mapText(port);
  return map === undefined ? undefined : `${to} ${addr} : ${map}`;
}

function mapText(port: unknown): string | undefined {
  const map: unknown = isObject(port) ? port["map"] : undefined;
  if (!isObject(map) || !isObject(map["data"]) || !Array.isArray(map["data"]["set"])) return undefined;
  const pairs = map["data"]["set"].filter((pair) => Array.isArray(pair)).toSorted((a, b) => a[0] - b[0]);
  return `${fieldText(map["key"])} map { ${pairs.map(([key, value]) => `${key} : ${value}`).join(", ")} }`;
}

function markSetText(mangle: unknown): string | undefined {
  if (!isObject(mangle) || fieldText(mangle["key"]) !== "meta mark" || !isObject(mangle["value"])) return undefined;
  const either: unknown = mangle["value"]["|"];
  const [left, bit]: readonly unknown[] = Array.isArray(either) ? either : [];
  if (fieldText(left) !== "meta mark" || typeof bit !== "number") return undefined;
  return `meta mark set meta mark | ${markNumber(bit)}`;
}
