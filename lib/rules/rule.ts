/**
 * Rules after reading.
 * @module
 */
import type { Action } from "../actions/action.ts";
import type { Scope } from "../config/rule_context.ts";
import type { DriverName } from "../libvirt/driver.ts";
import type { Namespaces } from "../xml/path_parser.ts";

/** Conditions on a call: every given selector must match; a selector matches if any of its values does. */
export interface Selectors {
  readonly driver?: readonly DriverName[] | undefined;
  readonly domain?: readonly string[] | undefined;
  readonly uuid?: readonly string[] | undefined;
  readonly network?: readonly string[] | undefined;
  readonly host?: readonly string[] | undefined;
  readonly reason?: readonly string[] | undefined;
  readonly file?: readonly string[] | undefined;
  /** Globs, by the name of a label in the guest's metadata. */
  readonly label?: Readonly<Record<string, readonly string[]>> | undefined;
  /** Paths, of which at least one must match a node in the document. */
  readonly xml?: readonly string[] | undefined;
}

/** The selectors of `when`, which may also name operations. */
export interface When extends Selectors {
  readonly on?: readonly string[] | undefined;
}

/** A rule. */
export interface Rule {
  readonly name: string;
  /** The file it was read from. */
  readonly file: string;
  readonly when: When;
  /** A call that matches any of these is excluded. */
  readonly unless: readonly Selectors[];
  /** The scope of its lasting actions. */
  readonly while: Scope;
  /** Namespace URIs of the prefixes in the rule's paths. */
  readonly namespaces: Namespaces;
  /** The mark bit of our packets, if the settings define it. */
  readonly forwardMark?: number | undefined;
  readonly actions: readonly Action[];
}

/** The values in `[settings]`. */
export interface Settings {
  /** Milliseconds by driver and operation, if they differ from the driver's defaults. */
  readonly budgetsMs: Readonly<Record<string, Readonly<Record<string, number>>>>;
  /** The mark bit by which other packet filters recognize packets to accept. */
  readonly forwardMark?: number | undefined;
}

/** All rules of a host, in order, with its settings. */
export interface RuleSet {
  readonly rules: readonly Rule[];
  readonly settings: Settings;
}

/** The rules of a host without rules files. */
export const NO_RULES: RuleSet = { rules: [], settings: { budgetsMs: {} } };

/** A rules file and its text. */
export interface RulesFile {
  readonly path: string;
  readonly text: string;
}
