/**
 * Demands → the rules of our table.
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

/** How nft calls the families. */
const WORD = { ipv4: "ip", ipv6: "ip6" } as const satisfies Record<IpFamily, string>;

/** nft takes 128 bytes, of which the last is a zero. */
const COMMENT_BYTES_MAX = 127;

/** One rule, and the chain it is for. */
interface Rule {
  readonly chain: "to_guest" | "forward" | "postrouting";
  readonly text: string;
}

/** The table that demands come to; `null` where none of them needs one yet. */
export function wantedTable(held: readonly HeldDemand<NftDemand>[]): Table | null {
  const rules = held.flatMap(rulesOf);
  if (rules.length === 0) return null;
  const of = (chain: Rule["chain"]): readonly string[] =>
    rules.filter((rule) => rule.chain === chain).map(({ text }) => text);
  const counters = held.flatMap(({ demand }) =>
    demand.kind === "forward" && demand.guest !== null ? Object.values(counterNames(demand, demand.guest)) : []
  );
  return tableOf(counters, { to_guest: of("to_guest"), forward: of("forward"), postrouting: of("postrouting") });
}

function rulesOf({ who, demand }: HeldDemand<NftDemand>): readonly Rule[] {
  if (demand.kind === "open") return openRules(demand, who);
  return demand.guest === null ? [] : forwardRules(demand, demand.guest, who);
}

function forwardRules(demand: ForwardDemand, guest: GuestAddress, who: string): readonly Rule[] {
  const family = familyOf(guest.address);
  // Nobody of the family is meant, which is not everybody.
  if (![demand.from, demand.hostAddresses].every((texts) => means(texts, family))) return [];
  const word = WORD[family];
  const ports = portText(demand.hostPorts);
  const counters = counterNames(demand, guest);
  const match = [
    `meta nfproto ${family}`,
    ...addressMatch(`${word} saddr`, demand.from, family),
    ...addressMatch(`${word} daddr`, demand.hostAddresses, family),
    ...sparedMatch(demand, family),
  ].join(" ");
  const perProtocol = protocolsOf(demand.protocol).flatMap((protocol): Rule[] => [{
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

/** The networks' own servers stay reachable; a network may announce its name server by a link-local address, too. */
function sparedMatch({ sparedAddresses }: ForwardDemand, family: IpFamily): readonly string[] {
  const texts = ofFamily(sparedAddresses, family).flatMap(networkTexts);
  if (texts.length === 0) return [];
  return [`${WORD[family]} daddr != ${setText(family === "ipv6" ? [...texts, LINK_LOCAL] : texts)}`];
}

const LINK_LOCAL = "fe80::/10";

/** A guest that answers another one directly would answer as somebody whom that one never asked. */
function masqueradeRules({ address, network, isolated }: GuestAddress, word: string): readonly Rule[] {
  // An address that is routed to a guest is outside its network.
  const near = network !== null && isInside(address, network) ? network : address;
  const hairpin = `ct status dnat ${word} saddr ${network} ${word} daddr ${near} masquerade comment "hairpin"`;
  const inward = `ct status dnat ${word} daddr ${address} masquerade comment "isolated"`;
  return [
    ...(network === null ? [] : [{ chain: "postrouting", text: hairpin }] as const),
    ...(isolated ? [{ chain: "postrouting", text: inward }] as const : []),
  ];
}

function openRules(demand: OpenDemand, who: string): readonly Rule[] {
  const { from, protocol, ports, mark } = demand;
  const networks = openTo(demand);
  return mergeIntervals(networks.flatMap(intervalOf)).flatMap((network) =>
    networkTexts(network).flatMap((text): readonly Rule[] => {
      const word = WORD[network.family];
      if (!means(from, network.family)) return [];
      const match = [...addressMatch(`${word} saddr`, from, network.family), `${word} daddr ${text}`].join(" ");
      // A chain that drops by default drops the answers too, unless it accepts all that is established.
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

/** What is open: a network's addresses, or a guest's once it is known. */
export function openTo({ networks, at }: OpenDemand): readonly string[] {
  if (at === null) return networks;
  return at.guest === null ? [] : [at.guest.address];
}

function protocolsOf(protocol: PortProtocol): readonly ("tcp" | "udp")[] {
  return protocol === "both" ? ["tcp", "udp"] : [protocol];
}

/** The guest's end. Ports that stay the same are not named; a range that moves needs each of them. */
function targetText({ hostPorts, guestPort }: ForwardDemand, { address }: GuestAddress, protocol: string): string {
  const { first, last } = hostPorts;
  if (first === guestPort) return address;
  if (first === last) return `${address.includes(":") ? `[${address}]` : address}:${guestPort}`;
  const pairs = Array.from({ length: last - first + 1 }, (_, index) => `${first + index} : ${guestPort + index}`);
  return `${address} : ${protocol} dport map { ${pairs.join(", ")} }`;
}

/** A match of addresses; none where all are meant. */
function addressMatch(field: string, texts: readonly string[], family: IpFamily): readonly string[] {
  const networks = ofFamily(texts, family).flatMap(networkTexts);
  const isAll = networks.length === 1 && networks[0]?.endsWith("/0");
  return networks.length === 0 || isAll ? [] : [`${field} ${setText(networks)}`];
}

/** Whether any of the family is meant; an empty list means all. */
export function means(texts: readonly string[], family: IpFamily): boolean {
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

/** The family of an address; what is none is nobody's. */
export function familyOf(address: string): IpFamily {
  return parseIpAddress(address)?.family ?? "ipv4";
}

/** Ports that touch, as one range. */
export function mergePorts(ports: readonly PortRange[]): readonly PortRange[] {
  const merged: PortRange[] = [];
  for (const range of ports.toSorted((a, b) => a.first - b.first)) {
    const last = merged.at(-1);
    if (last === undefined || last.last + 1 < range.first) merged.push(range);
    else merged[merged.length - 1] = { first: last.first, last: Math.max(last.last, range.last) };
  }
  return merged;
}

/** `80` or `80-90` */
export function portText({ first, last }: PortRange): string {
  return first === last ? String(first) : `${first}-${last}`;
}

/** One thing as it is, several as a set. */
export function setText(texts: readonly string[]): string {
  const [first = "", ...rest] = texts;
  return rest.length === 0 ? first : `{ ${texts.join(", ")} }`;
}

/** Sets a bit of the packet's mark. */
export function markText(mark: number): string {
  return `meta mark set meta mark | ${markNumber(mark)}`;
}

/** `0x10000000` */
export function markNumber(mark: number): string {
  return `0x${mark.toString(16).padStart(8, "0")}`;
}

/** Names are ours alone; this is the only place where a text of somebody's choice stands, and nothing in it can end it. */
export function commentText(text: string): string {
  const clean = text.replace(/["\\\p{C}\p{Zl}\p{Zp}]/gu, "");
  const { read } = new TextEncoder().encodeInto(clean, new Uint8Array(COMMENT_BYTES_MAX));
  return `comment "${clean.slice(0, read)}"`;
}

/**
 * A forward's counters, of connections that begin and of all that passes. By what it forwards, as only what has a name goes on
 * counting where it was when rules are made anew.
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

/** FNV-1a, 32 bits: names of forwards that differ only in whom they serve. */
function shortHash(texts: readonly string[]): string {
  const bytes = new TextEncoder().encode(texts.join(" "));
  const hash = bytes.reduce((value, byte) => Math.imul(value ^ byte, 0x01000193) >>> 0, 0x811c9dc5);
  return hash.toString(16).padStart(8, "0");
}
