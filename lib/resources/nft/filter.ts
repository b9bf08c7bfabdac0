/**
 * Reads and changes the packet filter: our table, and the bypass rules in other programs' chains.
 * @module
 */
import type { IpFamily } from "../../net/ip_address.ts";
import type { Sys } from "../../sys/sys.ts";
import { type Tool, TOOLS } from "../../sys/tools.ts";
import {
  BYPASS_CHAINS,
  type BypassChain,
  type BypassChainName,
  iptablesBypassRule,
  isOwnedTable,
  isSettled,
  marksFor,
  marksOf,
  nftBypassChains,
  nftBypassRule,
  parseIptablesBypass,
  parseNftBypass,
} from "./bypass_rules.ts";
import { iptablesChains } from "./iptables_rules.ts";
import {
  type BaseChain,
  baseChains,
  errorOf,
  FilterError,
  type Iptables,
  list,
  listEach,
  listIptables,
  readDevices,
} from "./list.ts";
import { type Json, tableOfListing } from "./listing.ts";
import { nftChains } from "./nft_rules.ts";
import { packetsOfTable } from "./packets.ts";
import { changeScript, TABLE, type Table } from "./table.ts";
import { runTool } from "../run_tool.ts";
import { judgeChain, type RuleChains } from "./verdict.ts";

/** Our part of the packet filter. */
export interface Filter {
  readonly table: Table | null;
  /**
   * Whether the bypass rules fit the table. `open`: every chain accepts our marks first. `lax`: not every chain does,
   * but none rejects our packets now. `closed`: there is no table and no bypass rule. `unsettled`: anything else.
   */
  readonly gates: "open" | "lax" | "closed" | "unsettled";
}

/**
 * Reads our table and all bypass chains.
 * @throws {FilterError} if they cannot be read
 */
export async function readFilter(
  sys: Sys,
): Promise<{ readonly filter: Filter; readonly bypassChains: readonly BypassChain[] }> {
  const [listing, { bases, bypassChains }] = await Promise.all([listOwnTable(sys), listBypassChains(sys)]);
  const table = listing === undefined ? null : tableOfListing(listing);
  return { filter: { table, gates: await gatesOf({ table, bypassChains, bases }, sys) }, bypassChains };
}

/** Lists our table; `undefined` if it does not exist. */
export async function listOwnTable(sys: Sys): Promise<readonly Json[] | undefined> {
  return await list(["table", ...TABLE.split(" ")], sys);
}

/** Lists all base chains of nftables. */
export async function listBaseChains(sys: Sys): Promise<readonly BaseChain[]> {
  return baseChains(await list(["chains"], sys) ?? []);
}

/**
 * Reads all bypass chains.
 * @throws {FilterError} if one cannot be read
 */
export async function readBypassChains(sys: Sys): Promise<readonly BypassChain[]> {
  return (await listBypassChains(sys)).bypassChains;
}

const TRIES = 4;

/**
 * Lists the base chains and reads the bypass chains among them. Repeats the listing if a chain disappears meanwhile,
 * as when another firewall reloads its rules.
 */
async function listBypassChains(sys: Sys): Promise<Pick<ChainState, "bases" | "bypassChains">> {
  for (let tries = TRIES; tries > 0; tries--) {
    const bases = await listBaseChains(sys);
    const bypassChains = await bypassChainsAmong(bases, sys);
    if (bypassChains !== undefined) return { bases, bypassChains };
  }
  throw new FilterError("Cannot list the chains of other firewalls: they keep changing");
}

/** The iptables programs, one for each address family. */
export const TOOL_NAMES = ["iptables", "ip6tables"] as const satisfies readonly Iptables[];

async function bypassChainsAmong(bases: readonly BaseChain[], sys: Sys): Promise<readonly BypassChain[] | undefined> {
  const names = nftBypassChains(bases);
  const chains = names.map((name) => `chain ${BYPASS_CHAINS[name].table} ${BYPASS_CHAINS[name].chain}`);
  const [objects, ...texts] = await Promise.all([
    listEach([...chains, ...(names.includes("firewalld") ? ["tables"] : [])], sys),
    ...TOOL_NAMES.map((tool) => listIptables(tool, { bases, chain: "FORWARD" }, sys)),
  ]);
  if (objects === undefined) return undefined;
  return [
    ...TOOL_NAMES.flatMap((tool, index) => {
      const text = texts[index];
      return text === undefined ? [] : [parseIptablesBypass(tool, text)];
    }),
    ...names.filter((name) => !isOwnedTable(BYPASS_CHAINS[name].table, objects)).map((name) =>
      parseNftBypass(name, objects)
    ),
  ];
}

/** What determines {@linkcode Filter.gates}. */
interface ChainState {
  readonly table: Table | null;
  readonly bypassChains: readonly BypassChain[];
  readonly bases: readonly BaseChain[];
}

async function gatesOf({ table, bypassChains, bases }: ChainState, sys: Sys): Promise<Filter["gates"]> {
  if (table === null) return bypassChains.every((chain) => chain.ownRules.length === 0) ? "closed" : "unsettled";
  const unsettled = bypassChains.filter((chain) => !isSettled(chain, marksFor(chain, table)));
  if (unsettled.length === 0) return "open";
  for (const chain of unsettled) {
    if (!await passesAnyway(chain, { table, bases }, sys)) return "unsettled";
  }
  return "lax";
}

