/**
 * Forwards of other programs: Docker, firewalld, an administrator. A forward of the same port overrides theirs, since
 * our table comes first.
 * @module
 */
import { isWithin, parseInterval } from "../../net/ip_interval.ts";
import { parseIpAddress } from "../../net/ip_address.ts";
import type { HostEnd, PortRange } from "../../plan/nft_demand.ts";
import type { Sys } from "../../sys/sys.ts";
import { list } from "./list.ts";
import { isObject, type Json, portsOf } from "./listing.ts";
import { portText } from "./rules.ts";
import { HOOKS, TABLE } from "./table.ts";

/** A rule of another program that forwards ports. */
export interface OtherForward {
  /** `chain DOCKER of table ip nat` */
  readonly chain: string;
  readonly protocol: "tcp" | "udp" | "both";
  readonly ports: readonly PortRange[];
  /** The host address that the rule matches, if it names one. */
  readonly address: string | undefined;
}

/** Statements that forward a packet. For older iptables rules nft prints only the target's name. */
const STATEMENTS: readonly string[] = ["dnat", "redirect"];
const TARGETS: readonly unknown[] = ["DNAT", "REDIRECT"];

const PROTOCOLS = new Map<unknown, OtherForward["protocol"]>([["tcp", "tcp"], ["udp", "udp"], ["th", "both"]]);

/**
 * Reads the forwards in chains after ours. Ports that nft does not print, such as those of `iptables -m multiport`,
 * and ports in maps are not found.
 * @throws {FilterError} if the packet filter cannot be read
 */
export async function readOtherForwards(sys: Sys): Promise<readonly OtherForward[]> {
  const chains = (await list(["chains"], sys) ?? []).map(({ chain }) => chain).filter(isObject);
  const tables = chains.filter(({ type, hook, prio }) =>
    type === "nat" && hook === "prerouting" && Number(prio) >= Number(/priority (-\d+)/.exec(HOOKS.prerouting)?.[1])
  ).map(({ family, table }) => `${family} ${table}`);
  const found: OtherForward[] = [];
  for (const table of new Set(tables)) {
    if (table === TABLE) continue;
    const objects = await list(["table", ...table.split(" ")], sys) ?? [];
    found.push(...objects.map(({ rule }) => rule).filter(isObject).flatMap((rule) => forwardIn(rule, table)));
  }
  return found;
}

function forwardIn({ chain, expr }: Json, table: string): readonly OtherForward[] {
  const terms = (Array.isArray(expr) ? expr : []).filter(isObject);
  const isForward = terms.some((term) =>
    STATEMENTS.some((name) => name in term) || (isObject(term["xt"]) && TARGETS.includes(term["xt"]["name"]))
  );
  if (!isForward) return [];
  const matches = terms.map(({ match }) => match).filter(isObject).filter(({ op }) => op === "==" || op === "in");
  const payload = (one: Json): Json =>
    isObject(one["left"]) && isObject(one["left"]["payload"]) ? one["left"]["payload"] : {};
  const port = matches.find((one) => payload(one)["field"] === "dport");
  const protocol = port === undefined ? undefined : PROTOCOLS.get(payload(port)["protocol"]);
  const ports = port === undefined ? undefined : portsOf(port["right"]);
  if (protocol === undefined || ports === undefined) return [];
  const to = matches.find((one) => payload(one)["field"] === "daddr")?.["right"];
  return [{
    chain: `chain ${chain} of table ${table}`,
    protocol,
    ports,
    address: typeof to === "string" ? to : undefined,
  }];
}

/** Describes the forwards that a forward overrides; `undefined` if there are none. */
export function overriddenText(end: HostEnd, others: readonly OtherForward[]): string | undefined {
  const labels = new Set(others.filter((other) => overrides(end, other)).map(forwardLabel));
  if (labels.size === 0) return undefined;
  return `others forward ${[...labels].join(" and ")}, too: packets go to the guest instead, as our table comes first`;
}

function overrides({ hostPorts, protocol, hostAddresses }: HostEnd, other: OtherForward): boolean {
  if (protocol !== "both" && other.protocol !== "both" && protocol !== other.protocol) return false;
  if (!other.ports.some(({ first, last }) => first <= hostPorts.last && hostPorts.first <= last)) return false;
  const network = other.address === undefined ? undefined : parseInterval(other.address);
  if (network === undefined || hostAddresses.length === 0) return true;
  return hostAddresses.map(parseIpAddress).some((address) => address !== undefined && isWithin(address, network));
}

function forwardLabel({ chain, protocol, ports }: OtherForward): string {
  const kind = protocol === "both" ? "tcp+udp" : protocol;
  return `${ports.map(portText).join(", ")}/${kind} (${chain})`;
}
