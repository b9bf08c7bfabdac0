/**
 * The packet filter of the host: what stands in our table and in the gates, and how both are changed.
 * @module
 */
import type { IpFamily } from "../../net/ip_address.ts";
import type { Sys } from "../../sys/sys.ts";
import { type Tool, TOOLS } from "../../sys/tools.ts";
import {
  BYPASS_CHAINS,
  type BypassChain,
  type BypassRule,
  iptablesBypass,
  iptablesRule,
  isOwned,
  isSettled,
  marksFor,
  marksOf,
  nftBypass,
  nftPlaces,
  nftRule,
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
import { judge, type RuleChains } from "./verdict.ts";

/** What there is of ours in the packet filter. */
export interface Filter {
  readonly table: Table | null;
  /**
   * Whether other people's chains fit the table. `open`: each gate lets our marks through first. `lax`: not each does, but
   * none rejects anything of ours now. `closed`: there is no table, and nothing of ours in any chain.
   */
  readonly gates: "open" | "lax" | "closed" | "unsettled";
}

/**
 * Looks at our table and at every gate.
 * @throws {FilterError} when it cannot be read
 */
export async function readFilter(
  sys: Sys,
): Promise<{ readonly filter: Filter; readonly gates: readonly BypassRule[] }> {
  const [listing, { bases, gates }] = await Promise.all([listOurs(sys), inspectBypassRules(sys)]);
  const table = listing === undefined ? null : tableOfListing(listing);
  return { filter: { table, gates: await stateOf({ table, gates, bases }, sys) }, gates };
}

/** What nft lists of our table; `undefined` where there is none. */
export async function listOurs(sys: Sys): Promise<readonly Json[] | undefined> {
  return await list(["table", ...TABLE.split(" ")], sys);
}

/** Every base chain that nft knows. */
export async function listBases(sys: Sys): Promise<readonly BaseChain[]> {
  return baseChains(await list(["chains"], sys) ?? []);
}

/**
 * Looks at every gate.
 * @throws {FilterError} when one cannot be read
 */
export async function readBypassRules(sys: Sys): Promise<readonly BypassRule[]> {
  return (await inspectBypassRules(sys)).gates;
}

const TRIES = 4;

/** Another firewall may write its rules anew meanwhile: a chain that has just gone is looked for again. */
async function inspectBypassRules(sys: Sys): Promise<Pick<ChainState, "bases" | "gates">> {
  for (let tries = TRIES; tries > 0; tries--) {
    const bases = await listBases(sys);
    const gates = await bypassRulesAmong(bases, sys);
    if (gates !== undefined) return { bases, gates };
  }
  throw new FilterError("Cannot list the chains of other firewalls: they go while they are looked at");
}

/** The programs, each for its family. */
export const TOOL_NAMES = ["iptables", "ip6tables"] as const satisfies readonly Iptables[];

async function bypassRulesAmong(bases: readonly BaseChain[], sys: Sys): Promise<readonly BypassRule[] | undefined> {
  const places = nftPlaces(bases);
  const chains = places.map((place) => `chain ${BYPASS_CHAINS[place].table} ${BYPASS_CHAINS[place].chain}`);
  const [objects, ...texts] = await Promise.all([
    listEach([...chains, ...(places.includes("firewalld") ? ["tables"] : [])], sys),
    ...TOOL_NAMES.map((tool) => listIptables(tool, { bases, chain: "FORWARD" }, sys)),
  ]);
  if (objects === undefined) return undefined;
  return [
    ...TOOL_NAMES.flatMap((tool, index) => {
      const text = texts[index];
      return text === undefined ? [] : [iptablesBypass(tool, text)];
    }),
    ...places.filter((place) => !isOwned(BYPASS_CHAINS[place].table, objects)).map((place) =>
      nftBypass(place, objects)
    ),
  ];
}

/** What decides how the gates fit the table. */
interface ChainState {
  readonly table: Table | null;
  readonly gates: readonly BypassRule[];
  readonly bases: readonly BaseChain[];
}

async function stateOf({ table, gates, bases }: ChainState, sys: Sys): Promise<Filter["gates"]> {
  if (table === null) return gates.every((gate) => gate.ours.length === 0) ? "closed" : "unsettled";
  const unsettled = gates.filter((gate) => !isSettled(gate, marksFor(gate, table)));
  if (unsettled.length === 0) return "open";
  for (const gate of unsettled) {
    if (!await passesAnyway(gate, { table, bases }, sys)) return "unsettled";
  }
  return "lax";
}

/** Ours may have been pushed down by rules that reject nothing of ours, as Docker does, or may be missing where nothing rejects. */
async function passesAnyway(
  { place, ours }: BypassRule,
  { table, bases }: { readonly table: Table; readonly bases: readonly BaseChain[] },
  sys: Sys,
): Promise<boolean> {
  const marks = marksOf(table);
  const [mark] = marks;
  if (mark === undefined || marks.length > 1 || ours.length > 1) return false;
  const chains = await chainsOf(place, bases, sys);
  if (chains === undefined) return false;
  const packets = packetsOfTable(table, mark, await readDevices(sys));
  return packets.filter(({ family }) => FAMILIES_OF[place].includes(family))
    .every((one) => judge(BYPASS_CHAINS[place].chain, chains, one).kind === "passes");
}

const FAMILIES_OF: Readonly<Record<BypassChain, readonly IpFamily[]>> = {
  iptables: ["ipv4"],
  ip6tables: ["ipv6"],
  "libvirt-ip": ["ipv4"],
  "libvirt-ip6": ["ipv6"],
  firewalld: ["ipv4", "ipv6"],
};

/** All chains that a gate may lead to. */
async function chainsOf(place: BypassChain, bases: readonly BaseChain[], sys: Sys): Promise<RuleChains | undefined> {
  const { tool, table } = BYPASS_CHAINS[place];
  if (tool !== undefined) {
    const text = await listIptables(tool, { bases }, sys);
    return text === undefined ? undefined : iptablesChains(text);
  }
  const objects = await listEach([`table ${table}`], sys);
  return objects === undefined ? undefined : nftChains(objects, table);
}

/** From one filter to another. */
export interface FilterChange {
  readonly from: Filter;
  readonly to: Filter;
  /** How they stand. */
  readonly gates: readonly BypassRule[];
  /** Time is up then, in milliseconds since the program started. */
  readonly deadlineMs: number;
}

/** A program's arguments, and what it reads. */
interface Command {
  readonly argv: readonly [Tool, ...string[]];
  readonly stdin?: string;
}

/**
 * Makes of one what the other is.
 * @throws {FilterError} when it cannot be changed
 */
export async function changeFilter(change: FilterChange, sys: Sys): Promise<void> {
  for (const { argv, stdin } of commandsOf(change)) {
    const timeoutMs = change.deadlineMs - sys.elapsedMs();
    const end = await runTool(argv, { timeoutMs, ...(stdin === undefined ? {} : { stdin }) }, sys);
    if (end.kind !== "done") throw errorOf(end);
  }
}

/** What {@linkcode changeFilter} would run, a line each, with what the program reads beneath it. */
export function filterScript(change: Omit<FilterChange, "deadlineMs">): readonly string[] {
  return commandsOf(change).flatMap(({ argv: [tool, ...words], stdin }) => [
    [TOOLS[tool], ...words].join(" "),
    ...(stdin === undefined ? [] : stdin.trimEnd().split("\n").map((line) => `  ${line}`)),
  ]);
}

/**
 * Gates are opened before anything is marked, and closed when nothing is any more: no packet comes in that would be rejected
 * half-way.
 */
function commandsOf(change: Omit<FilterChange, "deadlineMs">): readonly Command[] {
  const { from, to } = change;
  const script = changeScript(from.table, to.table);
  const table: readonly Command[] = script === "" ? [] : [{ argv: ["nft", "-f", "-"], stdin: script }];
  const gates = bypassCommands(change);
  return to.table === null ? [...table, ...gates] : [...gates, ...table];
}

function bypassCommands({ to, gates }: Omit<FilterChange, "deadlineMs">): readonly Command[] {
  const unsettled = gates.map((gate) => ({ gate, marks: marksFor(gate, to.table) }))
    .filter(({ gate, marks }) => !isSettled(gate, marks));
  const lines = unsettled.flatMap(nftLines);
  return [
    ...unsettled.flatMap(iptablesCommands),
    // In one transaction.
    ...(lines.length === 0 ? [] : [{ argv: ["nft", "-f", "-"], stdin: lines.join("") } as const]),
  ];
}

/** A gate, and what it shall let through. */
interface Opening {
  readonly gate: BypassRule;
  readonly marks: readonly number[];
}

function iptablesCommands({ gate, marks }: Opening): readonly Command[] {
  const { tool } = BYPASS_CHAINS[gate.place];
  if (tool === undefined) return [];
  return [
    ...gate.ours.map((rule): Command => ({ argv: [tool, "-w", "-D", ...rule.replaceAll('"', "").split(" ")] })),
    ...marks.toReversed().map((mark): Command => ({
      argv: [tool, "-w", "-I", "FORWARD", "1", ...iptablesRule(mark)],
    })),
  ];
}

function nftLines({ gate, marks }: Opening): readonly string[] {
  const { tool, table, chain } = BYPASS_CHAINS[gate.place];
  if (tool !== undefined) return [];
  return [
    ...gate.ours.map((handle) => `delete rule ${table} ${chain} handle ${handle}\n`),
    ...marks.toReversed().map((mark) => `insert rule ${table} ${chain} ${nftRule(mark)}\n`),
  ];
}
