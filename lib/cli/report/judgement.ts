/**
 * What `status`, `check` and `check --host` say of the hooks, the rules and the running guests: one judgement, so that they
 * never contradict each other.
 * @module
 */
import { CONFIG_DIRECTORY, DISABLED_FILE, lookAtConfig } from "../../app/product.ts";
import { loadRules } from "../../app/load_rules.ts";
import { compareGuests, differs } from "./rules_difference.ts";
import { refuseArgv } from "../../trust/refuse_program.ts";
import { visible } from "../../text/quote.ts";
import { issueLine } from "../../rules/mistake.ts";
import type { RulesReading } from "../../rules/read.ts";
import type { RuleSet } from "../../rules/rule.ts";
import type { Sys } from "../../sys/sys.ts";
import { formatCount } from "../../text/plural.ts";

/** Whether the hooks do nothing. */
export async function areDisabled(sys: Sys): Promise<boolean> {
  return await lookAtConfig(sys) === "disabled";
}

/** What is said first where the hooks do nothing. */
export const DISABLED_TEXT = `the hooks are disabled by ${DISABLED_FILE} and do nothing until "virt-hooks enable"`;

/** The rules of this host, as the hooks read them, with what keeps the hooks from obeying them. */
export interface OwnRules {
  readonly reading: RulesReading;
  /** Why programs that the rules name are refused, a line each. */
  readonly refusedPrograms: readonly string[];
}

/** Reads the rules of this host. */
export async function readOwnRules(sys: Sys): Promise<OwnRules> {
  const reading = await loadRules(CONFIG_DIRECTORY, sys, { trust: true });
  return { reading, refusedPrograms: reading.kind === "rules" ? await programProblems(reading.ruleSet, sys) : [] };
}

/** Programs that the hooks would refuse to run, each told once with the command that repairs it. */
async function programProblems(ruleSet: RuleSet, sys: Sys): Promise<readonly string[]> {
  // A rule may name one program several times, such as in argv and in undo.
  const problems = new Set<string>();
  for (const { file, name, actions } of ruleSet.rules) {
    for (const program of actions.flatMap((action) => action.programs)) {
      const refusal = await refuseArgv(program, sys);
      if (refusal === undefined) continue;
      const what = `cannot run ${program.argv[0]}: ${refusal.reason}; ${refusal.advice}`;
      problems.add(visible(`${file}: rule "${name}": ${what}`));
    }
  }
  return [...problems];
}

/** The rules of this host in one word, with the first of their problems. */
export interface RulesState {
  readonly state: "ok" | "none" | "broken" | "refused-program";
  readonly problems: number;
  readonly first: string | null;
}

/** Sums up what keeps the hooks from obeying the rules. */
export function rulesState({ reading, refusedPrograms }: OwnRules): RulesState {
  if (reading.kind === "broken") {
    const [first] = reading.issues;
    const text = first === undefined ? null : visible(issueLine(first));
    return { state: "broken", problems: reading.count, first: text };
  }
  const [refused] = refusedPrograms;
  if (refused !== undefined) return { state: "refused-program", problems: refusedPrograms.length, first: refused };
  return { state: reading.ruleSet.rules.length === 0 ? "none" : "ok", problems: 0, first: null };
}

/** Running guests compared with the rules. */
export interface GuestsState {
  /** Those that have not what the rules ask for. */
  readonly differing: readonly DifferingGuest[];
  /** Those of which it cannot be told. */
  readonly unknown: readonly { readonly name: string; readonly because: string }[];
}

/** A running guest that has not what the rules ask for. */
export interface DifferingGuest {
  readonly name: string;
  readonly driver: string;
  /** How many demands the rules would add, and how many they would remove. */
  readonly added: number;
  readonly removed: number;
}

/** Compares the running guests with the rules. */
export async function guestsState(ruleSet: RuleSet, sys: Sys): Promise<GuestsState> {
  const differing: DifferingGuest[] = [];
  const unknown: { readonly name: string; readonly because: string }[] = [];
  for await (const one of compareGuests(ruleSet, sys)) {
    if (one.kind === "unknown") unknown.push({ name: one.name, because: one.reason });
    else if (differs(one)) {
      const { call: { object: name, driver }, added, removed } = one;
      differing.push({ name, driver, added: added.length, removed: removed.length });
    }
  }
  return { differing, unknown };
}

/** The command that shows what would change. */
export const SHOW_DIFFERENCE = "virt-hooks reconcile --rules --dry-run";

/** `2 running guests differ from the rules (web-1, web-2)` */
export function differingText(differing: readonly { readonly name: string }[]): string {
  const verb = differing.length === 1 ? "differs" : "differ";
  return `${formatCount(differing.length, "running guest")} ${verb} from the rules (${
    listed(differing.map(({ name }) => name))
  })`;
}

/** `1 running guest cannot be compared with the rules: web-1: REASON` */
export function unknownText(unknown: readonly { readonly name: string; readonly because: string }[]): string {
  const texts = unknown.map(({ name, because }) => `${name}: ${because}`);
  return `${formatCount(unknown.length, "running guest")} cannot be compared with the rules: ${listed(texts)}`;
}

const NAMES_MAX = 10;

function listed(names: readonly string[]): string {
  const more = names.length - NAMES_MAX;
  return [...names.slice(0, NAMES_MAX).map(visible), ...(more > 0 ? [`and ${more} more`] : [])].join(", ");
}