/**
 * Whether a chain without a bypass rule at the top still accepts our packets. Docker, for example, inserts rules
 * above ours that do not reject our packets.
 */
async function passesAnyway(
  { name, ownRules }: BypassChain,
  { table, bases }: { readonly table: Table; readonly bases: readonly BaseChain[] },
  sys: Sys,
): Promise<boolean> {
  const marks = marksOf(table);
  const [mark] = marks;
  if (mark === undefined || marks.length > 1 || ownRules.length > 1) return false;
  const chains = await reachableChains(name, bases, sys);
  if (chains === undefined) return false;
  const packets = packetsOfTable(table, mark, await readDevices(sys));
  return packets.filter(({ family }) => FAMILIES_OF[name].includes(family))
    .every((one) => judgeChain(BYPASS_CHAINS[name].chain, chains, one).kind === "passes");
}

const FAMILIES_OF: Readonly<Record<BypassChainName, readonly IpFamily[]>> = {
  iptables: ["ipv4"],
  ip6tables: ["ipv6"],
  "libvirt-ip": ["ipv4"],
  "libvirt-ip6": ["ipv6"],
  firewalld: ["ipv4", "ipv6"],
};

/** Reads all chains that a bypass chain may jump to. */
async function reachableChains(
  name: BypassChainName,
  bases: readonly BaseChain[],
  sys: Sys,
): Promise<RuleChains | undefined> {
  const { tool, table } = BYPASS_CHAINS[name];
  if (tool !== undefined) {
    const text = await listIptables(tool, { bases }, sys);
    return text === undefined ? undefined : iptablesChains(text);
  }
  const objects = await listEach([`table ${table}`], sys);
  return objects === undefined ? undefined : nftChains(objects, table);
}

/** A change of the filter. */
export interface FilterChange {
  readonly from: Filter;
  readonly to: Filter;
  /** The current bypass chains. */
  readonly bypassChains: readonly BypassChain[];
  /** Deadline, in milliseconds since the process started. */
  readonly deadlineMs: number;
}

/** A tool with its arguments and standard input. */
interface ToolCommand {
  readonly argv: readonly [Tool, ...string[]];
  readonly stdin?: string;
}

/**
 * Applies a change.
 * @throws {FilterError} if the filter cannot be changed
 */
export async function changeFilter(change: FilterChange, sys: Sys): Promise<void> {
  for (const { argv, stdin } of commandsOf(change)) {
    const timeoutMs = change.deadlineMs - sys.elapsedMs();
    const end = await runTool(argv, { timeoutMs, ...(stdin === undefined ? {} : { stdin }) }, sys);
    if (end.kind !== "done") throw errorOf(end);
  }
}

/** Returns the commands that {@linkcode changeFilter} would run, a line each, followed by their standard input. */
export function filterScript(change: Omit<FilterChange, "deadlineMs">): readonly string[] {
  return commandsOf(change).flatMap(({ argv: [tool, ...words], stdin }) => [
    [TOOLS[tool], ...words].join(" "),
    ...(stdin === undefined ? [] : stdin.trimEnd().split("\n").map((line) => `  ${line}`)),
  ]);
}

/**
 * Returns the commands in order. Bypass rules are added before the table and removed after it, so that no packet is
 * accepted by our table and then rejected.
 */
function commandsOf(change: Omit<FilterChange, "deadlineMs">): readonly ToolCommand[] {
  const { from, to } = change;
  const script = changeScript(from.table, to.table);
  const table: readonly ToolCommand[] = script === "" ? [] : [{ argv: ["nft", "-f", "-"], stdin: script }];
  const bypasses = bypassCommands(change);
  return to.table === null ? [...table, ...bypasses] : [...bypasses, ...table];
}

function bypassCommands({ to, bypassChains }: Omit<FilterChange, "deadlineMs">): readonly ToolCommand[] {
  const unsettled = bypassChains.map((chain) => ({ chain, marks: marksFor(chain, to.table) }))
    .filter(({ chain, marks }) => !isSettled(chain, marks));
  const lines = unsettled.flatMap(nftLines);
  return [
    ...unsettled.flatMap(iptablesCommands),
    // One transaction for all chains.
    ...(lines.length === 0 ? [] : [{ argv: ["nft", "-f", "-"], stdin: lines.join("") } as const]),
  ];
}

/** A chain, and the marks that it must accept. */
interface BypassUpdate {
  readonly chain: BypassChain;
  readonly marks: readonly number[];
}

function iptablesCommands({ chain: { name, ownRules }, marks }: BypassUpdate): readonly ToolCommand[] {
  const { tool } = BYPASS_CHAINS[name];
  if (tool === undefined) return [];
  return [
    ...ownRules.map((rule): ToolCommand => ({
      argv: [tool, "-w", "-D", ...rule.replaceAll('"', "").split(" ")],
    })),
    ...marks.toReversed().map((mark): ToolCommand => ({
      argv: [tool, "-w", "-I", "FORWARD", "1", ...iptablesBypassRule(mark)],
    })),
  ];
}

function nftLines({ chain: { name, ownRules }, marks }: BypassUpdate): readonly string[] {
  const { tool, table, chain } = BYPASS_CHAINS[name];
  if (tool !== undefined) return [];
  return [
    ...ownRules.map((handle) => `delete rule ${table} ${chain} handle ${handle}\n`),
    ...marks.toReversed().map((mark) => `insert rule ${table} ${chain} ${nftBypassRule(mark)}\n`),
  ];
}
