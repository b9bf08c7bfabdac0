/**
 * Determines the hook points at which a rule can match, and rejects values that can never match: the author expects
 * something that will not happen.
 * @module
 */
import type { HookPoint, Scope } from "../config/rule_context.ts";
import { type Driver, type ObjectKind, type Operation, shutoffReasons } from "../libvirt/driver.ts";
import { drivers } from "../libvirt/drivers.ts";
import { findOperation } from "../libvirt/invocation.ts";
import { matchGlob } from "./glob.ts";
import { listing } from "../config/listing.ts";
import { pathProblem } from "../config/placeholder.ts";
import type { Namespaces } from "../xml/path_parser.ts";
import type { TomlPath } from "./mistake.ts";
import type { Selectors, Settings, When } from "./rule.ts";

/** A selector that can never match. The path starts at the rule. */
export interface SelectorProblem {
  readonly path: TomlPath;
  readonly found: string;
  readonly expected: string;
}

const ALL_DRIVERS: readonly Driver[] = Object.values(drivers);

/** Returns all operations of all drivers. */
export function allHookPoints(settings: Settings): readonly HookPoint[] {
  return ALL_DRIVERS.flatMap((driver) =>
    Object.entries<Driver["operations"][string]>(driver.operations).map(([operation, facts]) => ({
      driver,
      operation,
      facts,
      budgetMs: settings.budgetsMs[driver.name]?.[operation] ?? facts.budgetMs,
    }))
  );
}

/** Returns the hook points at which a lifetime starts. Lasting actions are planned there and undone without rules. */
export function lifetimeStartPoints(scope: Scope, allPoints: readonly HookPoint[]): readonly HookPoint[] {
  return allPoints.filter(({ facts }) => startsLifetime(scope, facts));
}

/** Whether an operation starts such a lifetime, or is a later step of its start. */
export function startsLifetime(scope: Scope, { verb, lifetimes }: Operation): boolean {
  if (verb !== "acquire") return false;
  return scope === "guest" ? lifetimes.some((one) => one === "domain" || one === "running") : lifetimes.includes(scope);
}

/** Returns the hook points at which a call can match the selectors. */
export function hookPointsOf(when: When, allPoints: readonly HookPoint[]): readonly HookPoint[] {
  return allPoints.filter((hookPoint) => fitsHookPoint(when, hookPoint));
}

function fitsHookPoint(when: When, { driver, operation }: HookPoint): boolean {
  return (when.driver?.includes(driver.name) ?? true) &&
    (when.on?.includes(operation) ?? true) &&
    (when.domain === undefined || driver.object === "domain") &&
    (when.label === undefined || driver.object === "domain") &&
    ((when.uuid ?? when.xml) === undefined || driver.stdin !== "nothing") &&
    (when.network === undefined || driver.object === "network") &&
    (when.reason === undefined || driver.reasonAt.includes(operation));
}

/** Returns everything in `when` and `unless` that can never match. */
export function selectorProblems(
  rule: { readonly when: When; readonly unless: readonly Selectors[]; readonly namespaces: Namespaces },
  allPoints: readonly HookPoint[],
): readonly SelectorProblem[] {
  const { when, unless } = rule;
  const hookPoints = hookPointsOf(when, allPoints);
  const problems = [
    ...operationProblems(when),
    ...objectProblems(when, allPoints),
    ...reasonProblems(when.reason, ["when", "reason"]),
    ...pathProblems(when.xml, ["when", "xml"], rule),
    ...unless.flatMap((table, index) => pathProblems(table.xml, ["unless", index, "xml"], rule)),
  ];
  if (problems.length > 0) return problems;
  return [
    ...driverProblems(when, hookPoints),
    ...unreachableOperations(when, hookPoints),
    ...rootProblems(when, ["when", "xml"], hookPoints),
    ...unless.flatMap((table, index) => rootProblems(table, ["unless", index, "xml"], hookPoints)),
    ...unless.flatMap((table, index) => unlessProblems(table, index, hookPoints)),
  ];
}

/** Finds operations that do not exist for the rule's drivers, and names that are ambiguous between drivers. */
function operationProblems(when: When): readonly SelectorProblem[] {
  const candidates = ALL_DRIVERS.filter((driver) => when.driver?.includes(driver.name) ?? true);
  const isUnambiguous = (when.domain ?? when.network) !== undefined;
  return (when.on ?? []).flatMap((operation, index): SelectorProblem[] => {
    const matching = candidates.filter((driver) => findOperation(driver, operation) !== undefined);
    const [first] = matching;
    if (first !== undefined && (isUnambiguous || matching.every((driver) => driver.object === first.object))) return [];
    const expected = first === undefined ? knownOperations(when, candidates) : ambiguousText(matching);
    return [{ path: ["when", "on", index], found: JSON.stringify(operation), expected }];
  });
}

function knownOperations(when: When, candidates: readonly Driver[]): string {
  const of = when.driver === undefined ? "" : ` of ${when.driver.join(" or ")}`;
  return listing(`one of the operations${of}`, [
    ...new Set(candidates.flatMap((driver) => Object.keys(driver.operations))),
  ]);
}

