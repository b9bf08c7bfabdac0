/**
 * Reads the whole packet filter: every base chain that decides about forwarded packets and about packets for the
 * host, of any program. `status` and `check --host` use the same view.
 * @module
 */
import type { IpFamily } from "../../net/ip_address.ts";
import { networkTexts } from "../../net/ip_interval.ts";
import type { Sys } from "../../sys/sys.ts";
import { listBaseChains, listOwnTable, TOOL_NAMES } from "./filter.ts";
import { BYPASS_CHAINS, chainLabel, isOwnedTable } from "./bypass_rules.ts";
import { iptablesChains } from "./iptables_rules.ts";
import {
  type BaseChain,
  type DeviceTo,
  FilterError,
  IPTABLES,
  type Iptables,
  isLegacy,
  listEach,
  listIptables,
  readDevices,
} from "./list.ts";
import { isObject, type Json, tableOfListing } from "./listing.ts";
import { nftChains, tableOf } from "./nft_rules.ts";
import { HOOKS, TABLE, type Table } from "./table.ts";
import { judgeChain, type Judgement, type Packets, type RuleChains } from "./verdict.ts";

/** A base chain and the chains it jumps to. */
export interface ChainView extends Pick<BaseChain, "table" | "name" | "hook" | "priority"> {
  /** The chain's name in messages. */
  readonly label: string;
  /** Address families of the packets it sees. */
  readonly families: readonly IpFamily[];
  readonly rules: RuleChains;
  /** Whether virt-hooks adds bypass rules to it. */
  readonly hasBypass: boolean;
}

/** The packet filter with its counters. */
export interface FilterView {
  /** nft's listing of our table; `undefined` if it does not exist. */
  readonly listing: readonly Json[] | undefined;
  readonly table: Table | null;
  /** All base chains except ours, of any type and hook. */
  readonly bases: readonly BaseChain[];
  /** Other programs' chains at the hooks `forward` and `input`. */
  readonly chains: readonly ChainView[];
  /** The output of the iptables programs for their table `filter`, if they can read it. */
  readonly iptables: Readonly<Partial<Record<Iptables, string>>>;
  /** Whether a rule of an nftables table mentions a device. */
  mentionsDevice(table: string, device: string): boolean;
  readonly deviceTo: DeviceTo;
}

const TRIES = 4;
const FILTERING: readonly string[] = ["forward", "input"];
const FAMILIES: Readonly<Record<string, readonly IpFamily[]>> = { ip: ["ipv4"], ip6: ["ipv6"], inet: ["ipv4", "ipv6"] };

/**
 * Reads the whole packet filter.
 * @throws {FilterError} if it cannot be read
 */
export async function viewFilter(sys: Sys): Promise<FilterView> {
  for (let tries = TRIES; tries > 0; tries--) {
    const view = await tryView(sys);
    if (view !== undefined) return view;
  }
  throw new FilterError("Cannot list the tables of other firewalls: they keep changing");
}

async function tryView(sys: Sys): Promise<FilterView | undefined> {
  const [listing, all, deviceTo] = await Promise.all([listOwnTable(sys), listBaseChains(sys), readDevices(sys)]);
  const bases = all.filter(({ table }) => table !== TABLE);
  const filtering = bases.filter((base) => FILTERING.includes(base.hook) && familiesOf(base).length > 0);
  const texts = await Promise.all(TOOL_NAMES.map((tool) => listIptables(tool, { bases }, sys)));
  const iptables = Object.fromEntries(TOOL_NAMES.flatMap((tool, index) => {
    const text = texts[index];
    return text === undefined ? [] : [[tool, text] as const];
  }));
  const isOfIptables = (table: string): boolean =>
    TOOL_NAMES.some((tool) => iptables[tool] !== undefined && IPTABLES[tool].table === table && !isLegacy(tool, sys));
  // The table of iptables may also contain chains of nft with other names.
  const others = filtering.filter(({ table, name }) => !(isOfIptables(table) && ["INPUT", "FORWARD"].includes(name)));
  const tables = [...new Set(others.map(({ table }) => table))];
  const objects = await listEach(tables.map((table) => `table ${table}`), sys);
  if (objects === undefined) return undefined;
  return {
    listing,
    table: listing === undefined ? null : tableOfListing(listing),
    bases,
    chains: [
      ...TOOL_NAMES.flatMap((tool) => iptablesViews(tool, iptables[tool])),
      ...others.map((base) => nftView(base, objects)),
    ],
    iptables,
    mentionsDevice: (table, device) => rulesText(objects, table).includes(JSON.stringify(device)),
    deviceTo,
  };
}

