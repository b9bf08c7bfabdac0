/**
 * Rules of others that send ports of the host elsewhere: Docker's, firewalld's, an administrator's. A forward of the same port takes
 * their place, since our table is asked first.
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

/** A rule that sends ports elsewhere. */
export interface OtherForward {
  /** `chain DOCKER of table ip nat` */
  readonly where: string;
  readonly protocol: "tcp" | "udp" | "both";
  readonly ports: readonly PortRange[];
  /** The only address of the host that is meant, where the rule names one. */
  readonly address: string | undefined;
}

/** What a rule does with a packet that it sends elsewhere, as nft tells it; for the older rules of iptables it tells the name alone. */
const STATEMENTS: readonly string[] = ["dnat", "redirect"];
const TARGETS: readonly unknown[] = ["DNAT", "REDIRECT"];

const PROTOCOLS = new Map<unknown, OtherForward["protocol"]>([["tcp", "tcp"], ["udp", "udp"], ["th", "both"]]);

/**
 * Reads the rules that are asked after ours. Ports that nft does not tell, such as those of `iptables -m multiport`, or that stand in
 * a map, are not found.
 * @throws {FilterError} when the packet filter cannot be read
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
  const leadsAway = terms.some((term) =>
    STATEMENTS.some((name) => name in term) || (isObject(term["xt"]) && TARGETS.includes(term["xt"]["name"]))
  );
  if (!leadsAway) return [];
  const matches = terms.map(({ match }) => match).filter(isObject).filter(({ op }) => op === "==" || op === "in");
  const payload = (one: Json): Json =>
    isObject(one["left"]) && isObject(one["left"]["payload"]) ? one["left"]["payload"] : {};
  const port = matches.find((one) => payload(one)["field"] === "dport");
  const protocol = port === undefined ? undefined : PROTOCOLS.get(payload(port)["protocol"]);
  const ports = port === undefined ? undefined : portsOf(port["right"]);
  if (protocol === undefined || ports === undefined) return [];
  const to = matches.find((one) => payload(one)["field"] === "daddr")?.["right"];
  return [{
    where: `chain ${chain} of table ${table}`,
    protocol,
    ports,
    address: typeof to === "string" ? to : undefined,
  }];
}

/** Which of these a forward takes the place of, in a sentence; `undefined` for none. */
export function takenOverText(end: HostEnd, others: readonly OtherForward[]): string | undefined {
  const places = new Set(others.filter((other) => takes(end, other)).map(placeText));
  if (places.size === 0) return undefined;
  return `others forward ${[...places].join(" and ")}, too: packets get the guest instead, as our table is asked first`;
}

function takes({ hostPorts, protocol, hostAddresses }: HostEnd, other: OtherForward): boolean {
  if (protocol !== "both" && other.protocol !== "both" && protocol !== other.protocol) return false;
  if (!other.ports.some(({ first, last }) => first <= hostPorts.last && hostPorts.first <= last)) return false;
  const meant = other.address === undefined ? undefined : parseInterval(other.address);
  if (meant === undefined || hostAddresses.length === 0) return true;
  return hostAddresses.map(parseIpAddress).some((address) => address !== undefined && isWithin(address, meant));
}

function placeText({ where, protocol, ports }: OtherForward): string {
  const kind = protocol === "both" ? "tcp+udp" : protocol;
  return `${ports.map(portText).join(", ")}/${kind} (${where})`;
}
