/**
 * Bypass rules in other programs' chains. An accept in our chain is not final: another base chain may still drop the
 * packet. A bypass rule accepts packets with our mark at the top of such a chain.
 * @module
 */
import type { IpFamily } from "../../net/ip_address.ts";
import { isObject, type Json } from "./listing.ts";
import type { BaseChain } from "./list.ts";
import { nftChains, tableOf } from "./nft_rules.ts";
import type { Table } from "./table.ts";
import { judgeChain } from "./verdict.ts";

/** The comment that identifies our rules in other programs' chains. */
export const BYPASS_COMMENT = "virt-hooks";

/** The chains that may get bypass rules, with the nftables table and chain of each. */
export const BYPASS_CHAINS = {
  iptables: { tool: "iptables", table: "ip filter", chain: "FORWARD", label: "FORWARD of iptables" },
  ip6tables: { tool: "ip6tables", table: "ip6 filter", chain: "FORWARD", label: "FORWARD of ip6tables" },
  "libvirt-ip": nftChainFacts("ip libvirt_network", "forward"),
  "libvirt-ip6": nftChainFacts("ip6 libvirt_network", "forward"),
  firewalld: nftChainFacts("inet firewalld", "filter_FORWARD"),
} as const satisfies Record<string, BypassChainFacts>;

interface BypassChainFacts {
  /** The tool that writes the chain's rules, if it is not nft. */
  readonly tool: "iptables" | "ip6tables" | undefined;
  readonly table: string;
  readonly chain: string;
  /** The chain's name in messages. */
  readonly label: string;
}

function nftChainFacts(table: string, chain: string): BypassChainFacts & { readonly tool: undefined } {
  return { tool: undefined, table, chain, label: chainLabel(table, chain) };
}

/** Names a chain of nftables in messages. */
export function chainLabel(table: string, chain: string): string {
  return `the chain ${chain} of table ${table}`;
}

/** The name of a chain that may get bypass rules. */
export type BypassChainName = keyof typeof BYPASS_CHAINS;

/** An existing chain that may get bypass rules. */
export interface BypassChain {
  readonly name: BypassChainName;
  /** The marks accepted by the bypass rules at the top of the chain, before any other rule. */
  readonly firstMarks: readonly number[];
  /** All our rules in the chain, at any position, in the form that deletes them. */
  readonly ownRules: readonly string[];
  /** Whether the chain itself accepts packets with a translated destination, as firewalld does by default. */
  readonly passesForwards: boolean;
}

/** Returns the mark bits that the rules of a table set, in order. */
export function marksOf(table: Table | null): readonly number[] {
  return marksIn(table?.chains.flatMap((chain) => chain.rules) ?? []);
}

/** Returns the mark bits that a chain must accept for a table. */
export function marksFor({ passesForwards }: BypassChain, table: Table | null): readonly number[] {
  if (!passesForwards) return marksOf(table);
  const rules = table?.chains.flatMap((chain) => chain.rules) ?? [];
  return marksIn(rules.filter((rule) => !rule.startsWith("ct status dnat ")));
}

function marksIn(rules: readonly string[]): readonly number[] {
  const marks = rules.flatMap((rule) => /meta mark set meta mark \| (0x[\da-f]+)/.exec(rule)?.[1] ?? []);
  return [...new Set(marks.map(Number))].sort((a, b) => a - b);
}

/**
 * Whether the bypass rules at the top of a chain accept exactly these marks, and the chain contains no other rule of
 * ours.
 */
export function isSettled({ firstMarks, ownRules }: BypassChain, marks: readonly number[]): boolean {
  return JSON.stringify(firstMarks) === JSON.stringify(marks) && ownRules.length === marks.length;
}

/** Parses the output of `iptables -S FORWARD`. */
export function parseIptablesBypass(name: "iptables" | "ip6tables", text: string): BypassChain {
  const rules = text.split("\n").filter((line) => line.startsWith("-A FORWARD "));
  const marks = rules.map(iptablesMark);
  return {
    name: name,
    firstMarks: leadingMarks(marks),
    ownRules: rules.filter((_, index) => marks[index] !== "other").map((rule) => rule.slice("-A ".length)),
    passesForwards: false,
  };
}

