/**
 * Generates the rules of our table from demands.
 * @module
 */
import { type IpFamily, parseIpAddress } from "../../net/ip_address.ts";
import { type IpInterval, mergeIntervals, networkTexts, overlaps, parseInterval } from "../../net/ip_interval.ts";
import type {
  ForwardDemand,
  GuestAddress,
  NftDemand,
  OpenDemand,
  PortProtocol,
  PortRange,
} from "../../plan/nft_demand.ts";
import type { HeldDemand } from "../resource.ts";
import { type Table, tableOf } from "./table.ts";

/** nft's names of the address families. */
const WORD = { ipv4: "ip", ipv6: "ip6" } as const satisfies Record<IpFamily, string>;

/** nft accepts 128 bytes, including a terminating zero. */
const COMMENT_BYTES_MAX = 127;

/** A rule and its chain. */
interface TableRule {
  readonly chain: "to_guest" | "forward" | "postrouting";
  readonly text: string;
}

/** Generates the table for demands; `null` while none of them needs a rule. */
export function wantedTable(held: readonly HeldDemand<NftDemand>[]): Table | null {
  const rules = held.flatMap(rulesOf);
  if (rules.length === 0) return null;
  const of = (chain: TableRule["chain"]): readonly string[] =>
    rules.filter((rule) => rule.chain === chain).map(({ text }) => text);
  const counters = held.flatMap(({ demand }) =>
    demand.kind === "forward" && demand.guest !== null ? Object.values(counterNames(demand, demand.guest)) : []
  );
  return tableOf(counters, { to_guest: of("to_guest"), forward: of("forward"), postrouting: of("postrouting") });
}

function rulesOf({ holder, demand }: HeldDemand<NftDemand>): readonly TableRule[] {
  if (demand.kind === "open") return openRules(demand, holder);
  return demand.guest === null ? [] : forwardRules(demand, demand.guest, holder);
}

function forwardRules(demand: ForwardDemand, guest: GuestAddress, who: string): readonly TableRule[] {
  const family = familyOf(guest.address);
  // An empty match for this family means "none", not "any".
  if (![demand.from, demand.hostAddresses].every((texts) => includesFamily(texts, family))) return [];
  const word = WORD[family];
  const ports = portText(demand.hostPorts);
  const counters = counterNames(demand, guest);
  const match = [
    `meta nfproto ${family}`,
    ...addressMatch(`${word} saddr`, demand.from, family),
    ...addressMatch(`${word} daddr`, demand.hostAddresses, family),
    ...sparedMatch(demand, family),
  ].join(" ");
  const perProtocol = protocolsOf(demand.protocol).flatMap((protocol): TableRule[] => [{
    chain: "to_guest",
    text: `${match} ${protocol} dport ${ports} counter name ${counters.began} dnat ${word} to ${
      targetText(demand, guest, protocol)
    } ${commentText(who)}`,
  }, {
    chain: "forward",
    text:
      `ct status dnat ct reply ${word} saddr ${guest.address} meta l4proto ${protocol} ct original proto-dst ${ports}` +
      ` counter name ${counters.passed} ${markText(demand.mark)}`,
  }]);
  return [...perProtocol, ...masqueradeRules(guest, word)];
}

/**
 * Excludes the servers on libvirt's networks from a forward. A network may also announce its DNS server by a
 * link-local address.
 */
function sparedMatch({ sparedAddresses }: ForwardDemand, family: IpFamily): readonly string[] {
  const texts = ofFamily(sparedAddresses, family).flatMap(networkTexts);
  if (texts.length === 0) return [];
  return [`${WORD[family]} daddr != ${setText(family === "ipv6" ? [...texts, LINK_LOCAL] : texts)}`];
}

const LINK_LOCAL = "fe80::/10";

/**
 * Generates masquerading. Without it, a guest on the same network would reply directly, from an address that the
 * client did not contact.
 */
function masqueradeRules({ address, network, isolated }: GuestAddress, word: string): readonly TableRule[] {
  // A routed address is outside the guest's network.
  const destination = network !== null && isInside(address, network) ? network : address;
  const hairpin = `ct status dnat ${word} saddr ${network} ${word} daddr ${destination} masquerade comment "hairpin"`;
  const inbound = `ct status dnat ${word} daddr ${address} masquerade comment "isolated"`;
  return [
    ...(network === null ? [] : [{ chain: "postrouting", text: hairpin }] as const),
    ...(isolated ? [{ chain: "postrouting", text: inbound }] as const : []),
  ];
}

function openRules(demand: OpenDemand, who: string): readonly TableRule[] {
  const { from, protocol, ports, mark } = demand;
  const networks = openTo(demand);
  return mergeIntervals(networks.flatMap(intervalOf)).flatMap((network) =>
    networkTexts(network).flatMap((text): readonly TableRule[] => {
      const word = WORD[network.family];
      if (!includesFamily(from, network.family)) return [];
      const match = [...addressMatch(`${word} saddr`, from, network.family), `${word} daddr ${text}`].join(" ");
      // A chain with the policy drop also drops replies unless it accepts established connections.
      const answers = [
        "ct direction reply",
        ...addressMatch(`ct original ${word} saddr`, from, network.family),
        `ct original ${word} daddr ${text}`,
      ].join(" ");
      const end = `${markText(mark)} ${commentText(who)}`;
      if (ports.length === 0) return [match, answers].map((one) => ({ chain: "forward", text: `${one} ${end}` }));
      const set = setText(mergePorts(ports).map(portText));
      return protocolsOf(protocol).flatMap((one) => [
        { chain: "forward", text: `${match} ${one} dport ${set} ${end}` },
        { chain: "forward", text: `${answers} ${one} sport ${set} ${end}` },
      ]);
    })
  );
}

