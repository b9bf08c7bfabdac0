/**
 * Other firewalls on the host, for a user who wonders why a port is closed.
 * @module
 */
import type { Sys } from "../../sys/sys.ts";
import { type Tool, TOOLS } from "../../sys/tools.ts";
import { leaseProblem, missingRules, readActiveNetworks } from "./active_networks.ts";
import { TOOL_NAMES } from "./filter.ts";
import { marksOf } from "./bypass_rules.ts";
import { type BaseChain, errorOf, type Iptables, LIST_TIMEOUT_MS } from "./list.ts";
import { packetsOfTable } from "./packets.ts";
import { HOOKS } from "./table.ts";
import type { Packets } from "./verdict.ts";
import { type FilterView, fixCommandFor, type Obstacle, obstaclesTo, viewFilter } from "./view.ts";
import { runTool } from "../run_tool.ts";

/** The firewalls of a host. */
export interface Firewalls {
  /** The version that nft prints: `nftables v1.0.6 (Lester Gooch #5)`. */
  readonly version: string;
  /** Programs that filter forwarded packets, for people. */
  readonly names: readonly string[];
  /**
   * Bypass chains that do not accept our mark first and may reject forwards that are open now. `reconcile` repairs
   * them.
   */
  readonly closed: readonly string[];
  /** Chains that virt-hooks does not modify and that may reject packets it accepts. */
  readonly foreign: readonly ForeignChain[];
  /** Chains that may translate a packet before our table. */
  readonly earlier: readonly BaseChain[];
  /** iptables tools whose legacy variant also has tables in the kernel: no program adds bypass rules there. */
  readonly legacy: readonly Iptables[];
  /** Sentences about missing rules of libvirt. */
  readonly missing: readonly string[];
  /** Sentences about networks whose guests get no address. */
  readonly leases: readonly string[];
}

/** A chain that virt-hooks does not modify. */
export interface ForeignChain {
  /** The chain's name in messages. */
  readonly label: string;
  readonly kind: Obstacle["kind"];
  /** The command that makes the chain accept our packets. */
  readonly fixCommand: string;
  /** The command that lists the chain. */
  readonly showCommand: string;
}

/** Firewalls, by their rules in `iptables -S`. */
const IN_IPTABLES = [
  { name: "libvirt", pattern: /^-A FORWARD -j LIBVIRT_FWI\b/m },
  { name: "Docker", pattern: /^-A FORWARD (?:.* )?-j DOCKER\b/m },
  { name: "ufw", pattern: /^-A FORWARD -j ufw6?-/m },
  { name: "the policy DROP", pattern: /^-P FORWARD DROP$/m },
] as const;

/** Firewalls, by their nftables tables. */
const IN_NFT = [
  { name: "libvirt (nftables)", tables: ["ip libvirt_network", "ip6 libvirt_network"] },
  { name: "firewalld", tables: ["inet firewalld", "ip firewalld", "ip6 firewalld"] },
] as const;

/** The kernel's lists of legacy iptables tables. */
const LEGACY = [
  { tool: "iptables", path: "/proc/net/ip_tables_names" },
  { tool: "ip6tables", path: "/proc/net/ip6_tables_names" },
] as const;

/** The traffic that the configured rules accept; chains are judged by it while no forward is active. */
export interface AllowedTraffic {
  /** The mark bit from the settings. */
  readonly mark: number;
  /** Whether a rule opens guests' addresses, without translation of the destination. */
  readonly opens: boolean;
}

/**
 * Inspects the host's firewalls.
 * @throws {FilterError} if the packet filter cannot be read
 */
