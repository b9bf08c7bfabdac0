/**
 * Parses the table `filter` in the output of `iptables -S`, as far as it decides whether a packet passes.
 * @module
 */
import { parseInterval } from "../../net/ip_interval.ts";
import type { PortRange } from "../../plan/nft_demand.ts";
import type { ChainAction, ChainRule, RuleChain, RuleChains, RuleCondition, RuleTest } from "./verdict.ts";

/** Parses the chains of a whole table. */
export function iptablesChains(text: string): RuleChains {
  const chains = new Map<string, RuleChain & { readonly rules: ChainRule[] }>();
  for (const line of text.split("\n")) {
    const [verb, chain = "", ...words] = wordsOf(line);
    if (verb === "-P") chains.set(chain, { rules: [], drops: words[0] === "DROP" });
    if (verb === "-N") chains.set(chain, { rules: [], drops: false });
    if (verb === "-A") chains.get(chain)?.rules.push(ruleOf(words));
  }
  return chains;
}

/** Splits a line like a shell: a comment is in quotes. */
function wordsOf(line: string): readonly string[] {
  return (line.match(/"(?:\\.|[^"\\])*"|\S+/g) ?? []).map((word) => word.replace(/^"|"$/g, ""));
}

function ruleOf(words: readonly string[]): ChainRule {
  const conditions: RuleCondition[] = [];
  let isNegated = false;
  let module = "";
  for (let at = 0; at < words.length; at++) {
    const [word = "", value = ""] = words.slice(at);
    if (word === "!") isNegated = true;
    // Options after a target belong to the target.
    else if (word === "-j" || word === "-g") return { conditions, action: actionOf(word, value) };
    else if (word.startsWith("-")) {
      if (word === "-m") module = value;
      // Different match modules use the same option names.
      const test = word === "--mark" && module !== "mark" ? UNKNOWN : testOf(word, value);
      if (test !== undefined) conditions.push({ ...test, isNegated });
      isNegated = false;
      if (FREE_TEXT_OPTIONS.includes(word)) at++;
    }
  }
  return { conditions, action: { kind: "none" } };
}

/** Options whose value may begin with a dash. */
const FREE_TEXT_OPTIONS: readonly string[] = ["--comment"];

const TARGETS: Readonly<Record<string, ChainAction>> = {
  ACCEPT: { kind: "accept" },
  DROP: { kind: "reject" },
  REJECT: { kind: "reject" },
  RETURN: { kind: "return" },
  NFQUEUE: { kind: "unknown" },
  QUEUE: { kind: "unknown" },
  SYNPROXY: { kind: "unknown" },
};

/** Targets that record or modify a packet and continue with the next rule. */
const CONTINUING_TARGETS: readonly string[] = [
  ...[
    "LOG",
    "NFLOG",
    "ULOG",
    "MARK",
    "CONNMARK",
    "SET",
    "TRACE",
    "TCPMSS",
    "DSCP",
    "TOS",
    "TTL",
    "HL",
    "CLASSIFY",
    "CT",
  ],
  ...["AUDIT", "SECMARK", "CONNSECMARK", "RATEEST", "LED", "NOTRACK", "CHECKSUM", "TEE", "IDLETIMER", "HMARK"],
];

function actionOf(word: string, target: string): ChainAction {
  const known = Object.hasOwn(TARGETS, target) ? TARGETS[target] : undefined;
  if (known !== undefined) return known;
  if (CONTINUING_TARGETS.includes(target)) return { kind: "none" };
  return { kind: word === "-g" ? "goto" : "jump", chain: target };
}

const UNKNOWN = { kind: "unknown" } as const satisfies RuleTest;

/** Parses an option; `undefined` for one that tests nothing. */
function testOf(option: string, value: string): RuleTest | undefined {
  switch (option) {
    case "-m":
    case "--comment":
      return undefined;
    case "-i":
    case "-o":
      return { kind: option === "-i" ? "in" : "out", devices: [value.replace(/\+$/, "*")] };
    case "-d": {
      const network = parseInterval(value);
      return network === undefined ? UNKNOWN : { kind: "to", networks: [network] };
    }
    case "-p":
      return { kind: "protocol", protocols: [value] };
    case "--dport":
    case "--dports": {
      const ports = value.split(",").map(portsOf);
      return ports.every((one) => one !== undefined) ? { kind: "ports", ports } : UNKNOWN;
    }
    case "--state":
    case "--ctstate":
      return stateTest(value.split(","));
    case "--mark":
      return markTest(value);
    default:
      return UNKNOWN;
  }
}

function portsOf(text: string): PortRange | undefined {
  const [, first, last = first] = /^(\d+)(?::(\d+))?$/.exec(text) ?? [];
  return first === undefined ? undefined : { first: Number(first), last: Number(last) };
}

/**
 * Parses connection states. `DNAT` and `SNAT` are no states: they mean that the connection's addresses were
 * translated.
 */
function stateTest(words: readonly string[]): RuleTest {
  if (words.length === 1 && words[0] === "DNAT") return { kind: "translated" };
  if (words.includes("DNAT") || words.includes("SNAT")) return UNKNOWN;
  return { kind: "state", states: words.map((word) => word.toLowerCase()) };
}

function markTest(text: string): RuleTest {
  const [value = NaN, mask = 0xffffffff] = text.split("/").map(Number);
  return Number.isInteger(value) && Number.isInteger(mask) ? { kind: "mark", mask, value } : UNKNOWN;
}
