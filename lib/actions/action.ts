/**
 * Defines actions: what other layers need to know of every kind.
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
   * `event`: carried out at the operations that the rule names. Otherwise the lifetime it lasts in a rule for guests;
   * networks and ports have only one lifetime.
   */
  readonly lasts: "event" | "domain" | "running";
  /** Whether planning may read the call's document. */
  readonly usesDocument: boolean;
  /** What a failure means for the call, if the rule sets it. */
  readonly onError?: OnError | undefined;
  /** The programs that it runs, with placeholders as the rule writes them. */
  readonly programs: readonly ProgramWords[];
  /** The program that undoes it, with placeholders, and what a failure of that means if the rule sets it. */
  readonly undo?: { readonly argv: readonly string[]; readonly onError: OnError | undefined };
  /** The host ports that it forwards to guests. */
  readonly hostEnd?: HostEnd;
  /** For actions that accept packets to guests: the possible address families. */
  readonly families?: readonly IpFamily[];
  /**
   * Finds values that can never take effect at any hook point where the rule can match, or that would do harm at one.
   * Asynchronous if the check loads code.
   */
  findProblems(
    rule: RuleContext,
    hookPoints: readonly HookPoint[],
  ): readonly RuleProblem[] | Promise<readonly RuleProblem[]>;
  /**
   * Returns the intents of the action for a call. Pure.
   * @throws {XmlSyntaxError} if it reads the document, and the document is not well-formed
   */
  plan(rule: RuleContext, call: HookCall): readonly Intent[];
}

/** Returns the lifetime of a lasting action in its rule. */
export function lifetimeOf(lasts: "domain" | "running", rule: RuleContext): Lifetime {
  return rule.while === "guest" ? lasts : rule.while;
}
