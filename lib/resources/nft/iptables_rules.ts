/**
 * What `iptables -S` says of the table `filter` → its chains, as far as they decide whether a packet passes.
 * @module
 */
import { parseInterval } from "../../net/ip_interval.ts";
import type { PortRange } from "../../plan/nft_demand.ts";
import type { Action, ChainRule, Condition, RuleChain, RuleChains, Test } from "./verdict.ts";

/** The chains of a whole table. */
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

/** Words as the shell would take them: a comment stands in quotes. */
function wordsOf(line: string): readonly string[] {
  return (line.match(/"(?:\\.|[^"\\])*"|\S+/g) ?? []).map((word) => word.replace(/^"|"$/g, ""));
}

function ruleOf(words: readonly string[]): ChainRule {
  const conditions: Condition[] = [];
  let isNegated = false;
  let module = "";
  for (let at = 0; at < words.length; at++) {
    const [word = "", value = ""] = words.slice(at);
    if (word === "!") isNegated = true;
    // What stands behind a target is its own.
    else if (word === "-j" || word === "-g") return { conditions, action: actionOf(word, value) };
    else if (word.startsWith("-")) {
      if (word === "-m") module = value;
      // Modules share the names of options.
      const test = word === "--mark" && module !== "mark" ? UNKNOWN : testOf(word, value);
      if (test !== undefined) conditions.push({ ...test, isNegated });
      isNegated = false;
      if (TAKES_WORD.includes(word)) at++;
    }
  }
  return { conditions, action: { kind: "none" } };
}

/** Their value may begin with a dash. */
const TAKES_WORD: readonly string[] = ["--comment"];

const TARGETS: Readonly<Record<string, Action>> = {
  ACCEPT: { kind: "accept" },
  DROP: { kind: "reject" },
  REJECT: { kind: "reject" },
  RETURN: { kind: "return" },
  NFQUEUE: { kind: "unknown" },
  QUEUE: { kind: "unknown" },
  SYNPROXY: { kind: "unknown" },
};

/** Targets that note or change something, and let the packet go on. */
const IDLE: readonly string[] = [
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

function actionOf(word: string, target: string): Action {
  const known = Object.hasOwn(TARGETS, target) ? TARGETS[target] : undefined;
  if (known !== undefined) return known;
  if (IDLE.includes(target)) return { kind: "none" };
  return { kind: word === "-g" ? "goto" : "jump", chain: target };
}

const UNKNOWN = { kind: "unknown" } as const satisfies Test;

/** `undefined` for what tests nothing. */
function testOf(option: string, value: string): Test | undefined {
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

/** Among the states are two that are none: what was done to a connection's addresses. */
function stateTest(words: readonly string[]): Test {
  if (words.length === 1 && words[0] === "DNAT") return { kind: "translated" };
  if (words.includes("DNAT") || words.includes("SNAT")) return UNKNOWN;
  return { kind: "state", states: words.map((word) => word.toLowerCase()) };
}

function markTest(text: string): Test {
  const [value = NaN, mask = 0xffffffff] = text.split("/").map(Number);
  return Number.isInteger(value) && Number.isInteger(mask) ? { kind: "mark", mask, value } : UNKNOWN;
}