/** Returns the open addresses: those of networks, or a guest's once it is known. */
export function openTo({ networks, at }: OpenDemand): readonly string[] {
  if (at === null) return networks;
  return at.guest === null ? [] : [at.guest.address];
}

function protocolsOf(protocol: PortProtocol): readonly ("tcp" | "udp")[] {
  return protocol === "both" ? ["tcp", "udp"] : [protocol];
}

/** Formats the DNAT target. Unchanged ports are omitted; a range with other guest ports needs a map. */
function targetText({ hostPorts, guestPort }: ForwardDemand, { address }: GuestAddress, protocol: string): string {
  const { first, last } = hostPorts;
  if (first === guestPort) return address;
  if (first === last) return `${address.includes(":") ? `[${address}]` : address}:${guestPort}`;
  const pairs = Array.from({ length: last - first + 1 }, (_, index) => `${first + index} : ${guestPort + index}`);
  return `${address} : ${protocol} dport map { ${pairs.join(", ")} }`;
}

/** Formats a match of addresses; empty if it includes all addresses. */
function addressMatch(field: string, texts: readonly string[], family: IpFamily): readonly string[] {
  const networks = ofFamily(texts, family).flatMap(networkTexts);
  const isAll = networks.length === 1 && networks[0]?.endsWith("/0");
  return networks.length === 0 || isAll ? [] : [`${field} ${setText(networks)}`];
}

/** Whether a list contains an address of the family; an empty list means all addresses. */
export function includesFamily(texts: readonly string[], family: IpFamily): boolean {
  return texts.length === 0 || ofFamily(texts, family).length > 0;
}

function ofFamily(texts: readonly string[], family: IpFamily): readonly IpInterval[] {
  return mergeIntervals(texts.flatMap(intervalOf).filter((interval) => interval.family === family));
}

function intervalOf(text: string): readonly IpInterval[] {
  const interval = parseInterval(text);
  return interval === undefined ? [] : [interval];
}

function isInside(address: string, network: string): boolean {
  return intervalOf(address).every((one) =>
    network.split(", ").flatMap(intervalOf).some((other) => overlaps(one, other))
  );
}

/** Returns the family of an address; IPv4 for an invalid one. */
export function familyOf(address: string): IpFamily {
  return parseIpAddress(address)?.family ?? "ipv4";
}

/** Merges overlapping and adjacent ranges of ports. */
export function mergePorts(ports: readonly PortRange[]): readonly PortRange[] {
  const merged: PortRange[] = [];
  for (const range of ports.toSorted((a, b) => a.first - b.first)) {
    const last = merged.at(-1);
    if (last === undefined || last.last + 1 < range.first) merged.push(range);
    else merged[merged.length - 1] = { first: last.first, last: Math.max(last.last, range.last) };
  }
  return merged;
}

/** Formats ports: `80` or `80-90`. */
export function portText({ first, last }: PortRange): string {
  return first === last ? String(first) : `${first}-${last}`;
}

/** Formats one element as it is and several as a set. */
export function setText(texts: readonly string[]): string {
  const [first = "", ...rest] = texts;
  return rest.length === 0 ? first : `{ ${texts.join(", ")} }`;
}

/** Formats the statement that sets a mark bit. */
export function markText(mark: number): string {
  return `meta mark set meta mark | ${markNumber(mark)}`;
}

/** Formats a mark: `0x10000000`. */
export function markNumber(mark: number): string {
  return `0x${mark.toString(16).padStart(8, "0")}`;
}

/**
 * Formats a comment. It is the only part of the script that contains text chosen by users, so characters that could
 * end it are removed.
 */
export function commentText(text: string): string {
  const clean = text.replace(/["\\\p{C}\p{Zl}\p{Zp}]/gu, "");
  const { read } = new TextEncoder().encodeInto(clean, new Uint8Array(COMMENT_BYTES_MAX));
  return `comment "${clean.slice(0, read)}"`;
}

/**
 * Returns the names of a forward's counters: of new connections, and of all packets. They are derived from what it
 * forwards, since only named counters keep their values when rules are replaced.
 */
function counterNames(
  { protocol, hostPorts, hostAddresses, from }: ForwardDemand,
  { address }: GuestAddress,
): { readonly began: string; readonly passed: string } {
  const family = familyOf(address);
  const narrowed = [...hostAddresses, ...from].length === 0 ? "" : `_${shortHash([...hostAddresses, "from", ...from])}`;
  const what = `${protocol}_${portText(hostPorts).replace("-", "_")}${family === "ipv6" ? "_ipv6" : ""}${narrowed}`;
  return { began: `new_${what}`, passed: `f_${what}` };
}

/** Returns a 32-bit FNV-1a hash. It distinguishes forwards that differ only in their clients or host addresses. */
function shortHash(texts: readonly string[]): string {
  const bytes = new TextEncoder().encode(texts.join(" "));
  const hash = bytes.reduce((value, byte) => Math.imul(value ^ byte, 0x01000193) >>> 0, 0x811c9dc5);
  return hash.toString(16).padStart(8, "0");
}
