/**
 * How each forward stands in the packet filter, and what went through it.
 * @module
 */
import type { IpFamily } from "../../net/ip_address.ts";
import type { ForwardDemand, GuestEnd, NftDemand } from "../../plan/nft_demand.ts";
import type { Sys } from "../../sys/sys.ts";
import { leaseProblem, missingRules, readActiveNetworks } from "./active_networks.ts";
import { FilterError } from "./list.ts";
import { isObject, type Json } from "./listing.ts";
import { packetsOfDemand } from "./packets.ts";
import { readUnpassed } from "./passing.ts";
import { means, wantedTable } from "./rules.ts";
import type { Table } from "./table.ts";
import { cureFor, type FilterView, type Obstacle, obstaclesTo, viewFilter } from "./view.ts";
import type { Packets } from "./verdict.ts";
import type { HeldDemand } from "../resource.ts";

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
 * but another chain rejects what comes in, or the kernel passes nothing on. `drift`: it is not there, or not as it shall be. `unknown`: the packet filter cannot be read.
 */
export interface ForwardStanding {
  readonly state: "active" | "pending" | "unplugged" | "outranked" | "drift" | "unknown";
  /** Why it is not `active`. */
  readonly because: string | null;
  /** `null` where nothing of it counts. */
  readonly traffic: Traffic | null;
}

/** How demands stand in a packet filter that was looked at once. */
export interface FilterWatch {
  /** Tells how a forward stands. */
  forward(forward: HeldDemand<ForwardDemand>): ForwardStanding;
  /** What of the kernel and of other people's chains keeps packets of a demand away, and no write of ours cures. */
  problems(demand: NftDemand): readonly string[];
  /** What is missing of libvirt's own. */
  readonly missing: readonly string[];
}

/** Looks at the packet filter. */
export async function watchFilter(sys: Sys): Promise<FilterWatch> {
  try {
    const view = await viewFilter(sys);
    const unpassed = await readUnpassed(sys);
    const networks = await readActiveNetworks(sys);
    const leases = new Map(networks.map(({ name, ...rest }) => [name, leaseProblem({ name, ...rest }, view)]));
    return {
      forward: (forward) => standingIn({ view, leases, unpassed }, forward),
      problems: (demand) => [
        ...new Set([
          ...notPassed(demand, { view, unpassed }),
          ...obstaclesOf(demand, view).flatMap(foreignProblem),
          ...waitsInVain(demand, leases),
        ]),
      ],
      missing: missingRules(networks, view, sys),
    };
  } catch (error) {
    if (!(error instanceof FilterError)) throw error;
    return {
      forward: () => ({ state: "unknown", because: error.message, traffic: null }),
      problems: () => [],
      missing: [],
    };
  }
}

type LeaseProblems = ReadonlyMap<string, string | undefined>;

/** What was looked at once. */
interface Seen {
  readonly view: FilterView;
  readonly leases: LeaseProblems;
  /** Why the kernel passes nothing of a family on. */
  readonly unpassed: ReadonlyMap<IpFamily, string>;
}

/** Packets of a demand that the kernel does not pass on. */
function notPassed(demand: NftDemand, { view, unpassed }: Pick<Seen, "view" | "unpassed">): readonly string[] {
  const packets = packetsOfDemand(demand, view.deviceTo).filter(({ family }) => means(demand.from, family));
  return [...new Set(packets.flatMap(({ family }) => unpassed.get(family) ?? []))];
}

function standingIn({ view, leases, unpassed }: Seen, forward: HeldDemand<ForwardDemand>): ForwardStanding {
  const { guest } = forward.demand;
  if (guest === null) return { state: "pending", because: waitingText(forward.demand, leases), traffic: null };
  const wanted = wantedTable([forward]);
  if (wanted === null) return { state: "drift", because: "nobody that it is for can reach its guest", traffic: null };
  if (!holds(view.table, wanted)) {
    return { state: "drift", because: "not all of it is in the table inet virt_hooks", traffic: null };
  }
  const traffic = trafficOf(view.listing ?? [], wanted);
  const obstacles = obstaclesOf(forward.demand, view);
  const gates = [...new Set(obstacles.filter(({ chain }) => chain.isGate).map(({ called }) => called))];
  const foreign = obstacles.filter(({ chain }) => !chain.isGate);
  const stopped = notPassed(forward.demand, { view, unpassed });
  const because = [
    ...stopped,
    ...(gates.length === 0 ? [] : [`outranked by ${gates.join(" and ")}, which may reject it first`]),
    ...new Set(foreign.flatMap(foreignProblem)),
  ];
  if (because.length === 0) return { state: "active", because: null, traffic };
  const isSure = stopped.length > 0 || gates.length > 0 || foreign.some(({ kind }) => kind === "rejects");
  return { state: isSure ? "outranked" : "unknown", because: because.join("; "), traffic };
}

/** An obstacle, and for which packets it is one. */
type Met = Obstacle & { readonly packets: Packets };

function obstaclesOf(demand: NftDemand, view: FilterView): readonly Met[] {
  return packetsOfDemand(demand, view.deviceTo).flatMap((packets) =>
    obstaclesTo(view, packets).map((obstacle) => ({ ...obstacle, packets }))
  );
}

/** A rule that rejects what may be some of the packets is its author's affair: `check --host` tells it. */
function foreignProblem({ packets, ...obstacle }: Met): readonly string[] {
  if (obstacle.chain.isGate || obstacle.kind === "rejects-some") return [];
  const does = obstacle.kind === "rejects"
    ? "rejects it"
    : "rejects it, but for packets that another of its rules may accept";
  return [`outranked by ${obstacle.called}, which ${does}; let it through: ${cureFor(obstacle, packets)}`];
}

/** What a forward without an address waits for. */
function waitingText(demand: ForwardDemand, leases: LeaseProblems): string {
  const { awaited } = demand;
  if (awaited === null) return "no address yet";
  const networks = awaited.networks.map((name) => JSON.stringify(name));
  const lease = networks.length === 0 ? "" : `: waits for a lease of network ${networks.join(" or ")}`;
  const problem = awaited.problem === null ? "" : ` (${awaited.problem})`;
  return [`no address yet${lease}${problem}`, ...waitsInVain(demand, leases)].join("; ");
}

/** Why the guest of a demand that waits for its address gets none. */
function waitsInVain(demand: NftDemand, leases: LeaseProblems): readonly string[] {
  const end = demand.kind === "forward" ? demand : demand.at;
  return end === null || end.guest !== null ? [] : networksOf(end).flatMap((name) => leases.get(name) ?? []);
}

function networksOf({ interfaces }: GuestEnd): readonly string[] {
  return [...new Set(interfaces.flatMap(({ network }) => network ?? []))];
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
