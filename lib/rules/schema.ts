/**
 * The schema of a rules file. It covers the form; whether values can take effect is checked in `hook_points.ts`.
 * @module
 */
import * as v from "valibot";
import type { Action } from "../actions/action.ts";
import type { Scope } from "../config/rule_context.ts";
import { durationSchema } from "../config/duration.ts";
import { actionSchemas } from "../actions/registry.ts";
import type { DriverName } from "../libvirt/driver.ts";
import { drivers } from "../libvirt/drivers.ts";
import { listing } from "../config/listing.ts";
import { lazily, oneOrMany, tableSchema } from "../config/table_schema.ts";
import type { Namespaces } from "../xml/path_parser.ts";
import { libvirtNamespaces } from "../libvirt/namespaces.ts";
import { canMatchUuid } from "./glob.ts";
import type { Selectors, When } from "./rule.ts";

/** A rule as written in its file. */
export interface RawRule {
  readonly name: string;
  readonly when: When;
  readonly unless: readonly Selectors[];
  readonly while: Scope | undefined;
  readonly namespaces: Namespaces;
  readonly actions: Readonly<Record<string, readonly Action[]>>;
}

/** The parts of a rule that select calls. */
export type RuleSelectors = Pick<RawRule, "when" | "unless" | "namespaces">;

/** Milliseconds by driver and operation. */
export type BudgetsMs = Readonly<Record<string, Readonly<Record<string, number>>>>;

const RULE_NAME_LENGTH_MAX = 100;

/**
 * Schema of the top level of a rules file. Rules and settings are validated one by one, to find every mistake at
 * once.
 */
export function fileSchema(): v.GenericSchema<unknown, unknown> {
  return tableSchema({
    rule: v.optional(v.array(v.unknown(), "a list of [[rule]] tables")),
    settings: v.optional(v.unknown()),
  }, "a table");
}

/** Schema of one rule. */
export function ruleSchema(): v.GenericSchema<unknown, RawRule> {
  return v.pipe(
    tableSchema({
      name: nameSchema(),
      when: whenSchema(),
      unless: v.optional(oneOrMany(unlessSchema)),
      ns: v.optional(lazily(namespacesSchema)),
      while: v.optional(v.picklist(["guest", "network", "port"], '"guest", "network" or "port"')),
      ...actionEntries(),
    }, "a rule: a table with name, when and actions"),
    v.transform(({ name, when, unless = [], ns = {}, while: life, ...given }) => ({
      name,
      when,
      unless,
      while: life,
      namespaces: { ...libvirtNamespaces, ...ns },
      actions: presentActions(given),
    })),
  );
}

/** Returns entries for all actions, each a single value or a list. */
function actionEntries(): Readonly<Record<string, v.GenericSchema<unknown, readonly Action[] | undefined>>> {
  return Object.fromEntries(
    Object.entries(actionSchemas).map(([key, make]) => [key, v.optional(oneOrMany<Action>(make))]),
  );
}

/** Schema of the selectors of a rule whose other parts may be invalid. */
export function ruleSelectorsSchema(): v.GenericSchema<unknown, RuleSelectors> {
  return v.pipe(
    v.object({
      when: whenSchema(),
      unless: v.optional(oneOrMany(unlessSchema)),
      ns: v.optional(lazily(namespacesSchema)),
    }),
    v.transform(({ when, unless = [], ns = {} }) => ({ when, unless, namespaces: { ...libvirtNamespaces, ...ns } })),
  );
}

function presentActions(
  given: Readonly<Record<string, readonly Action[] | undefined>>,
): Readonly<Record<string, readonly Action[]>> {
  const present: Record<string, readonly Action[]> = {};
  for (const [key, actions] of Object.entries(given)) {
    if (actions !== undefined) present[key] = actions;
  }
  return present;
}

function nameSchema(): v.GenericSchema<unknown, string> {
  const expected = `a name of 1 to ${RULE_NAME_LENGTH_MAX} printable characters`;
  return v.pipe(
    v.string(expected),
    v.maxLength(RULE_NAME_LENGTH_MAX, expected),
    v.regex(/^[^\p{C}\p{Zl}\p{Zp}]*\S[^\p{C}\p{Zl}\p{Zp}]*$/u, expected),
  );
}

function whenSchema(): v.GenericSchema<unknown, When> {
  const operations = oneOrMany(() => v.string("an operation's name"));
  return tableSchema({ on: v.optional(operations), ...selectorEntries() }, "a table of selectors");
}

function unlessSchema(): v.GenericSchema<unknown, Selectors> {
  return v.pipe(
    tableSchema(selectorEntries(), "a table of selectors, or a list of such tables"),
    v.check(
      (selectors) => Object.keys(selectors).length > 0,
      "at least one selector: an empty one excludes every call",
    ),
  );
}

// The types of the entries are inferred: each is an optional list.
// deno-lint-ignore explicit-function-return-type
function selectorEntries() {
  return {
    driver: v.optional(oneOrMany(driverSchema)),
    domain: v.optional(oneOrMany(domainSchema)),
    uuid: v.optional(oneOrMany(uuidSchema)),
    network: v.optional(oneOrMany(() => globSchema("a network's name"))),
    host: v.optional(oneOrMany(() => globSchema("a host's name"))),
    reason: v.optional(oneOrMany(() => globSchema("a shut-off reason"))),
    file: v.optional(oneOrMany(filePathSchema)),
    label: v.optional(lazily(labelSchema)),
    xml: v.optional(oneOrMany(() => v.string("a path"))),
  };
}

