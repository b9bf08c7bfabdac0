/**
 * The packet filter of the host: what stands in our table and in the gates, and how both are changed.
 * @module
 */
import type { Sys } from "../../sys/sys.ts";
import { type Tool, TOOLS } from "../../sys/tools.ts";
import type { IpFamily } from "../../plan/ip_address.ts";
import {
  type Gate,
  gateOfIptables,
  gateOfLibvirtChain,
  iptablesRule,
  isOpen,
  marksOf,
  nftRule,
  NO_GATE,
} from "./gates.ts";
import { type Json, parseListing, tableOfListing } from "./listing.ts";
import { changeScript, TABLE, type Table } from "./table.ts";
import { runTool, type ToolEnd } from "../run_tool.ts";

/** What there is of ours in the packet filter. */
export interface Filter {
  readonly table: Table | null;
  /**
   * Whether other people's chains fit the table. `open`: each that could reject lets our marks through first. `closed`:
   * there is no table, and nothing of ours in any chain.
   */
  readonly gates: "open" | "closed" | "unsettled";
}

/** The packet filter cannot be read or changed. */
export class FilterError extends Error {
  override readonly name = "FilterError";
  /** The kernel does not come back from it. */
  readonly isStuck: boolean;

  constructor(message: string, isStuck = false) {
    super(message);
    this.isStuck = isStuck;
  }
}

/** How long one look may take. */
const LOOK_MS = 5_000;

/** The programs and the families of libvirt's tables whose chain of forwarded packets is a gate. */
const IPTABLES = ["iptables", "ip6tables"] as const satisfies readonly Tool[];
const FAMILIES = ["ip", "ip6"] as const;

/** Every gate of the host. */
export interface Gates {
  readonly iptables: readonly Gate[];
  readonly libvirt: readonly Gate[];
}

/**
 * Looks at everything at once.
 * @throws {FilterError} when it cannot be read
 */
export async function readFilter(sys: Sys): Promise<{ readonly filter: Filter; readonly gates: Gates }> {
  const [listing, gates] = await Promise.all([list(["table", ...TABLE.split(" ")], sys), readGates(sys)]);
  const table = listing === undefined ? null : tableOfListing(listing);
  return { filter: { table, gates: stateOf(gates, table) }, gates };
}

function stateOf({ iptables, libvirt }: Gates, table: Table | null): Filter["gates"] {
  const all = [...iptables, ...libvirt];
  if (table === null) return all.every((gate) => gate.ours.length === 0) ? "closed" : "unsettled";
  const marks = marksOf(table);
  return all.every((gate) => isOpen(gate, marks)) ? "open" : "unsettled";
}

/**
 * Looks at every gate.
 * @throws {FilterError} when one cannot be read
 */
export async function readGates(sys: Sys): Promise<Gates> {
  const [iptables, libvirt] = await Promise.all([
    Promise.all(IPTABLES.map((tool) => readIptables(tool, sys))),
    Promise.all(FAMILIES.map((family) => readLibvirtChain(family, sys))),
  ]);
  return { iptables, libvirt };
}

/** Whose packets each gate sees, and what it is called. */
const GATES = [
  { family: "ipv4", name: "FORWARD of iptables" },
  { family: "ipv6", name: "FORWARD of ip6tables" },
  { family: "ipv4", name: "the chain forward of table ip libvirt_network" },
  { family: "ipv6", name: "the chain forward of table ip6 libvirt_network" },
] as const satisfies readonly { readonly family: IpFamily; readonly name: string }[];

/** The packet filter as it is listed, with all that it counted. */
export interface FilterView {
  /** What nft lists of our table; `undefined` where there is none. */
  readonly listing: readonly Json[] | undefined;
  /** The gates that may reject what our table lets through. */
  readonly closed: readonly (typeof GATES)[number][];
}

/**
 * Looks at everything at once, for a person.
 * @throws {FilterError} when it cannot be read
 */
