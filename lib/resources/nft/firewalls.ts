/**
 * What else has a say in the host's packet filter, for a person who wonders why a port is closed.
 * @module
 */
import type { Sys } from "../../sys/sys.ts";
import { type Tool, TOOLS } from "../../sys/tools.ts";
import { FilterError, list } from "./filter.ts";
import { isObject, type Json } from "./listing.ts";
import { HOOKS, TABLE } from "./table.ts";
import { runTool } from "../run_tool.ts";

/** A chain that the kernel calls. */
export interface BaseChain {
  /** `inet filter` */
  readonly table: string;
  readonly name: string;
  readonly type: string;
  readonly hook: string;
  readonly priority: number;
  readonly policy: string;
}

/** What there is. */
export interface Firewalls {
  /** What nft says it is: `nftables v1.0.6 (Lester Gooch #5)`. */
  readonly version: string;
  /** Who filters what is passed on, for people. */
  readonly names: readonly string[];
  /** Chains of somebody's own that drop what none of their rules accepts, marked or not. */
  readonly dropping: readonly BaseChain[];
  /** Chains that may send a packet elsewhere before our table is asked. */
  readonly earlier: readonly BaseChain[];
  /** Tools of iptables of which an older form has tables of its own in the kernel: nobody lets anything through there. */
  readonly legacy: readonly ("iptables" | "ip6tables")[];
}

const LOOK_MS = 5_000;

/** By what each is known in `iptables -S FORWARD`. */
const IN_IPTABLES = [
  { name: "libvirt", pattern: /-j LIBVIRT_FWI\b/ },
  { name: "Docker", pattern: /-j DOCKER\b/ },
  { name: "ufw", pattern: /-j ufw-/ },
  { name: "the policy DROP", pattern: /^-P FORWARD DROP$/m },
] as const;

/** By what table each is known. Of these our mark is let through, or need not be. */
const IN_NFT = [
  { name: "libvirt (nftables)", tables: ["ip libvirt_network", "ip6 libvirt_network"] },
  { name: "firewalld", tables: ["inet firewalld", "ip firewalld", "ip6 firewalld"] },
] as const;

/** Where the kernel names the tables of iptables' older form. */
const LEGACY = [
  { tool: "iptables", path: "/proc/net/ip_tables_names" },
  { tool: "ip6tables", path: "/proc/net/ip6_tables_names" },
] as const;

/** Where the tools of iptables keep what they filter, if they write for nft: those are looked at by iptables itself. */
const OF_IPTABLES: readonly string[] = ["ip filter", "ip6 filter"];

/**
 * Looks who else there is. `mark` is the bit that a chain may let through by a rule of somebody's own.
 * @throws {FilterError} when the packet filter cannot be read
 */
export async function lookAtFirewalls(mark: number, sys: Sys): Promise<Firewalls> {
  const version = await said(["nft", "--version"], sys);
  const chains = baseChains(await list(["chains"], sys) ?? []).filter(({ table }) => table !== TABLE);
  const known = [...IN_NFT.flatMap(({ tables }) => tables), ...OF_IPTABLES];
  const forward = chains.filter(({ hook }) => hook === "forward");
  const dropping: BaseChain[] = [];
  for (const chain of forward) {
    const isForeign = chain.policy === "drop" && !known.includes(chain.table);
    if (isForeign && !await letsThrough(chain, mark, sys)) dropping.push(chain);
  }
  const [, ours] = /priority (-\d+)/.exec(HOOKS.prerouting) ?? [];
  return {
    version: version.trim(),
    names: [
      ...await namesInIptables("iptables", sys),
      ...await namesInIptables("ip6tables", sys),
      ...IN_NFT.filter(({ tables }) => tables.some((table) => forward.some((chain) => chain.table === table)))
        .map(({ name }) => name),
    ],
    dropping,
    earlier: chains.filter(({ type, hook, priority }) =>
      type === "nat" && hook === "prerouting" && priority < Number(ours)
    ),
    legacy: await legacyTools(sys),
  };
}

async function said(argv: readonly [Tool, ...string[]], sys: Sys): Promise<string> {
  const end = await runTool(argv, { timeoutMs: LOOK_MS }, sys);
  if (end.kind !== "done") throw new FilterError(end.reason);
  return end.stdout;
}

async function namesInIptables(tool: "iptables" | "ip6tables", sys: Sys): Promise<readonly string[]> {
  if (sys.lstat(TOOLS[tool]) === undefined) return [];
  const end = await runTool([tool, "-w", "-S", "FORWARD"], { timeoutMs: LOOK_MS }, sys);
  if (end.kind !== "done") return [];
  return IN_IPTABLES.filter(({ pattern }) => pattern.test(end.stdout)).map(({ name }) => `${name} (${tool})`);
}

/** Both forms filter, each in tables of its own; what the older one filters is looked at only where it is the one in use. */
async function legacyTools(sys: Sys): Promise<Firewalls["legacy"]> {
  const names = await sys.kernel.read(LEGACY.map(({ path }) => path));
  const found: Firewalls["legacy"][number][] = [];
  for (const { tool, path } of LEGACY) {
    const hasFilter = names.get(path)?.split("\n").includes("filter") === true;
    if (
      hasFilter && sys.lstat(TOOLS[tool]) !== undefined && (await said([tool, "--version"], sys)).includes("nf_tables")
    ) {
      found.push(tool);
    }
  }
  return found;
}

function baseChains(objects: readonly Json[]): readonly BaseChain[] {
  return objects.map(({ chain }) => chain).filter(isObject).filter(({ hook }) => hook !== undefined)
    .map(({ family, table, name, type, hook, prio, policy }) => ({
      table: `${family} ${table}`,
      name: String(name),
      type: String(type),
      hook: String(hook),
      priority: Number(prio),
      policy: String(policy),
    }));
}

/** Whether a rule of the chain accepts what bears our mark. */
async function letsThrough({ table, name }: BaseChain, mark: number, sys: Sys): Promise<boolean> {
  const objects = await list(["chain", ...table.split(" "), name], sys) ?? [];
  return objects.map(({ rule }) => rule).filter(isObject).some(({ expr }) => {
    const terms: unknown[] = Array.isArray(expr) ? expr : [];
    const text = JSON.stringify(terms);
    return text.includes('{"meta":{"key":"mark"}}') && new RegExp(`\\b${mark}\\b`).test(text) &&
      terms.some((term) => isObject(term) && "accept" in term);
  });
}