function rulesText(objects: readonly Json[], table: string): string {
  return JSON.stringify(objects.map(({ rule }) => rule).filter(isObject).filter((rule) => tableOf(rule) === table));
}

function familiesOf({ table }: Pick<BaseChain, "table">): readonly IpFamily[] {
  return FAMILIES[table.slice(0, table.indexOf(" "))] ?? [];
}

function iptablesViews(tool: Iptables, text: string | undefined): readonly ChainView[] {
  if (text === undefined) return [];
  const rules = iptablesChains(text);
  const { table, family } = IPTABLES[tool];
  return (["FORWARD", "INPUT"] as const).map((name) => ({
    table,
    name,
    hook: name.toLowerCase(),
    priority: 0,
    label: `${name} of ${tool}`,
    families: [family],
    rules,
    hasBypass: name === "FORWARD",
  }));
}

function nftView(base: BaseChain, objects: readonly Json[]): ChainView {
  const { table, name, hook, priority } = base;
  const isBypassChain = hook === "forward" &&
    Object.values(BYPASS_CHAINS).some((known) =>
      known.tool === undefined && known.table === table && known.chain === name
    );
  return {
    ...{ table, name, hook, priority },
    label: chainLabel(table, name),
    families: familiesOf(base),
    rules: nftChains(objects, table),
    hasBypass: isBypassChain && !isOwnedTable(table, objects),
  };
}

/** A chain that may reject packets. */
export interface Obstacle {
  readonly chain: ChainView;
  readonly kind: Exclude<Judgement["kind"], "passes">;
  /** The chain's name in messages, with the inner chain that contains the rule. */
  readonly label: string;
  /** Whether the chain comes before our rules, so that it does not see our mark. */
  readonly isEarlier: boolean;
}

/** Chains of the same priority run in the order of their creation. */
const OWN_PRIORITY = Number(/priority (-?\d+)/.exec(HOOKS.forward)?.[1]);

/** Returns the chains that may reject packets on their way to a guest. */
export function obstaclesTo({ chains }: FilterView, packets: Packets): readonly Obstacle[] {
  return obstaclesAt("forward", chains, packets);
}

/** Returns the chains that may reject packets for the host itself. */
export function obstaclesToHost({ chains }: FilterView, packets: Packets): readonly Obstacle[] {
  return obstaclesAt("input", chains, packets);
}

function obstaclesAt(hook: string, chains: readonly ChainView[], packets: Packets): readonly Obstacle[] {
  return chains.flatMap((chain): readonly Obstacle[] => {
    if (chain.hook !== hook || !chain.families.includes(packets.family)) return [];
    const isEarlier = chain.priority <= OWN_PRIORITY;
    const { mark } = packets;
    const judgement = judgeChain(
      chain.name,
      chain.rules,
      isEarlier ? { ...packets, mark: { ...mark, value: 0 } } : packets,
    );
    if (judgement.kind === "passes") return [];
    const inner = judgement.chain === chain.name ? "" : ` (its chain ${judgement.chain})`;
    return [{ chain, kind: judgement.kind, label: `${chain.label}${inner}`, isEarlier }];
  });
}

/** The fix for a table that firewalld owns and to which no other program can add rules. */
const OWNED_TABLE_FIX = "set NftablesTableOwner=no in /etc/firewalld/firewalld.conf, and restart firewalld";

/** Returns the command that makes a chain accept our packets, for chains that virt-hooks does not modify. */
export function fixCommandFor(
  { chain: { table, name }, isEarlier }: Obstacle,
  { mark, isTranslated, to }: Packets,
): string {
  if (table === BYPASS_CHAINS.firewalld.table) return OWNED_TABLE_FIX;
  const bit = `0x${mark.value.toString(16)}`;
  const marked = `meta mark '&' ${bit} == ${bit}`;
  const addressed = to === undefined ? [] : networkTexts(to).map((text) => `${FAMILY_WORD[to.family]} daddr ${text}`);
  const test = !isEarlier ? marked : isTranslated ? "ct status dnat" : addressed[0] ?? "";
  return `nft insert rule ${table} ${name} ${test} accept`;
}

const FAMILY_WORD = { ipv4: "ip", ipv6: "ip6" } as const satisfies Record<IpFamily, string>;
