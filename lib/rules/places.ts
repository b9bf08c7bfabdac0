/**
 * Where a rule can match, and what in it never can. A value that can never take effect is a mistake: its author
 * believes in something that will not happen.
 * @module
 */
import type { Place, While } from "../config/rule_context.ts";
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
export interface SelectorMisfit {
  readonly path: Path;
  readonly found: string;
  readonly expected: string;
}

const ALL_DRIVERS: readonly Driver[] = Object.values(drivers);

/** Every operation of every driver. */
export function allPlaces(settings: Settings): readonly Place[] {
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
export function beginningsOf(life: While, everywhere: readonly Place[]): readonly Place[] {
  return everywhere.filter(({ facts }) => beginsLife(life, facts));
}

/** Whether calls of an operation begin such a life, or go on beginning it. */
export function beginsLife(life: While, { verb, lifetimes }: Operation): boolean {
  if (verb !== "acquire") return false;
  return life === "guest" ? lifetimes.some((one) => one === "domain" || one === "running") : lifetimes.includes(life);
}

/** The places where a call can fit these selectors. */
export function placesOf(when: When, everywhere: readonly Place[]): readonly Place[] {
  return everywhere.filter((place) => fitsPlace(when, place));
}

function fitsPlace(when: When, { driver, operation }: Place): boolean {
  return (when.driver?.includes(driver.name) ?? true) &&
    (when.on?.includes(operation) ?? true) &&
    (when.domain === undefined || driver.object === "domain") &&
    (when.label === undefined || driver.object === "domain") &&
    ((when.uuid ?? when.xml) === undefined || driver.stdin !== "nothing") &&
    (when.network === undefined || driver.object === "network") &&
    (when.reason === undefined || driver.reasonAt.includes(operation));
}

/** Everything in `when` and `unless` that can never take effect. */
export function selectorMisfits(
  rule: { readonly when: When; readonly unless: readonly Selectors[]; readonly namespaces: Namespaces },
  everywhere: readonly Place[],
): readonly SelectorMisfit[] {
  const { when, unless } = rule;
  const places = placesOf(when, everywhere);
  const misfits = [
    ...operationMisfits(when),
    ...objectMisfits(when, everywhere),
    ...reasonMisfits(when.reason, ["when", "reason"]),
    ...pathMisfits(when.xml, ["when", "xml"], rule),
    ...unless.flatMap((table, index) => pathMisfits(table.xml, ["unless", index, "xml"], rule)),
  ];
  if (misfits.length > 0) return misfits;
  return [
    ...driverMisfits(when, places),
    ...unreached(when, places),
    ...rootMisfits(when, ["when", "xml"], places),
    ...unless.flatMap((table, index) => rootMisfits(table, ["unless", index, "xml"], places)),
    ...unless.flatMap((table, index) => unlessMisfits(table, index, places)),
  ];
}

/** Operations that do not exist, or not for the drivers the rule names; and words that could mean several things. */
function operationMisfits(when: When): readonly SelectorMisfit[] {
  const candidates = ALL_DRIVERS.filter((driver) => when.driver?.includes(driver.name) ?? true);
  const isPlain = (when.domain ?? when.network) !== undefined;
  return (when.on ?? []).flatMap((operation, index): SelectorMisfit[] => {
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
function objectMisfits(when: When, everywhere: readonly Place[]): readonly SelectorMisfit[] {
  if (when.domain !== undefined && when.network !== undefined) {
    const expected = "no network selector beside domain: a call is about the one or the other";
    return [{ path: ["when", "network"], found: "a network selector", expected }];
  }
  const wanted: ObjectKind | undefined = when.domain !== undefined
    ? "domain"
    : when.network !== undefined
    ? "network"
    : undefined;
  if (wanted === undefined || placesOf({ driver: when.driver, on: when.on }, everywhere).length === 0) return [];
  if (placesOf({ ...when, reason: undefined }, everywhere).length > 0) return [];
  const expected = when.on === undefined && wanted === "network"
    ? 'while = "network" beside it: without, a rule lasts while a guest lives'
    : `no ${wanted} selector: none of these operations has a ${wanted}`;
  return [{ path: ["when", wanted], found: `a ${wanted} selector`, expected }];
}

function reasonMisfits(reasons: readonly string[] | undefined, path: Path): readonly SelectorMisfit[] {
  return (reasons ?? []).flatMap((glob, index) =>
    shutoffReasons.some((reason) => matchGlob(glob, reason)) ? [] : [{
      path: [...path, index],
      found: JSON.stringify(glob),
      expected: listing("one of the shut-off reasons", shutoffReasons),
    }]
  );
}

function pathMisfits(
  paths: readonly string[] | undefined,
  above: Path,
  rule: { readonly namespaces: Namespaces },
): readonly SelectorMisfit[] {
  return (paths ?? []).flatMap((path, index) => {
    const problem = pathProblem(path, rule);
    return problem === undefined ? [] : [{ path: [...above, index], found: JSON.stringify(path), expected: problem }];
  });
}

/** Operations at which the other selectors cannot hold. */
function unreached(when: When, places: readonly Place[]): readonly SelectorMisfit[] {
  if (places.length === 0) return [];
  return (when.on ?? []).flatMap((operation, index) =>
    places.some((place) => place.operation === operation) ? [] : [{
      path: ["when", "on", index],
      found: JSON.stringify(operation),
      expected: "an operation at which the rule's other selectors can hold",
    }]
  );
}

/** Paths that begin at another root than any document of these places has. */
function rootMisfits({ xml = [] }: Selectors, above: Path, places: readonly Place[]): readonly SelectorMisfit[] {
  const roots = new Set(places.map(({ driver }) => driver.stdin).filter((stdin) => stdin !== "nothing"));
  if (roots.size === 0) return [];
  return xml.flatMap((path, index) => {
    const [, root] = /^\/([\w-]+)(?![\w:-])/.exec(path) ?? [];
    if (root === undefined || [...roots].some((stdin) => stdin === root)) return [];
    const expected = `a path that begins with ${[...roots].map((stdin) => `/${stdin}`).join(" or ")}, or with //`;
    return [{ path: [...above, index], found: JSON.stringify(path), expected }];
  });
}

/** Drivers of the rule that have none of its places, and a reason that no place gives. */
function driverMisfits(when: When, places: readonly Place[]): readonly SelectorMisfit[] {
  if (places.length === 0 && when.reason !== undefined) {
    const expected = "no reason selector: libvirt gives one at release of qemu and lxc only";
    return [{ path: ["when", "reason"], found: "a reason selector", expected }];
  }
  if (places.length === 0 && when.driver === undefined) {
    const [selector = "on"] = (["label", "uuid", "xml"] as const).filter((key) => when[key] !== undefined);
    const expected = `no ${selector} selector: libvirt sends no such document at these operations`;
    return [{ path: ["when", selector], found: `the ${selector} selector`, expected }];
  }
  return (when.driver ?? []).flatMap((name, index) =>
    places.some((place) => place.driver.name === name) ? [] : [{
      path: ["when", "driver", index],
      found: JSON.stringify(name),
      expected: "a driver that has the rule's operations and objects",
    }]
  );
}

function unlessMisfits(table: Selectors, index: number, places: readonly Place[]): readonly SelectorMisfit[] {
  const path = ["unless", index];
  const reasons = reasonMisfits(table.reason, [...path, "reason"]);
  if (reasons.length > 0 || places.some((place) => fitsPlace(table, place))) return reasons;
  return [{
    path,
    found: "selectors that never hold here",
    expected: "selectors that fit some call the rule's when fits",
  }];
}
