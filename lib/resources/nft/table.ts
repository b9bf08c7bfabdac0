/**
 * Our nftables table in normal form: every rule is the text that creates it, and unordered parts are sorted. Two
 * tables with the same effect are the same data, whichever program created them.
 * @module
 */

export const TABLE = "inet virt_hooks";

/** A chain with its rules. */
export interface Chain {
  readonly name: string;
  /** The hook specification, `type nat hook …`; empty for a chain that other chains jump to. */
  readonly hook: string;
  readonly rules: readonly string[];
}

export interface Table {
  readonly counters: readonly string[];
  readonly chains: readonly Chain[];
  /** Objects that virt-hooks never creates, as `delete` names them: `set x`. */
  readonly foreign: readonly string[];
}

/** Our chains. Priorities are numbers, since nft 1.0.6 rejects `dstnat - 5` in `output`. */
export const HOOKS = {
  to_guest: "",
  prerouting: "type nat hook prerouting priority -105 ; policy accept ;",
  output: "type nat hook output priority -105 ; policy accept ;",
  postrouting: "type nat hook postrouting priority 95 ; policy accept ;",
  forward: "type filter hook forward priority -5 ; policy accept ;",
} as const;

/** The name of one of our chains. */
export type ChainName = keyof typeof HOOKS;

/** Chains in which the order of rules matters; in the others a packet matches at most one rule. */
const ORDERED: readonly string[] = ["prerouting", "output"] satisfies readonly ChainName[];

/** Rules that every table contains. */
const FIXED = {
  prerouting: ["fib daddr type local jump to_guest"],
  // Without the returns, the host's own services on a forwarded port would not be reachable at its loopback
  // addresses.
  output: ["ip daddr 127.0.0.0/8 return", "ip6 daddr ::1 return", "fib daddr type local jump to_guest"],
} as const satisfies Partial<Record<ChainName, readonly string[]>>;

/** Converts a table to normal form. */
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

/** The rules for demands, by chain. */
export type Rules = Readonly<Record<"to_guest" | "forward" | "postrouting", readonly string[]>>;

/** Creates the table with the given rules. */
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
 * Returns the script for `nft -f -` that changes one table into another; empty if they are equal. If adding rules is
 * sufficient, nothing is deleted: then the kernel need not wait for other CPUs, and connections never see a partial
 * table.
 */
export function changeScript(from: Table | null, to: Table | null): string {
  if (to === null) return from === null ? "" : `delete table ${TABLE}\n`;
  const lines = from === null ? createLines(to) : additions(from, to) ?? replaceLines(from, to);
  return lines.map((line) => `${line}\n`).join("");
}

function createLines(to: Table): readonly string[] {
  return [`add table ${TABLE}`, ...frameLines(to), ...ruleLines(to.chains)];
}

/** Adding an existing counter or chain has no effect. */
function frameLines({ counters, chains }: Table): readonly string[] {
  return [
    ...counters.map((name) => `add counter ${TABLE} ${name}`),
    ...chains.map(({ name, hook }) => `add chain ${TABLE} ${name}${hook === "" ? "" : ` { ${hook} }`}`),
  ];
}

function ruleLines(chains: readonly Chain[]): readonly string[] {
  return chains.flatMap(({ name, rules }) => rules.map((rule) => `add rule ${TABLE} ${name} ${rule}`));
}

/** Returns the lines that add what is missing, or `undefined` if something must be deleted. */
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

/**
 * Returns the rules that are missing from a chain, or `undefined` if it contains others. Both lists are sorted; where
 * the order matters they must be equal.
 */
function missingRules(present: readonly string[], { name, rules }: Chain): readonly string[] | undefined {
  if (ORDERED.includes(name)) return JSON.stringify(present) === JSON.stringify(rules) ? [] : undefined;
  const wanted = new Set(rules);
  const isClean = new Set(present).size === present.length && present.every((rule) => wanted.has(rule));
  if (!isClean) return undefined;
  const there = new Set(present);
  return rules.filter((rule) => !there.has(rule));
}

/** Returns the lines that replace everything in one transaction. Counters keep their values. */
function replaceLines(from: Table, to: Table): readonly string[] {
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

/** Converts `set x` to `set inet virt_hooks x`. */
function foreignName(name: string): string {
  const end = name.lastIndexOf(" ");
  return `${name.slice(0, end)} ${TABLE} ${name.slice(end + 1)}`;
}