function ambiguousText(matching: readonly Driver[]): string {
  const kinds = new Set(matching.map((driver) => driver.object));
  return `a driver beside it, since ${[...kinds].join(" and ")} operations have this name`;
}

/** Finds `domain` and `network` selectors if no operation has such an object. */
function objectProblems(when: When, allPoints: readonly HookPoint[]): readonly SelectorProblem[] {
  if (when.domain !== undefined && when.network !== undefined) {
    const expected = "no network selector beside domain: a call is about the one or the other";
    return [{ path: ["when", "network"], found: "a network selector", expected }];
  }
  const wanted: ObjectKind | undefined = when.domain !== undefined
    ? "domain"
    : when.network !== undefined
    ? "network"
    : undefined;
  if (wanted === undefined || hookPointsOf({ driver: when.driver, on: when.on }, allPoints).length === 0) return [];
  if (hookPointsOf({ ...when, reason: undefined }, allPoints).length > 0) return [];
  const expected = when.on === undefined && wanted === "network"
    ? 'while = "network" beside it: without it, a rule lasts for the lifetime of a guest'
    : `no ${wanted} selector: none of these operations has a ${wanted}`;
  return [{ path: ["when", wanted], found: `a ${wanted} selector`, expected }];
}

function reasonProblems(reasons: readonly string[] | undefined, path: TomlPath): readonly SelectorProblem[] {
  return (reasons ?? []).flatMap((glob, index) =>
    shutoffReasons.some((reason) => matchGlob(glob, reason)) ? [] : [{
      path: [...path, index],
      found: JSON.stringify(glob),
      expected: listing("one of the shut-off reasons", shutoffReasons),
    }]
  );
}

function pathProblems(
  paths: readonly string[] | undefined,
  above: TomlPath,
  rule: { readonly namespaces: Namespaces },
): readonly SelectorProblem[] {
  return (paths ?? []).flatMap((path, index) => {
    const problem = pathProblem(path, rule);
    return problem === undefined ? [] : [{ path: [...above, index], found: JSON.stringify(path), expected: problem }];
  });
}

/** Finds operations at which the other selectors can never match. */
function unreachableOperations(when: When, hookPoints: readonly HookPoint[]): readonly SelectorProblem[] {
  if (hookPoints.length === 0) return [];
  return (when.on ?? []).flatMap((operation, index) =>
    hookPoints.some((hookPoint) => hookPoint.operation === operation) ? [] : [{
      path: ["when", "on", index],
      found: JSON.stringify(operation),
      expected: "an operation at which the rule's other selectors can match",
    }]
  );
}

/** Finds paths that start at a root element which no document at the hook points has. */
function rootProblems(
  { xml = [] }: Selectors,
  above: TomlPath,
  hookPoints: readonly HookPoint[],
): readonly SelectorProblem[] {
  const roots = new Set(hookPoints.map(({ driver }) => driver.stdin).filter((stdin) => stdin !== "nothing"));
  if (roots.size === 0) return [];
  return xml.flatMap((path, index) => {
    const [, root] = /^\/([\w-]+)(?![\w:-])/.exec(path) ?? [];
    if (root === undefined || [...roots].some((stdin) => stdin === root)) return [];
    const expected = `a path that begins with ${[...roots].map((stdin) => `/${stdin}`).join(" or ")}, or with //`;
    return [{ path: [...above, index], found: JSON.stringify(path), expected }];
  });
}

/** Finds drivers without any of the rule's hook points, and selectors that no hook point supports. */
function driverProblems(when: When, hookPoints: readonly HookPoint[]): readonly SelectorProblem[] {
  if (hookPoints.length === 0 && when.reason !== undefined) {
    const expected = "no reason selector: libvirt gives one at release of qemu and lxc only";
    return [{ path: ["when", "reason"], found: "a reason selector", expected }];
  }
  if (hookPoints.length === 0 && when.driver === undefined) {
    const [selector = "on"] = (["label", "uuid", "xml"] as const).filter((key) => when[key] !== undefined);
    const expected = `no ${selector} selector: libvirt sends no such document at these operations`;
    return [{ path: ["when", selector], found: `the ${selector} selector`, expected }];
  }
  return (when.driver ?? []).flatMap((name, index) =>
    hookPoints.some((hookPoint) => hookPoint.driver.name === name) ? [] : [{
      path: ["when", "driver", index],
      found: JSON.stringify(name),
      expected: "a driver that has the rule's operations and objects",
    }]
  );
}

function unlessProblems(table: Selectors, index: number, hookPoints: readonly HookPoint[]): readonly SelectorProblem[] {
  const path = ["unless", index];
  const reasons = reasonProblems(table.reason, [...path, "reason"]);
  if (reasons.length > 0 || hookPoints.some((hookPoint) => fitsHookPoint(table, hookPoint))) return reasons;
  return [{
    path,
    found: "selectors that never match here",
    expected: "selectors that match a call which the rule's when matches",
  }];
}
