/**
 * The whole packet filter, for people: every base chain that decides about forwarded packets, and about those for the host,
 * whoever wrote it. `status` and `check --host` judge by the same view.
 * @module
 */
import type { IpFamily } from "../../net/ip_address.ts";
import { networkTexts } from "../../net/ip_interval.ts";
import type { Sys } from "../../sys/sys.ts";
import { listBases, listOurs, TOOL_NAMES } from "./filter.ts";
import { BYPASS_CHAINS, chainName, isOwned } from "./bypass_rules.ts";
import { iptablesChains } from "./iptables_rules.ts";
import {
  type BaseChain,
  type DeviceTo,
  FilterError,
  IPTABLES,
  type Iptables,
  isOlderForm,
  listEach,
  listIptables,
  readDevices,
} from "./list.ts";
import { isObject, type Json, tableOfListing } from "./listing.ts";
import { nftChains, tableOf } from "./nft_rules.ts";
import { HOOKS, TABLE, type Table } from "./table.ts";
import { judge, type Judgement, type Packets, type RuleChains } from "./verdict.ts";

/** A base chain with what it leads to. */
export interface ChainView extends Pick<BaseChain, "table" | "name" | "hook" | "priority"> {
  /** For people. */
  readonly called: string;
  /** Which packets it sees. */
  readonly families: readonly IpFamily[];
  readonly rules: RuleChains;
  /** Whether virt-hooks writes a rule there. */
  readonly isGate: boolean;
}

/** The packet filter, with all that it counted. */
export interface FilterView {
  /** What nft lists of our table; `undefined` where there is none. */
  readonly listing: readonly Json[] | undefined;
  readonly table: Table | null;
  /** All base chains, of any type and hook. */
  readonly bases: readonly BaseChain[];
  /** Those of other people at the hooks `forward` and `input`. */
  readonly chains: readonly ChainView[];
  /** What the programs of iptables list of their table `filter`, where that is theirs to list. */
  readonly iptables: Readonly<Partial<Record<Iptables, string>>>;
  /** Whether a rule of a table of nft names a device. */
  names(table: string, device: string): boolean;
  readonly deviceTo: DeviceTo;
}

const TRIES = 4;
const FILTERING: readonly string[] = ["forward", "input"];
const FAMILIES: Readonly<Record<string, readonly IpFamily[]>> = { ip: ["ipv4"], ip6: ["ipv6"], inet: ["ipv4", "ipv6"] };

/**
 * Looks at everything.
 * @throws {FilterError} when it cannot be read
 */
export async function viewFilter(sys: Sys): Promise<FilterView> {
  for (let tries = TRIES; tries > 0; tries--) {
    const view = await tryView(sys);
    if (view !== undefined) return view;
  }
  throw new FilterError("Cannot list the tables of other firewalls: they go while they are looked at");
}

async function tryView(sys: Sys): Promise<FilterView | undefined> {
  const [listing, all, deviceTo] = await Promise.all([listOurs(sys), listBases(sys), readDevices(sys)]);
  const bases = all.filter(({ table }) => table !== TABLE);
  const filtering = bases.filter((base) => FILTERING.includes(base.hook) && familiesOf(base).length > 0);
  const texts = await Promise.all(TOOL_NAMES.map((tool) => listIptables(tool, { bases }, sys)));
  const iptables = Object.fromEntries(TOOL_NAMES.flatMap((tool, index) => {
    const text = texts[index];
    return text === undefined ? [] : [[tool, text] as const];
  }));
  const isOfIptables = (table: string): boolean =>
    TOOL_NAMES.some((tool) =>
      iptables[tool] !== undefined && IPTABLES[tool].table === table && !isOlderForm(tool, sys)
    );
  // What iptables reads is not what it reads alone: a chain of another name in its table is nft's.
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
    names: (table, device) => rulesText(objects, table).includes(JSON.stringify(device)),
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
    called: `${name} of ${tool}`,
    families: [family],
    rules,
    isGate: name === "FORWARD",
  }));
}

function nftView(base: BaseChain, objects: readonly Json[]): ChainView {
  const { table, name, hook, priority } = base;
  const isPlace = hook === "forward" &&
    Object.values(BYPASS_CHAINS).some((place) =>
      place.tool === undefined && place.table === table && place.chain === name
    );
  return {
    ...{ table, name, hook, priority },
    called: chainName(table, name),
    families: familiesOf(base),
    rules: nftChains(objects, table),
    isGate: isPlace && !isOwned(table, objects),
  };
}

/** A chain that may reject packets. */
export interface Obstacle {
  readonly chain: ChainView;
  readonly kind: Exclude<Judgement["kind"], "passes">;
  /** The chain, for people, with the one that it leads to and that has the rule. */
  readonly called: string;
  /** It is asked before our rules, so that it does not see our mark. */
  readonly isEarlier: boolean;
}

/** Of chains of the same priority the older one is asked first. */
const OURS = Number(/priority (-?\d+)/.exec(HOOKS.forward)?.[1]);

/** Which chains may reject packets on their way to a guest. */
export function obstaclesTo({ chains }: FilterView, packets: Packets): readonly Obstacle[] {
  return obstaclesAt("forward", chains, packets);
}

/** Which chains may reject packets for the host itself. */
export function obstaclesToHost({ chains }: FilterView, packets: Packets): readonly Obstacle[] {
  return obstaclesAt("input", chains, packets);
}

function obstaclesAt(hook: string, chains: readonly ChainView[], packets: Packets): readonly Obstacle[] {
  return chains.flatMap((chain): readonly Obstacle[] => {
    if (chain.hook !== hook || !chain.families.includes(packets.family)) return [];
    const isEarlier = chain.priority <= OURS;
    const { mark } = packets;
    const judgement = judge(chain.name, chain.rules, isEarlier ? { ...packets, mark: { ...mark, value: 0 } } : packets);
    if (judgement.kind === "passes") return [];
    const inner = judgement.chain === chain.name ? "" : ` (its chain ${judgement.chain})`;
    return [{ chain, kind: judgement.kind, called: `${chain.called}${inner}`, isEarlier }];
  });
}

/** firewalld's own setting: it takes no rule of another program else. */
const OWNED_CURE = "set NftablesTableOwner=no in /etc/firewalld/firewalld.conf, and restart firewalld";

/** The command that lets packets of ours through a chain that virt-hooks does not write to. */
export function cureFor({ chain: { table, name }, isEarlier }: Obstacle, { mark, isTranslated, to }: Packets): string {
  if (table === BYPASS_CHAINS.firewalld.table) return OWNED_CURE;
  const bit = `0x${mark.value.toString(16)}`;
  const marked = `meta mark '&' ${bit} == ${bit}`;
  const addressed = to === undefined ? [] : networkTexts(to).map((text) => `${WORDS[to.family]} daddr ${text}`);
  const test = !isEarlier ? marked : isTranslated ? "ct status dnat" : addressed[0] ?? "";
  return `nft insert rule ${table} ${name} ${test} accept`;
}

const WORDS = { ipv4: "ip", ipv6: "ip6" } as const satisfies Record<IpFamily, string>;