/**
 * The mark that one of our rules accepts; `odd` for a rule of ours that does anything else; `other` for a rule of
 * another program.
 */
type RuleMark = number | "odd" | "other";

function iptablesMark(rule: string): RuleMark {
  if (!/--comment "?virt-hooks"?( |$)/.test(rule)) return "other";
  const [, mark, mask] = /^-A FORWARD -m mark --mark (0x[\da-f]+)\/(0x[\da-f]+) -m comment .* -j ACCEPT$/.exec(rule) ??
    [];
  return mark === undefined || mark !== mask ? "odd" : Number(mark);
}

/** Returns the arguments after `-I FORWARD 1` and `-D FORWARD` for a rule that accepts a mark. */
export function iptablesBypassRule(mark: number): readonly string[] {
  const bit = `0x${mark.toString(16)}`;
  return ["-m", "mark", "--mark", `${bit}/${bit}`, "-m", "comment", "--comment", BYPASS_COMMENT, "-j", "ACCEPT"];
}

/** Returns the chains that are managed with nft and exist among the host's base chains. */
export function nftBypassChains(bases: readonly BaseChain[]): readonly BypassChainName[] {
  return CHAIN_NAMES.filter((name) => {
    const { tool, table, chain } = BYPASS_CHAINS[name];
    return tool === undefined &&
      bases.some((base) => base.table === table && base.name === chain && base.hook === "forward");
  });
}

const CHAIN_NAMES = [
  "iptables",
  "ip6tables",
  "libvirt-ip",
  "libvirt-ip6",
  "firewalld",
] as const satisfies readonly BypassChainName[];

/**
 * Whether a table belongs to its program exclusively, as firewalld's does from 2.1 on by default: no other program
 * can add rules.
 */
export function isOwnedTable(table: string, objects: readonly Json[]): boolean {
  return objects.map((object) => object["table"]).filter(isObject).some(({ family, name, flags }) =>
    `${family} ${name}` === table && [flags].flat().includes("owner")
  );
}

/** Parses a chain from a listing. */
export function parseNftBypass(name: BypassChainName, objects: readonly Json[]): BypassChain {
  const { table, chain } = BYPASS_CHAINS[name];
  const rules = objects.map(({ rule }) => rule).filter(isObject)
    .filter((rule) => tableOf(rule) === table && rule["chain"] === chain);
  const marks = rules.map(nftMark);
  return {
    name: name,
    firstMarks: leadingMarks(marks),
    ownRules: rules.filter((_, index) => marks[index] !== "other").map((rule) => String(rule["handle"])),
    passesForwards: FAMILIES.every((family) =>
      judgeChain(chain, nftChains(objects, table), anyForwardedPackets(family)).kind === "passes"
    ),
  };
}

const FAMILIES = ["ipv4", "ipv6"] as const satisfies readonly IpFamily[];

function anyForwardedPackets(family: IpFamily): Parameters<typeof judgeChain>[2] {
  const [to, protocol, ports] = [undefined, undefined, undefined];
  // Without our mark: what the chain accepts by itself.
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

function nftMark({ comment, expr }: Json): RuleMark {
  if (comment !== BYPASS_COMMENT) return "other";
  const [match, ...rest]: readonly unknown[] = Array.isArray(expr) ? expr : [];
  const test = isObject(match) && isObject(match["match"]) ? match["match"] : {};
  const mark = test["right"];
  const isTest = JSON.stringify(test["left"]) === JSON.stringify({ "&": [{ meta: { key: "mark" } }, mark] });
  const end: unknown = rest.at(-1);
  return isTest && typeof mark === "number" && isObject(end) && "accept" in end ? mark : "odd";
}

function leadingMarks(marks: readonly RuleMark[]): readonly number[] {
  const end = marks.findIndex((mark) => typeof mark !== "number");
  return marks.slice(0, end === -1 ? undefined : end).filter((mark) => typeof mark === "number");
}

/** Returns the rule that nft inserts at the top of a chain. */
export function nftBypassRule(mark: number): string {
  const bit = `0x${mark.toString(16).padStart(8, "0")}`;
  return `meta mark & ${bit} == ${bit} counter accept comment "${BYPASS_COMMENT}"`;
}
