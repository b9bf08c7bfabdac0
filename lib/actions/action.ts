/**
 * What every action kind is to the rest of the house.
 * @module
 */
import type { HookCall } from "../libvirt/call.ts";
import type { Lifetime } from "../plan/demand.ts";
import type { Intent, OnError } from "../plan/intent.ts";
import type { IpFamily } from "../net/ip_address.ts";
import type { HostEnd } from "../plan/nft_demand.ts";
import type { ProgramWords } from "../trust/program_words.ts";
import type { HookPoint, RuleContext, RuleProblem } from "../config/rule_context.ts";

/** A configured action of a rule. */
export interface Action {
  readonly kind: string;
  /**
   * `event`: done at the operations that the rule names. Otherwise how long it lasts where a guest's life is meant; a
   * network's or port's life has but one lifetime.
   */
  readonly lasts: "event" | "domain" | "running";
  /** Whether planning it may look at the call's document. */
  readonly looksAtDocument: boolean;
  /** What its failure means for the call, where the rule says so. */
  readonly onError?: OnError | undefined;
  /** What it runs: programs with their arguments, fillings as the rule writes them. */
  readonly programs: readonly ProgramWords[];
  /** What undoes it, as the rule writes it, and what a failure of that comes to where the rule says so. */
  readonly undo?: { readonly argv: readonly string[]; readonly onError: OnError | undefined };
  /** The ports of the host that it takes for guests. */
  readonly takes?: HostEnd;
  /** Where it lets packets through to guests: of which families they can be. */
  readonly families?: readonly IpFamily[];
  /**
   * Finds what can never take effect at any of the places where the rule can match (or would do harm at one). A promise
   * where that takes code which is loaded for it.
   */
  findProblems(
    rule: RuleContext,
    hookPoints: readonly HookPoint[],
  ): readonly RuleProblem[] | Promise<readonly RuleProblem[]>;
  /**
   * What the action does at a call. Pure.
   * @throws {XmlSyntaxError} when it looks at the document, and that is not XML that we read
   */
  plan(rule: RuleContext, call: HookCall): readonly Intent[];
}

/** How long an action with a lifetime lasts in its rule. */
export function lifetimeOf(lasts: "domain" | "running", rule: RuleContext): Lifetime {
  return rule.while === "guest" ? lasts : rule.while;
}