export async function viewFilter(sys: Sys): Promise<FilterView> {
  const [listing, gates] = await Promise.all([list(["table", ...TABLE.split(" ")], sys), readGates(sys)]);
  const marks = listing === undefined ? [] : marksOf(tableOfListing(listing));
  const all = [...gates.iptables, ...gates.libvirt];
  return { listing, closed: GATES.filter((_, index) => !isOpen(all[index] ?? NO_GATE, marks)) };
}

/** The absolute path, as libvirt calls it: another one may write where nobody looks. */
async function readIptables(tool: "iptables" | "ip6tables", sys: Sys): Promise<Gate> {
  if (sys.lstat(TOOLS[tool]) === undefined) return NO_GATE;
  const end = await runTool([tool, "-w", "-S", "FORWARD"], { timeoutMs: LOOK_MS }, sys);
  if (end.kind === "done") return gateOfIptables(end.stdout);
  // A kernel without such a table has nothing in it that rejects.
  if (end.kind === "failed" && end.code !== undefined) return NO_GATE;
  throw errorOf(end);
}

async function readLibvirtChain(family: "ip" | "ip6", sys: Sys): Promise<Gate> {
  const listing = await list(["chain", family, "libvirt_network", "forward"], sys);
  return listing === undefined ? NO_GATE : gateOfLibvirtChain(listing);
}

/**
 * What nft lists; `undefined` where there is no such thing.
 * @throws {FilterError} when it cannot be listed
 */
export async function list(what: readonly string[], sys: Sys): Promise<readonly Json[] | undefined> {
  const end = await runTool(["nft", "-j", "list", ...what], { timeoutMs: LOOK_MS }, sys);
  if (end.kind === "failed" && end.reason.includes("No such file or directory")) return undefined;
  if (end.kind !== "done") throw errorOf(end);
  const objects = parseListing(end.stdout);
  if (objects === undefined) throw new FilterError(`Cannot read what nft lists of ${what.join(" ")}`);
  return objects;
}

function errorOf(end: Exclude<ToolEnd, { readonly kind: "done" }>): FilterError {
  return new FilterError(end.reason, end.kind === "stuck");
}

/** From one filter to another. */
export interface FilterChange {
  readonly from: Filter;
  readonly to: Filter;
  /** How they stand. */
  readonly gates: Gates;
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
  const gates = gateCommands(change);
  return to.table === null ? [...table, ...gates] : [...gates, ...table];
}

function gateCommands({ to, gates: { iptables, libvirt } }: Omit<FilterChange, "deadlineMs">): readonly Command[] {
  const marks = marksOf(to.table);
  return [
    ...iptables.flatMap((gate, index) => iptablesCommands(gate, IPTABLES[index] ?? "iptables", marks)),
    ...libvirtCommands(libvirt, marks),
  ];
}

/** Whether a gate is as it shall be: open for the marks, or without anything of ours where there are none. */
function isSettled(gate: Gate, marks: readonly number[]): boolean {
  return marks.length === 0 ? gate.ours.length === 0 : isOpen(gate, marks);
}

function iptablesCommands(gate: Gate, tool: "iptables" | "ip6tables", marks: readonly number[]): readonly Command[] {
  if (isSettled(gate, marks)) return [];
  return [
    ...gate.ours.map((rule): Command => ({ argv: [tool, "-w", "-D", ...rule.replaceAll('"', "").split(" ")] })),
    ...marks.toReversed().map((mark): Command => ({
      argv: [tool, "-w", "-I", "FORWARD", "1", ...iptablesRule(mark)],
    })),
  ];
}

/** In one transaction. */
function libvirtCommands(gates: readonly Gate[], marks: readonly number[]): readonly Command[] {
  const lines = gates.flatMap((gate, index) => {
    const chain = `${FAMILIES[index]} libvirt_network forward`;
    if (isSettled(gate, marks)) return [];
    return [
      ...gate.ours.map((handle) => `delete rule ${chain} handle ${handle}\n`),
      ...marks.toReversed().map((mark) => `insert rule ${chain} ${nftRule(mark)}\n`),
    ];
  });
  return lines.length === 0 ? [] : [{ argv: ["nft", "-f", "-"], stdin: lines.join("") }];
}
