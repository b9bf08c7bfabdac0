/**
 * What the reading of a rule's values knows of the rule, and how it reports what cannot work.
 * @module
 */
import type { Driver, Operation } from "../libvirt/driver.ts";
import type { Namespaces } from "../xml/path_parser.ts";

/** One operation of one driver at which a rule can match, with the time its calls have. */
export interface HookPoint {
  readonly driver: Driver;
  readonly operation: string;
  readonly facts: Operation;
  readonly budgetMs: number;
}

/** The lifetime that a rule with holds follows. */
export type Scope = "guest" | "network" | "port";

/** What an action knows of its rule. */
export interface RuleContext {
  readonly name: string;
  /** The lifetime of the rule's lasting actions. */
  readonly while: Scope;
  /** What the prefixes in the rule's paths stand for. */
  readonly namespaces: Namespaces;
  /** The bit of a packet's mark that is ours on this host, where the settings say so. */
  readonly forwardMark?: number | undefined;
}

/** Something in an action's configuration that can never take effect at the rule's places. */
export interface RuleProblem {
  /** From the action's key downwards. */
  readonly path: readonly (string | number)[];
  readonly found: string;
  readonly expected: string;
}