/** Schema of a domain's name. libvirt refuses names with a slash. */
function domainSchema(): v.GenericSchema<unknown, string> {
  const expected = "a guest's name or a glob, without a slash";
  return v.pipe(v.string(expected), v.regex(/^[^/]+$/, expected));
}

/** Schema of a UUID. libvirt writes UUIDs in lower case with dashes, whatever its client used. */
function uuidSchema(): v.GenericSchema<unknown, string> {
  const expected = "a UUID or a glob: digits, a to f, dashes, * and ?";
  const matching = "what can match a UUID as libvirt writes it, with dashes: 8-4-4-4-12 digits";
  return v.pipe(
    v.string(expected),
    v.regex(/^[\da-f*?-]+$/i, expected),
    v.toLowerCase(),
    v.check(canMatchUuid, matching),
  );
}

function driverSchema(): v.GenericSchema<unknown, DriverName> {
  const names: readonly DriverName[] = Object.values(drivers).map((driver) => driver.name);
  return v.picklist(names, listing("one of the drivers", names));
}

function labelSchema(): v.GenericSchema<unknown, Readonly<Record<string, readonly string[]>>> {
  const name = v.pipe(v.string(), v.regex(/^\S(?:[^]*\S)?$/, "a label's name, without white space around it"));
  return v.pipe(
    plainTable("a table of labels, such as label.role"),
    v.record(name, oneOrMany(labelValueSchema), "a table of labels, such as label.role"),
    v.check((labels) => Object.keys(labels).length > 0, "at least one label, such as label.role"),
  );
}

/** Schema of a label's value, which is compared without surrounding white space. */
function labelValueSchema(): v.GenericSchema<unknown, string> {
  const expected = "a label's value or a glob, without white space around it";
  return v.pipe(globSchema("a label's value"), v.check((glob) => glob.trim() === glob, expected));
}

/** Schema of the prefixes for the rule's paths. */
function namespacesSchema(): v.GenericSchema<unknown, Namespaces> {
  const uri = v.pipe(v.string("a namespace's URI"), v.nonEmpty("a namespace's URI"));
  const prefix = v.pipe(v.string(), v.regex(/^[\p{L}_][\p{L}\p{N}_.-]*$/u, "a prefix"));
  return v.pipe(plainTable("a table of URIs by prefix"), v.record(prefix, uri, "a table of URIs by prefix"));
}

/** `v.record` skips these keys, which would silently drop a condition. */
const RESERVED_NAMES = ["__proto__", "constructor", "prototype"];

function plainTable(what: string): v.GenericSchema<unknown, unknown> {
  return v.pipe(
    v.unknown(),
    v.check((input) => typeof input === "object" && input !== null && !Array.isArray(input), what),
    v.check(
      (input) => Object.keys(Object(input)).every((key) => !RESERVED_NAMES.includes(key)),
      `${what}, with other names than ${RESERVED_NAMES.join(", ")}`,
    ),
  );
}

function globSchema(what: string): v.GenericSchema<unknown, string> {
  return v.pipe(v.string(`${what} or a glob`), v.nonEmpty(`${what} or a glob`));
}

/** Schema of a path. The hooks have no permission to access the kernel's file systems. */
function filePathSchema(): v.GenericSchema<unknown, string> {
  const expected = "an absolute path, without dot segments";
  return v.pipe(
    v.string(expected),
    v.regex(/^(\/(?!\.{1,2}(\/|$))[^/\0]+)+$/, expected),
    v.check(
      (path) => !/^\/(proc|sys|dev)(\/|$)/.test(path),
      "a path outside /proc, /sys and /dev, which the hooks cannot access",
    ),
  );
}

/** The `[settings]` of one file. */
export interface RawSettings {
  readonly budgets: BudgetsMs;
  readonly forwardMark: number | undefined;
}

/** Schema of `[settings]`. */
export function settingsSchema(): v.GenericSchema<unknown, RawSettings> {
  return v.pipe(
    tableSchema({ budgets: v.optional(budgetsSchema()), forward_mark: v.optional(markSchema()) }, "a table"),
    v.transform(({ budgets = {}, forward_mark }) => ({ budgets, forwardMark: forward_mark })),
  );
}

function markSchema(): v.GenericSchema<unknown, number> {
  const expected = "one bit of a packet's mark, such as 0x10000000";
  return v.pipe(v.number(expected), v.check((mark) => MARK_BITS.includes(mark), expected));
}

const MARK_BITS = Array.from({ length: 32 }, (_, bit) => 2 ** bit);

function budgetsSchema(): v.GenericSchema<unknown, BudgetsMs> {
  const byDriver = Object.values(drivers).map((driver) => {
    const byOperation = Object.keys(driver.operations).map((operation) => [operation, v.optional(durationSchema())]);
    return [driver.name, v.optional(tableSchema(Object.fromEntries(byOperation), `budgets of ${driver.name}`))];
  });
  return tableSchema(Object.fromEntries(byDriver), "budgets by driver and operation");
}
