/**
 * Our own table of the packet filter in normal form: every rule is the text that makes it, and what stands in no order is
 * sorted. So two tables that do the same are the same data, whoever wrote them.
 * @module
 */

/** The table. */
export const TABLE = "inet virt_hooks";

/** A chain with its rules. */
export interface Chain {
  readonly name: string;
  /** How the kernel calls it, `type nat hook …`; empty for a chain that only others jump to. */
  readonly hook: string;
  readonly rules: readonly string[];
}

/** The table. */
export interface Table {
  readonly counters: readonly string[];
  readonly chains: readonly Chain[];
  /** What we never make, as `delete` names it: `set x`. */
  readonly foreign: readonly string[];
}

/** Our chains. As numbers, since nft 1.0.6 refuses `dstnat - 5` in `output`. */
export const HOOKS = {
  to_guest: "",
  prerouting: "type nat hook prerouting priority -105 ; policy accept ;",
  output: "type nat hook output priority -105 ; policy accept ;",
  postrouting: "type nat hook postrouting priority 95 ; policy accept ;",
  forward: "type filter hook forward priority -5 ; policy accept ;",
} as const;

/** One of our chains. */
export type ChainName = keyof typeof HOOKS;

/** Chains in which the order of rules counts; in the others each packet meets one of ours at the most. */
const ORDERED: readonly string[] = ["prerouting", "output"] satisfies readonly ChainName[];

/** What every table of ours has, whatever is asked for. */
const FIXED = {
  prerouting: ["fib daddr type local jump to_guest"],
  // Without the returns the host's own services on a forwarded port could not be reached by its loopback addresses.
  output: ["ip daddr 127.0.0.0/8 return", "ip6 daddr ::1 return", "fib daddr type local jump to_guest"],
} as const satisfies Partial<Record<ChainName, readonly string[]>>;

/** Puts a table into normal form. */
export function normalTable({ counters, chains, foreign }: Table): Table {
  return {
    counters: counters.toSorted(),
    chains: chains.toSorted((a, b) => rankOf(a) - rankOf(b) || (a.name < b.name ? -1 : 1)).map((chain) =>
      ORDERED.includes(chain.name) ? chain : { ...chain, rules: chain.rules.toSorted() }
    ),
    foreign: foreign.toSorted(),
  };
}

function rankOf({ name }: Chain): number {
  const index = Object.keys(HOOKS).indexOf(name);
  return index === -1 ? Object.keys(HOOKS).length : index;
}

/** The rules that demands ask for, by chain. */
export type Rules = Readonly<Record<"to_guest" | "forward" | "postrouting", readonly string[]>>;

/** The table with these rules. */
export function tableOf(counters: Iterable<string>, rules: Rules): Table {
  const all: Readonly<Record<ChainName, readonly string[]>> = { ...FIXED, ...rules };
  const chains = Object.entries(HOOKS).map(([name, hook]) => ({ name, hook, rules: [] }));
  return normalTable({
    counters: [...new Set(counters)],
    chains: chains.map((chain) => ({
      ...chain,
      rules: [...new Set(Object.entries(all).find(([name]) => name === chain.name)?.[1])],
    })),
    foreign: [],
  });
}

/**
 * What makes one table out of another, for `nft -f -`; empty where they are the same. Nothing is deleted where adding is
 * enough: then the kernel need not wait for anybody, and connections never meet a half of it.
 */
export function changeScript(from: Table | null, to: Table | null): string {
  if (to === null) return from === null ? "" : `delete table ${TABLE}\n`;
  const lines = from === null ? makeLines(to) : additions(from, to) ?? refillLines(from, to);
  return lines.map((line) => `${line}\n`).join("");
}

function makeLines(to: Table): readonly string[] {
  return [`add table ${TABLE}`, ...frameLines(to), ...ruleLines(to.chains)];
}

/** Adding what is there already changes nothing. */
function frameLines({ counters, chains }: Table): readonly string[] {
  return [
    ...counters.map((name) => `add counter ${TABLE} ${name}`),
    ...chains.map(({ name, hook }) => `add chain ${TABLE} ${name}${hook === "" ? "" : ` { ${hook} }`}`),
  ];
}

function ruleLines(chains: readonly Chain[]): readonly string[] {
  return chains.flatMap(({ name, rules }) => rules.map((rule) => `add rule ${TABLE} ${name} ${rule}`));
}

/** The lines that add what is missing, or `undefined` where something must go too. */
function additions(from: Table, to: Table): readonly string[] | undefined {
  const isFrameOurs = from.foreign.length === 0 && sameFrame(from, to);
  if (!isFrameOurs || !from.counters.every((name) => to.counters.includes(name))) return undefined;
  const missing: Chain[] = [];
  for (const [index, chain] of to.chains.entries()) {
    const rules = missingRules(from.chains[index]?.rules ?? [], chain);
    if (rules === undefined) return undefined;
    missing.push({ ...chain, rules });
  }
  const counters = to.counters.filter((name) => !from.counters.includes(name));
  return [...counters.map((name) => `add counter ${TABLE} ${name}`), ...ruleLines(missing)];
}

function sameFrame(from: Table, to: Table): boolean {
  return JSON.stringify(from.chains.map(({ name, hook }) => [name, hook])) ===
    JSON.stringify(to.chains.map(({ name, hook }) => [name, hook]));
}

/** Both are sorted, unless order counts: then they must be the same. */
function missingRules(present: readonly string[], { name, rules }: Chain): readonly string[] | undefined {
  if (ORDERED.includes(name)) return JSON.stringify(present) === JSON.stringify(rules) ? [] : undefined;
  const wanted = new Set(rules);
  const isClean = new Set(present).size === present.length && present.every((rule) => wanted.has(rule));
  if (!isClean) return undefined;
  const there = new Set(present);
  return rules.filter((rule) => !there.has(rule));
}

/** Everything anew in one transaction, in which counters keep what they counted. */
function refillLines(from: Table, to: Table): readonly string[] {
  const kept = new Set(to.chains.map(({ name, hook }) => `${name} ${hook}`));
  const wrongChains = from.chains.filter(({ name, hook }) => !kept.has(`${name} ${hook}`)).map(({ name }) => name);
  const oldCounters = from.counters.filter((name) => !to.counters.includes(name));
  return [
    `add table ${TABLE}`,
    `flush table ${TABLE}`,
    ...from.foreign.map((name) => `delete ${foreignName(name)}`),
    ...wrongChains.map((name) => `delete chain ${TABLE} ${name}`),
    ...oldCounters.map((name) => `delete counter ${TABLE} ${name}`),
    ...frameLines(to),
    ...ruleLines(to.chains),
  ];
}

/** `set x` → `set inet virt_hooks x` */
function foreignName(name: string): string {
  const end = name.lastIndexOf(" ");
  return `${name.slice(0, end)} ${TABLE} ${name.slice(end + 1)}`;
}