export async function inspectFirewalls(allowed: AllowedTraffic, sys: Sys): Promise<Firewalls> {
  const version = await toolOutput(["nft", "--version"], sys);
  const view = await viewFilter(sys);
  const networks = await readActiveNetworks(sys);
  const exists = (table: string): boolean => view.chains.some((chain) => chain.table === table);
  const [, ownPriority] = /priority (-\d+)/.exec(HOOKS.prerouting) ?? [];
  return {
    version: version.trim(),
    names: [
      ...TOOL_NAMES.flatMap((tool) => namesInIptables(tool, view.iptables[tool] ?? "")),
      ...IN_NFT.filter(({ tables }) => tables.some(exists)).map(({ name }) => name),
    ],
    ...obstacles(allowed, view),
    earlier: view.bases.filter(({ type, hook, priority }) =>
      type === "nat" && hook === "prerouting" && priority < Number(ownPriority)
    ),
    legacy: await legacyTools(sys),
    missing: missingRules(networks, view, sys),
    leases: networks.flatMap((network) => leaseProblem(network, view) ?? []),
  };
}

/** Returns unrestricted packets, for both families, with and without translation. */
function packetsOfAll({ mark, opens }: AllowedTraffic): readonly Packets[] {
  const unknown = { in: undefined, out: undefined, to: undefined, protocol: undefined, ports: undefined } as const;
  return (["ipv4", "ipv6"] as const).flatMap((family) =>
    (opens ? [true, false] : [true]).map((isTranslated) => (
      { ...unknown, family, isTranslated, mark: { mask: mark, value: mark } }
    ))
  );
}

const KINDS_BY_SEVERITY = ["rejects", "rejects-rest", "rejects-some"] as const satisfies readonly Obstacle["kind"][];

function obstacles(allowed: AllowedTraffic, view: FilterView): Pick<Firewalls, "closed" | "foreign"> {
  const held = marksOf(view.table).flatMap((one) => packetsOfTable(view.table, one, view.deviceTo));
  const found = (held.length === 0 ? packetsOfAll(allowed) : held).flatMap((packets) =>
    obstaclesTo(view, packets).map((obstacle) => ({ obstacle, fixCommand: fixCommandFor(obstacle, packets) }))
  ).toSorted((a, b) => KINDS_BY_SEVERITY.indexOf(a.obstacle.kind) - KINDS_BY_SEVERITY.indexOf(b.obstacle.kind));
  const foreign = new Map<string, ForeignChain>();
  for (
    const { obstacle: { chain, kind, label }, fixCommand } of found.filter(({ obstacle }) => !obstacle.chain.hasBypass)
  ) {
    const path = `${chain.table} ${chain.name}`;
    if (!foreign.has(path)) {
      foreign.set(path, { label, kind, fixCommand: fixCommand, showCommand: `nft list chain ${path}` });
    }
  }
  const gates = found.flatMap(({ obstacle: { chain, label } }) => chain.hasBypass ? [label] : []);
  return { closed: held.length === 0 ? [] : [...new Set(gates)], foreign: [...foreign.values()] };
}

async function toolOutput(argv: readonly [Tool, ...string[]], sys: Sys): Promise<string> {
  const end = await runTool(argv, { timeoutMs: LIST_TIMEOUT_MS }, sys);
  if (end.kind !== "done") throw errorOf(end);
  return end.stdout;
}

function namesInIptables(tool: Iptables, text: string): readonly string[] {
  return IN_IPTABLES.filter(({ pattern }) => pattern.test(text)).map(({ name }) => `${name} (${tool})`);
}

/**
 * Returns the tools whose legacy variant also filters. Only the variant in use is inspected by {@linkcode
 * inspectFirewalls}.
 */
async function legacyTools(sys: Sys): Promise<Firewalls["legacy"]> {
  const names = await sys.kernel.read(LEGACY.map(({ path }) => path));
  const found: Firewalls["legacy"][number][] = [];
  for (const { tool, path } of LEGACY) {
    const hasFilter = names.get(path)?.split("\n").includes("filter") === true;
    if (
      hasFilter && sys.lstat(TOOLS[tool]) !== undefined &&
      (await toolOutput([tool, "--version"], sys)).includes("nf_tables")
    ) {
      found.push(tool);
    }
  }
  return found;
}
