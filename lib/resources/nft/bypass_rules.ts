/**
 * What an accept in our own chain cannot do: end a packet's way. Another base chain may still reject it. A gate is one that
 * virt-hooks opens: its first rule accepts what bears our mark.
 * @module
 */
import type { IpFamily } from "../../net/ip_address.ts";
import { isObject, type Json } from "./listing.ts";
import type { BaseChain } from "./list.ts";
import { nftChains, tableOf } from "./nft_rules.ts";
import type { Table } from "./table.ts";
import { judge } from "./verdict.ts";

/** By what our rules in other people's chains are known. */
export const COMMENT = "virt-hooks";

/** The gates there may be, with how each is called, and in which chain of which table of nft it is. */
export const BYPASS_CHAINS = {
  iptables: { tool: "iptables", table: "ip filter", chain: "FORWARD", name: "FORWARD of iptables" },
  ip6tables: { tool: "ip6tables", table: "ip6 filter", chain: "FORWARD", name: "FORWARD of ip6tables" },
  "libvirt-ip": chainOfNft("ip libvirt_network", "forward"),
  "libvirt-ip6": chainOfNft("ip6 libvirt_network", "forward"),
  firewalld: chainOfNft("inet firewalld", "filter_FORWARD"),
} as const satisfies Record<string, BypassChainFacts>;

interface BypassChainFacts {
  /** Where the rules are written by another program than nft. */
  readonly tool: "iptables" | "ip6tables" | undefined;
  readonly table: string;
  readonly chain: string;
  /** For people. */
  readonly name: string;
}

function chainOfNft(table: string, chain: string): BypassChainFacts & { readonly tool: undefined } {
  return { tool: undefined, table, chain, name: chainName(table, chain) };
}

/** A chain of nft, for people. */
export function chainName(table: string, chain: string): string {
  return `the chain ${chain} of table ${table}`;
}

/** One of the gates. */
export type BypassChain = keyof typeof BYPASS_CHAINS;

/** A gate that is there. */
export interface BypassRule {
  readonly place: BypassChain;
  /** The marks that it lets through before all else. */
  readonly first: readonly number[];
  /** Our rules in it, wherever they stand, as deleting wants them. */
  readonly ours: readonly string[];
  /** Whether it accepts by itself what was sent to another destination, as firewalld does unless told otherwise. */
  readonly passesForwards: boolean;
}

/** The bits by which the rules of a table mark packets, in order. */
export function marksOf(table: Table | null): readonly number[] {
  return marksIn(table?.chains.flatMap((chain) => chain.rules) ?? []);
}

/** The bits that a gate has to let through. */
export function marksFor({ passesForwards }: BypassRule, table: Table | null): readonly number[] {
  if (!passesForwards) return marksOf(table);
  const rules = table?.chains.flatMap((chain) => chain.rules) ?? [];
  return marksIn(rules.filter((rule) => !rule.startsWith("ct status dnat ")));
}

function marksIn(rules: readonly string[]): readonly number[] {
  const marks = rules.flatMap((rule) => /meta mark set meta mark \| (0x[\da-f]+)/.exec(rule)?.[1] ?? []);
  return [...new Set(marks.map(Number))].sort((a, b) => a - b);
}

/** Whether a gate lets through these marks before all else, and holds nothing else of ours. */
export function isSettled({ first, ours }: BypassRule, marks: readonly number[]): boolean {
  return JSON.stringify(first) === JSON.stringify(marks) && ours.length === marks.length;
}

/** What `iptables -S FORWARD` says. */
export function iptablesBypass(place: "iptables" | "ip6tables", text: string): BypassRule {
  const rules = text.split("\n").filter((line) => line.startsWith("-A FORWARD "));
  const marks = rules.map(iptablesMark);
  return {
    place,
    first: leading(marks),
    ours: rules.filter((_, index) => marks[index] !== "other").map((rule) => rule.slice("-A ".length)),
    passesForwards: false,
  };
}

/** The mark that a rule of ours lets through; `odd` for one of ours that does something else. */
type MarkRule = number | "odd" | "other";

