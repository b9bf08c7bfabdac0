/**
 * What every action kind is to the rest of the house.
 * @module
 */
import type { Driver, Operation } from "../libvirt/driver.ts";
import type { HookCall } from "../libvirt/call.ts";
import type { Lifetime } from "../plan/demand.ts";
import type { Intent, OnError } from "../plan/intent.ts";
import type { IpFamily } from "../plan/ip_address.ts";
import type { HostEnd } from "../plan/nft_demand.ts";
import type { ProgramWords } from "../plan/program_words.ts";
import type { Namespaces } from "../xml/path_parser.ts";

/** One operation of one driver at which a rule can match, with the time its calls have. */
export interface Place {
  readonly driver: Driver;
  readonly operation: string;
  readonly facts: Operation;
  readonly budgetMs: number;
}

/** Whose life a rule with holds is about. */
export type While = "guest" | "network" | "port";

/** What an action knows of the rule it stands in. */
export interface RuleContext {
  readonly name: string;
  /** Set where the rule's actions last as long as somebody lives. */
  readonly while: While;
  /** What the prefixes in the rule's paths stand for. */
  readonly namespaces: Namespaces;
  /** The bit of a packet's mark that is ours on this host, where the settings say so. */
  readonly forwardMark?: number | undefined;
}

/** Something in an action's configuration that can never take effect at the rule's places. */
export interface Misfit {
  /** From the action's key downwards. */
  readonly path: readonly (string | number)[];
  readonly found: string;
  readonly expected: string;
}

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
  misfits(rule: RuleContext, places: readonly Place[]): readonly Misfit[] | Promise<readonly Misfit[]>;
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
