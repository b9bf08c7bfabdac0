/**
 * Rules as the house knows them once they are read.
 * @module
 */
import type { Action } from "../actions/action.ts";
import type { Scope } from "../config/rule_context.ts";
import type { DriverName } from "../libvirt/driver.ts";
import type { Namespaces } from "../xml/path_parser.ts";

/** What a call must be like: every selector given must hold, any one value of a selector is enough. */
export interface Selectors {
  readonly driver?: readonly DriverName[] | undefined;
  readonly domain?: readonly string[] | undefined;
  readonly uuid?: readonly string[] | undefined;
  readonly network?: readonly string[] | undefined;
  readonly host?: readonly string[] | undefined;
  readonly reason?: readonly string[] | undefined;
  readonly file?: readonly string[] | undefined;
  /** Globs by the name of a label in the guest's metadata. */
  readonly label?: Readonly<Record<string, readonly string[]>> | undefined;
  /** Paths of which one must find something in the document. */
  readonly xml?: readonly string[] | undefined;
}

/** The selectors of `when`, which may name operations too. */
export interface When extends Selectors {
  readonly on?: readonly string[] | undefined;
}

/** One rule. */
export interface Rule {
  readonly name: string;
  /** The file it was read from. */
  readonly file: string;
  readonly when: When;
  /** Any of these excludes the call. */
  readonly unless: readonly Selectors[];
  /** Whose life it is about, where its actions last. */
  readonly while: Scope;
  /** What the prefixes in the rule's paths stand for. */
  readonly namespaces: Namespaces;
  /** The bit of a packet's mark that is ours, where the settings say so. */
  readonly forwardMark?: number | undefined;
  readonly actions: readonly Action[];
}

/** What `[settings]` changes. */
export interface Settings {
  /** Milliseconds by driver and operation, where they differ from the driver table. */
  readonly budgetsMs: Readonly<Record<string, Readonly<Record<string, number>>>>;
  /** The bit of a packet's mark by which other filters are told to let it through. */
  readonly forwardMark?: number | undefined;
}

/** All rules of a host, in order, with its settings. */
export interface RuleSet {
  readonly rules: readonly Rule[];
  readonly settings: Settings;
}

/** The set of a host without rules. */
export const NO_RULES: RuleSet = { rules: [], settings: { budgetsMs: {} } };

/** A rules file's text. */
export interface RulesFile {
  readonly path: string;
  readonly text: string;
}
