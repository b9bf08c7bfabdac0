/**
 * What else has a say in the host's packet filter, for a person who wonders why a port is closed.
 * @module
 */
import type { Sys } from "../../sys/sys.ts";
import { type Tool, TOOLS } from "../../sys/tools.ts";
import { leaseProblem, missingRules, readActiveNetworks } from "./active_networks.ts";
import { TOOL_NAMES } from "./filter.ts";
import { marksOf } from "./bypass_rules.ts";
import { type BaseChain, errorOf, type Iptables, LOOK_MS } from "./list.ts";
import { packetsOfTable } from "./packets.ts";
import { HOOKS } from "./table.ts";
import type { Packets } from "./verdict.ts";
import { cureFor, type FilterView, type Obstacle, obstaclesTo, viewFilter } from "./view.ts";
import { runTool } from "../run_tool.ts";

/** What there is. */
export interface Firewalls {
  /** What nft says it is: `nftables v1.0.6 (Lester Gooch #5)`. */
  readonly version: string;
  /** Who filters what is passed on, for people. */
  readonly names: readonly string[];
  /** Gates whose first rule is not ours, and that may reject what is held open now: reconciling opens them. */
  readonly closed: readonly string[];
  /** Chains that virt-hooks does not write to and that may reject what it lets in. */
  readonly foreign: readonly ForeignChain[];
  /** Chains that may send a packet elsewhere before our table is asked. */
  readonly earlier: readonly BaseChain[];
  /** Tools of iptables of which an older form has tables of its own in the kernel: nobody lets anything through there. */
  readonly legacy: readonly Iptables[];
  /** What is missing of libvirt's own rules. */
  readonly missing: readonly string[];
  /** Why guests of some network get no address. */
  readonly leases: readonly string[];
}

/** A chain of somebody's own. */
export interface ForeignChain {
  /** For people. */
  readonly called: string;
  readonly kind: Obstacle["kind"];
  /** The command that lets our packets through. */
  readonly cure: string;
  /** The command that shows it. */
  readonly look: string;
}

/** By what each is known in `iptables -S`. */
const IN_IPTABLES = [
  { name: "libvirt", pattern: /^-A FORWARD -j LIBVIRT_FWI\b/m },
  { name: "Docker", pattern: /^-A FORWARD (?:.* )?-j DOCKER\b/m },
  { name: "ufw", pattern: /^-A FORWARD -j ufw6?-/m },
  { name: "the policy DROP", pattern: /^-P FORWARD DROP$/m },
] as const;

/** By what table each is known. */
const IN_NFT = [
  { name: "libvirt (nftables)", tables: ["ip libvirt_network", "ip6 libvirt_network"] },
  { name: "firewalld", tables: ["inet firewalld", "ip firewalld", "ip6 firewalld"] },
] as const;

/** Where the kernel names the tables of iptables' older form. */
const LEGACY = [
  { tool: "iptables", path: "/proc/net/ip_tables_names" },
  { tool: "ip6tables", path: "/proc/net/ip6_tables_names" },
] as const;

/** What the rules let in, by which chains are judged while nothing is held. */
export interface LetIn {
  /** The bit of the settings. */
  readonly mark: number;
  /** Whether a rule opens addresses of guests, of which the destination is not changed. */
  readonly opens: boolean;
}

/**
 * Looks who else there is.
 * @throws {FilterError} when the packet filter cannot be read
 */
export async function lookAtFirewalls(letIn: LetIn, sys: Sys): Promise<Firewalls> {
  const version = await said(["nft", "--version"], sys);
  const view = await viewFilter(sys);
  const networks = await readActiveNetworks(sys);
  const isThere = (table: string): boolean => view.chains.some((chain) => chain.table === table);
  const [, ours] = /priority (-\d+)/.exec(HOOKS.prerouting) ?? [];
  return {
    version: version.trim(),
    names: [
      ...TOOL_NAMES.flatMap((tool) => namesInIptables(tool, view.iptables[tool] ?? "")),
      ...IN_NFT.filter(({ tables }) => tables.some(isThere)).map(({ name }) => name),
    ],
    ...obstacles(letIn, view),
    earlier: view.bases.filter(({ type, hook, priority }) =>
      type === "nat" && hook === "prerouting" && priority < Number(ours)
    ),
    legacy: await legacyTools(sys),
    missing: missingRules(networks, view, sys),
    leases: networks.flatMap((network) => leaseProblem(network, view) ?? []),
  };
}

/** Whatever may be let in. */
function anything({ mark, opens }: LetIn): readonly Packets[] {
  const unknown = { in: undefined, out: undefined, to: undefined, protocol: undefined, ports: undefined } as const;
  return (["ipv4", "ipv6"] as const).flatMap((family) =>
    (opens ? [true, false] : [true]).map((isTranslated) => (
      { ...unknown, family, isTranslated, mark: { mask: mark, value: mark } }
    ))
  );
}

const WORST = ["rejects", "rejects-rest", "rejects-some"] as const satisfies readonly Obstacle["kind"][];

function obstacles(letIn: LetIn, view: FilterView): Pick<Firewalls, "closed" | "foreign"> {
  const held = marksOf(view.table).flatMap((one) => packetsOfTable(view.table, one, view.deviceTo));
  const found = (held.length === 0 ? anything(letIn) : held).flatMap((packets) =>
    obstaclesTo(view, packets).map((obstacle) => ({ obstacle, cure: cureFor(obstacle, packets) }))
  ).toSorted((a, b) => WORST.indexOf(a.obstacle.kind) - WORST.indexOf(b.obstacle.kind));
  const foreign = new Map<string, ForeignChain>();
  for (const { obstacle: { chain, kind, called }, cure } of found.filter(({ obstacle }) => !obstacle.chain.isGate)) {
    const place = `${chain.table} ${chain.name}`;
    if (!foreign.has(place)) foreign.set(place, { called, kind, cure, look: `nft list chain ${place}` });
  }
  const gates = found.flatMap(({ obstacle: { chain, called } }) => chain.isGate ? [called] : []);
  return { closed: held.length === 0 ? [] : [...new Set(gates)], foreign: [...foreign.values()] };
}

async function said(argv: readonly [Tool, ...string[]], sys: Sys): Promise<string> {
  const end = await runTool(argv, { timeoutMs: LOOK_MS }, sys);
  if (end.kind !== "done") throw errorOf(end);
  return end.stdout;
}

function namesInIptables(tool: Iptables, text: string): readonly string[] {
  return IN_IPTABLES.filter(({ pattern }) => pattern.test(text)).map(({ name }) => `${name} (${tool})`);
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
