/**
 * How each forward stands in the packet filter, and what went through it.
 * @module
 */
import type { ForwardDemand } from "../../plan/nft_demand.ts";
import type { Sys } from "../../sys/sys.ts";
import { FilterError, type FilterView, viewFilter } from "./filter.ts";
import { isObject, type Json, tableOfListing } from "./listing.ts";
import { familyOf, wantedTable } from "./rules.ts";
import type { Table } from "./table.ts";
import type { Held } from "../resource.ts";

/** What was counted. */
export interface Traffic {
  /** Both ways, without the host's own. */
  readonly packets: number;
  readonly bytes: number;
  /** How many connections began. */
  readonly connections: number;
}

/**
 * How a forward stands. `pending`: its guest has no address yet. `unplugged`: its guest is on no bridge. `outranked`: it is there,
 * but another chain rejects what comes in. `drift`: it is not there, or not as it shall be. `unknown`: the packet filter cannot be read.
 */
export interface ForwardStanding {
  readonly state: "active" | "pending" | "unplugged" | "outranked" | "drift" | "unknown";
  /** Why it is not `active`. */
  readonly because: string | null;
  /** `null` where nothing of it counts. */
  readonly traffic: Traffic | null;
}

/** Tells how a forward stands in a packet filter that was looked at once. */
export type ForwardWatch = (forward: Held<ForwardDemand>) => ForwardStanding;

/** Looks at the packet filter. */
export async function watchForwards(sys: Sys): Promise<ForwardWatch> {
  try {
    const view = await viewFilter(sys);
    const table = view.listing === undefined ? null : tableOfListing(view.listing);
    return (forward) => standingIn(view, table, forward);
  } catch (error) {
    if (!(error instanceof FilterError)) throw error;
    return () => ({ state: "unknown", because: error.message, traffic: null });
  }
}

function standingIn(view: FilterView, table: Table | null, forward: Held<ForwardDemand>): ForwardStanding {
  const { guest } = forward.demand;
  if (guest === null) return { state: "pending", because: waitingText(forward.demand), traffic: null };
  const wanted = wantedTable([forward]);
  if (wanted === null) return { state: "drift", because: "nobody that it is for can reach its guest", traffic: null };
  if (!holds(table, wanted)) {
    return { state: "drift", because: "not all of it is in the table inet virt_hooks", traffic: null };
  }
  const traffic = trafficOf(view.listing ?? [], wanted);
  const names = view.closed.filter(({ family }) => family === familyOf(guest.address)).map(({ name }) => name);
  return names.length === 0
    ? { state: "active", because: null, traffic }
    : { state: "outranked", because: `outranked by ${names.join(" and ")}, which may reject it first`, traffic };
}

/** What a forward without an address waits for. */
function waitingText({ awaited }: ForwardDemand): string {
  if (awaited === null) return "no address yet";
  const networks = awaited.networks.map((name) => JSON.stringify(name));
  const lease = networks.length === 0 ? "" : `: waits for a lease of network ${networks.join(" or ")}`;
  return `no address yet${lease}${awaited.problem === null ? "" : ` (${awaited.problem})`}`;
}

function holds(table: Table | null, wanted: Table): boolean {
  return wanted.chains.every(({ name, hook, rules }) => {
    const there = table?.chains.find((chain) => chain.name === name);
    return there?.hook === hook && rules.every((rule) => there.rules.includes(rule));
  });
}

function trafficOf(listing: readonly Json[], { counters: wanted }: Table): Traffic {
  const counters = listing.map(({ counter }) => counter).filter(isObject)
    .filter(({ name }) => wanted.includes(String(name)));
  const { began = [], passed = [] } = Object.groupBy(counters, countsOf);
  return {
    packets: sum(passed, "packets"),
    bytes: sum(passed, "bytes"),
    connections: sum(began, "packets"),
  };
}

/** One of a nat chain counts the first packet of each connection alone. */
function countsOf({ name }: Json): "began" | "passed" {
  return String(name).startsWith("new_") ? "began" : "passed";
}

function sum(objects: readonly Json[], field: "packets" | "bytes"): number {
  return objects.reduce((total, { [field]: count }) => total + (typeof count === "number" ? count : 0), 0);
}