function iptablesMark(rule: string): MarkRule {
  if (!/--comment "?virt-hooks"?( |$)/.test(rule)) return "other";
  const [, mark, mask] = /^-A FORWARD -m mark --mark (0x[\da-f]+)\/(0x[\da-f]+) -m comment .* -j ACCEPT$/.exec(rule) ??
    [];
  return mark === undefined || mark !== mask ? "odd" : Number(mark);
}

/** What iptables is told to let a mark through: the words behind `-I FORWARD 1` and `-D FORWARD`. */
export function iptablesRule(mark: number): readonly string[] {
  const bit = `0x${mark.toString(16)}`;
  return ["-m", "mark", "--mark", `${bit}/${bit}`, "-m", "comment", "--comment", COMMENT, "-j", "ACCEPT"];
}

/** The gates that are chains of nft alone, among the base chains of the host. */
export function nftPlaces(bases: readonly BaseChain[]): readonly BypassChain[] {
  return PLACE_NAMES.filter((place) => {
    const { tool, table, chain } = BYPASS_CHAINS[place];
    return tool === undefined &&
      bases.some((base) => base.table === table && base.name === chain && base.hook === "forward");
  });
}

const PLACE_NAMES = [
  "iptables",
  "ip6tables",
  "libvirt-ip",
  "libvirt-ip6",
  "firewalld",
] as const satisfies readonly BypassChain[];

/** A table that its program keeps for itself, as firewalld does from 2.1 on unless it is told otherwise: no rule can be put there. */
export function isOwned(table: string, objects: readonly Json[]): boolean {
  return objects.map((object) => object["table"]).filter(isObject).some(({ family, name, flags }) =>
    `${family} ${name}` === table && [flags].flat().includes("owner")
  );
}

/** What was listed of a gate's chain. */
export function nftBypass(place: BypassChain, objects: readonly Json[]): BypassRule {
  const { table, chain } = BYPASS_CHAINS[place];
  const rules = objects.map(({ rule }) => rule).filter(isObject)
    .filter((rule) => tableOf(rule) === table && rule["chain"] === chain);
  const marks = rules.map(nftMark);
  return {
    place,
    first: leading(marks),
    ours: rules.filter((_, index) => marks[index] !== "other").map((rule) => String(rule["handle"])),
    passesForwards: FAMILIES.every((family) =>
      judge(chain, nftChains(objects, table), anyForward(family)).kind === "passes"
    ),
  };
}

const FAMILIES = ["ipv4", "ipv6"] as const satisfies readonly IpFamily[];

function anyForward(family: IpFamily): Parameters<typeof judge>[2] {
  const [to, protocol, ports] = [undefined, undefined, undefined];
  // Without our mark: what the chain lets through by itself.
  return {
    family,
    in: undefined,
    out: undefined,
    to,
    protocol,
    ports,
    isTranslated: true,
    mark: { mask: -1, value: 0 },
  };
}

function nftMark({ comment, expr }: Json): MarkRule {
  if (comment !== COMMENT) return "other";
  const [match, ...rest]: readonly unknown[] = Array.isArray(expr) ? expr : [];
  const test = isObject(match) && isObject(match["match"]) ? match["match"] : {};
  const mark = test["right"];
  const isTest = JSON.stringify(test["left"]) === JSON.stringify({ "&": [{ meta: { key: "mark" } }, mark] });
  const end: unknown = rest.at(-1);
  return isTest && typeof mark === "number" && isObject(end) && "accept" in end ? mark : "odd";
}

function leading(marks: readonly MarkRule[]): readonly number[] {
  const end = marks.findIndex((mark) => typeof mark !== "number");
  return marks.slice(0, end === -1 ? undefined : end).filter((mark) => typeof mark === "number");
}

/** What nft is told to insert first in a gate's chain. */
export function nftRule(mark: number): string {
  const bit = `0x${mark.toString(16).padStart(8, "0")}`;
  return `meta mark & ${bit} == ${bit} counter accept comment "${COMMENT}"`;
}
