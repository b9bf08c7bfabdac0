/**
 * `nft` and `iptables` of a host in memory, as far as the product calls them. A rule is listed as one comparison of its first two
 * words with the rest of its text; how the real nft lists rules is the affair of tests with the real one.
 * @module
 */
import type { Command } from "../../lib/sys/sys.ts";
import type { MemoryProgram } from "../../lib/sys/memory_sys.ts";
import { TOOLS } from "../../lib/sys/tools.ts";

/** What stands in the packet filter. */
export interface FakeFilter {
  readonly programs: Readonly<Record<string, MemoryProgram>>;
  /** Every rule of our table, behind its chain's name; none without a table. */
  rules(): readonly string[];
  /** The rules of FORWARD, of iptables and ip6tables. */
  readonly forward: { readonly iptables: string[]; readonly ip6tables: string[] };
  /** What went through, by the counter's name. */
  readonly counted: Record<string, { readonly packets: number; readonly bytes: number }>;
  /** Chains of others, with their rules, as nft lists them in JSON. */
  readonly others: { readonly chains: unknown[]; readonly rules: unknown[] };
  /** Somebody flushes everything of nft. */
  flush(): void;
  /** From now on nft fails with this. */
  breakNft(stderr: string): void;
  /** How often each program wrote. */
  readonly writes: { count: number };
}

interface FakeTable {
  readonly counters: Set<string>;
  readonly chains: Map<string, { readonly hook: string; readonly rules: string[] }>;
}

const LIBVIRT_RULES = ["-N LIBVIRT_FWI", "-A LIBVIRT_FWI -o virbr0 -j REJECT"];

/** Makes a packet filter in which libvirt's own rules reject. */
export function fakeFilter(): FakeFilter {
  const forward = { iptables: ["-j LIBVIRT_FWI"], ip6tables: ["-j LIBVIRT_FWI"] };
  const writes = { count: 0 };
  const counted: FakeFilter["counted"] = {};
  let table: FakeTable | undefined;
  const others: FakeFilter["others"] = { chains: [], rules: [] };
  let trouble: string | undefined;
  function nft(command: Command): ReturnType<MemoryProgram> {
    if (trouble !== undefined) return { end: { kind: "exited", code: 1 }, stderr: `Error: ${trouble}\n` };
    if (command.argv.includes("--version")) return { stdout: "nftables v1.0.6 (Lester Gooch #5)\n" };
    if (command.argv.includes("chains")) return { stdout: JSON.stringify({ nftables: others.chains }) };
    if (command.argv.includes("-t")) {
      return { stdout: JSON.stringify({ nftables: [...others.chains, ...others.rules] }) };
    }
    if (command.argv.includes("table") && !command.argv.includes("virt_hooks")) {
      return { stdout: JSON.stringify({ nftables: others.rules }) };
    }
    if (command.argv.includes("list")) {
      const isOurs = command.argv.includes("virt_hooks");
      return isOurs && table !== undefined
        ? { stdout: listing(table, counted) }
        : { end: { kind: "exited", code: 1 }, stderr: "Error: No such file or directory\n" };
    }
    writes.count++;
    for (const line of new TextDecoder().decode(command.stdin).trimEnd().split("\n")) table = apply(line, table);
    return {};
  }
  const iptables = (rules: string[]): MemoryProgram => ({ argv: [, first, verb, , ...rest] }) => {
    if (first === "--version") return { stdout: "iptables v1.8.9 (nf_tables)\n" };
    if (verb === "-S") {
      const forwarded = rules.map((rule) => `-A FORWARD ${rule}`);
      const ofLibvirt = rules.includes("-j LIBVIRT_FWI") ? LIBVIRT_RULES : [];
      return { stdout: ["-P INPUT ACCEPT", "-P FORWARD ACCEPT", ...ofLibvirt, ...forwarded, ""].join("\n") };
    }
    writes.count++;
    if (verb === "-I") rules.unshift(rest.slice(1).join(" "));
    if (verb === "-D") rules.splice(rules.indexOf(rest.join(" ")), 1);
    return {};
  };
  return {
    forward,
    counted,
    others,
    flush: () => {
      table = undefined;
    },
    breakNft: (stderr) => {
      trouble = stderr;
    },
    writes,
    rules: () => [...table?.chains ?? []].flatMap(([name, { rules }]) => rules.map((rule) => `${name} ${rule}`)),
    programs: {
      // No connection stands.
      [TOOLS.conntrack]: () => ({}),
      [TOOLS.nft]: nft,
      [TOOLS.iptables]: iptables(forward.iptables),
      [TOOLS.ip6tables]: iptables(forward.ip6tables),
    },
  };
}

/** One line of a script; every line of ours names the table. */
function apply(line: string, table: FakeTable | undefined): FakeTable | undefined {
  const [, what = "", name = "", rest = ""] = /^(\w+ \w+) inet virt_hooks ?(\S*) ?(.*)$/.exec(line) ?? [];
  const made = table ?? { counters: new Set(), chains: new Map() };
  switch (what) {
    case "add table":
      return made;
    case "flush table":
      for (const { rules } of made.chains.values()) rules.length = 0;
      return made;
    case "delete table":
      return undefined;
    case "add counter":
      made.counters.add(name);
      return made;
    case "delete counter":
      made.counters.delete(name);
      return made;
    case "add chain":
      if (!made.chains.has(name)) made.chains.set(name, { hook: rest, rules: [] });
      return made;
    case "add rule":
      made.chains.get(name)?.rules.push(rest);
      return made;
    default:
      throw new Error(`Cannot play nft: ${line}`);
  }
}

function listing({ counters, chains }: FakeTable, counted: FakeFilter["counted"]): string {
  const objects = [
    ...[...counters].map((name) => ({ counter: { name, ...counted[name] ?? NOTHING_COUNTED } })),
    ...[...chains].map(([name, { hook }]) => ({ chain: { name, ...hookOf(hook) } })),
    ...[...chains].flatMap(([chain, { rules }]) =>
      rules.map((rule) => ({ rule: { chain, expr: [comparison(rule)] } }))
    ),
  ];
  return JSON.stringify({ nftables: objects });
}

const NOTHING_COUNTED = { packets: 0, bytes: 0 } as const;

function hookOf(text: string): Readonly<Record<string, unknown>> {
  const [, type, hook, prio, policy] = /^\{ type (\w+) hook (\w+) priority (\S+) ; policy (\w+) ; \}$/.exec(text) ?? [];
  return hook === undefined ? {} : { type, hook, prio: Number(prio), policy };
}

/** A rule is listed as one part. */
function comparison(rule: string): unknown {
  const [protocol, field, ...rest] = rule.split(" ");
  return { match: { op: "==", left: { payload: { protocol, field } }, right: rest.join(" ") } };
}
