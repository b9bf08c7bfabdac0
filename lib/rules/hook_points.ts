/**
 * Where a rule can match, and what in it never can. A value that can never take effect is a mistake: its author
 * believes in something that will not happen.
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
import type { Path } from "./mistake.ts";
import type { Selectors, Settings, When } from "./rule.ts";

/** A selector that cannot take effect. The path starts at the rule. */
export interface SelectorProblem {
  readonly path: Path;
  readonly found: string;
  readonly expected: string;
}

const ALL_DRIVERS: readonly Driver[] = Object.values(drivers);

/** Every operation of every driver. */
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

/** The places at which a life begins: actions that last are planned there, and undone without any rule. */
export function startsOf(life: Scope, everywhere: readonly HookPoint[]): readonly HookPoint[] {
  return everywhere.filter(({ facts }) => startsLife(life, facts));
}

/** Whether calls of an operation begin such a life, or go on beginning it. */
export function startsLife(life: Scope, { verb, lifetimes }: Operation): boolean {
  if (verb !== "acquire") return false;
  return life === "guest" ? lifetimes.some((one) => one === "domain" || one === "running") : lifetimes.includes(life);
}

/** The places where a call can fit these selectors. */
export function hookPointsOf(when: When, everywhere: readonly HookPoint[]): readonly HookPoint[] {
  return everywhere.filter((hookPoint) => fitsHookPoint(when, hookPoint));
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

/** Everything in `when` and `unless` that can never take effect. */
export function selectorProblems(
  rule: { readonly when: When; readonly unless: readonly Selectors[]; readonly namespaces: Namespaces },
  everywhere: readonly HookPoint[],
): readonly SelectorProblem[] {
  const { when, unless } = rule;
  const hookPoints = hookPointsOf(when, everywhere);
  const problems = [
    ...operationProblems(when),
    ...objectProblems(when, everywhere),
    ...reasonProblems(when.reason, ["when", "reason"]),
    ...pathProblems(when.xml, ["when", "xml"], rule),
    ...unless.flatMap((table, index) => pathProblems(table.xml, ["unless", index, "xml"], rule)),
  ];
  if (problems.length > 0) return problems;
  return [
    ...driverProblems(when, hookPoints),
    ...unreached(when, hookPoints),
    ...rootProblems(when, ["when", "xml"], hookPoints),
    ...unless.flatMap((table, index) => rootProblems(table, ["unless", index, "xml"], hookPoints)),
    ...unless.flatMap((table, index) => unlessProblems(table, index, hookPoints)),
  ];
}

/** Operations that do not exist, or not for the drivers the rule names; and words that could mean several things. */
function operationProblems(when: When): readonly SelectorProblem[] {
  const candidates = ALL_DRIVERS.filter((driver) => when.driver?.includes(driver.name) ?? true);
  const isPlain = (when.domain ?? when.network) !== undefined;
  return (when.on ?? []).flatMap((operation, index): SelectorProblem[] => {
    const owners = candidates.filter((driver) => findOperation(driver, operation) !== undefined);
    const [first] = owners;
    if (first !== undefined && (isPlain || owners.every((driver) => driver.object === first.object))) return [];
    const expected = first === undefined ? knownOperations(when, candidates) : namesakes(owners);
    return [{ path: ["when", "on", index], found: JSON.stringify(operation), expected }];
  });
}

function knownOperations(when: When, candidates: readonly Driver[]): string {
  const of = when.driver === undefined ? "" : ` of ${when.driver.join(" or ")}`;
  return listing(`one of the operations${of}`, [
    ...new Set(candidates.flatMap((driver) => Object.keys(driver.operations))),
  ]);
}

function namesakes(owners: readonly Driver[]): string {
  const kinds = new Set(owners.map((driver) => driver.object));
  return `a driver beside it, since ${[...kinds].join(" and ")} operations have this name`;
}

/** `domain` and `network` where no operation has such an object. */
function objectProblems(when: When, everywhere: readonly HookPoint[]): readonly SelectorProblem[] {
  if (when.domain !== undefined && when.network !== undefined) {
    const expected = "no network selector beside domain: a call is about the one or the other";
    return [{ path: ["when", "network"], found: "a network selector", expected }];
  }
  const wanted: ObjectKind | undefined = when.domain !== undefined
    ? "domain"
    : when.network !== undefined
    ? "network"
    : undefined;
  if (wanted === undefined || hookPointsOf({ driver: when.driver, on: when.on }, everywhere).length === 0) return [];
  if (hookPointsOf({ ...when, reason: undefined }, everywhere).length > 0) return [];
  const expected = when.on === undefined && wanted === "network"
    ? 'while = "network" beside it: without, a rule lasts while a guest lives'
    : `no ${wanted} selector: none of these operations has a ${wanted}`;
  return [{ path: ["when", wanted], found: `a ${wanted} selector`, expected }];
}

function reasonProblems(reasons: readonly string[] | undefined, path: Path): readonly SelectorProblem[] {
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
  above: Path,
  rule: { readonly namespaces: Namespaces },
): readonly SelectorProblem[] {
  return (paths ?? []).flatMap((path, index) => {
    const problem = pathProblem(path, rule);
    return problem === undefined ? [] : [{ path: [...above, index], found: JSON.stringify(path), expected: problem }];
  });
}

/** Operations at which the other selectors cannot hold. */
function unreached(when: When, hookPoints: readonly HookPoint[]): readonly SelectorProblem[] {
  if (hookPoints.length === 0) return [];
  return (when.on ?? []).flatMap((operation, index) =>
    hookPoints.some((hookPoint) => hookPoint.operation === operation) ? [] : [{
      path: ["when", "on", index],
      found: JSON.stringify(operation),
      expected: "an operation at which the rule's other selectors can hold",
    }]
  );
}

/** Paths that begin at another root than any document of these places has. */
function rootProblems(
  { xml = [] }: Selectors,
  above: Path,
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

/** Drivers of the rule that have none of its places, and a reason that no place gives. */
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
    found: "selectors that never hold here",
    expected: "selectors that fit some call the rule's when fits",
  }];
}
