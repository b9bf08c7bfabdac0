/**
 * The status of each forward in the packet filter, and its traffic.
 * @module
 */
import type { IpFamily } from "../../net/ip_address.ts";
import type { ForwardDemand, GuestEnd, NftDemand } from "../../plan/nft_demand.ts";
import type { Sys } from "../../sys/sys.ts";
import { leaseProblem, missingRules, readActiveNetworks } from "./active_networks.ts";
import { FilterError } from "./list.ts";
import { isObject, type Json } from "./listing.ts";
import { packetsOfDemand } from "./packets.ts";
import { readForwardingProblems } from "./passing.ts";
import { includesFamily, wantedTable } from "./rules.ts";
import type { Table } from "./table.ts";
import { type FilterView, fixCommandFor, type Obstacle, obstaclesTo, viewFilter } from "./view.ts";
import type { Packets } from "./verdict.ts";
import type { HeldDemand } from "../resource.ts";

/** Counted traffic. */
export interface Traffic {
  /** Packets in both directions, without those between guest and host. */
  readonly packets: number;
  readonly bytes: number;
  /** The number of new connections. */
  readonly connections: number;
}

/**
 * The status of a forward. `pending`: its guest has no address yet. `unplugged`: its guest is on no bridge.
 * `outranked`: its rules are present, but another chain rejects the packets, or IP forwarding is off. `drift`: its
 * rules are missing or changed. `unknown`: the packet filter cannot be read.
 */
export interface ForwardStatus {
  readonly state: "active" | "pending" | "unplugged" | "outranked" | "drift" | "unknown";
  /** Why the forward is not `active`. */
  readonly reason: string | null;
  /** `null` if nothing is counted. */
  readonly traffic: Traffic | null;
}

/** The status of demands in a packet filter that was read once. */
export interface FilterStatus {
  /** Returns the status of a forward. */
  forward(forward: HeldDemand<ForwardDemand>): ForwardStatus;
  /**
   * Returns the problems in the kernel's settings and in other programs' chains that keep a demand's packets away and
   * that `reconcile` cannot repair.
   */
  problems(demand: NftDemand): readonly string[];
  /** Sentences about missing rules of libvirt. */
  readonly missing: readonly string[];
}

/** Reads the packet filter. Errors are part of the result. */
export async function readFilterStatus(sys: Sys): Promise<FilterStatus> {
  try {
    const view = await viewFilter(sys);
    const forwardingProblems = await readForwardingProblems(sys);
    const networks = await readActiveNetworks(sys);
    const leases = new Map(networks.map(({ name, ...rest }) => [name, leaseProblem({ name, ...rest }, view)]));
    return {
      forward: (forward) => forwardStatus({ view, leases, forwardingProblems: forwardingProblems }, forward),
      problems: (demand) => [
        ...new Set([
          ...notForwarded(demand, { view, forwardingProblems: forwardingProblems }),
          ...obstaclesOf(demand, view).flatMap(foreignProblem),
          ...leaseProblemsOf(demand, leases),
        ]),
      ],
      missing: missingRules(networks, view, sys),
    };
  } catch (error) {
    if (!(error instanceof FilterError)) throw error;
    return {
      forward: () => ({ state: "unknown", reason: error.message, traffic: null }),
      problems: () => [],
      missing: [],
    };
  }
}

type LeaseProblems = ReadonlyMap<string, string | undefined>;

/** Facts that were read once. */
interface FilterSnapshot {
  readonly view: FilterView;
  readonly leases: LeaseProblems;
  /** Why the kernel forwards no packets of a family. */
  readonly forwardingProblems: ReadonlyMap<IpFamily, string>;
}

/** Returns why the kernel does not forward packets of a demand. */
function notForwarded(
  demand: NftDemand,
  { view, forwardingProblems }: Pick<FilterSnapshot, "view" | "forwardingProblems">,
): readonly string[] {
  const packets = packetsOfDemand(demand, view.deviceTo).filter(({ family }) => includesFamily(demand.from, family));
  return [...new Set(packets.flatMap(({ family }) => forwardingProblems.get(family) ?? []))];
}

function forwardStatus(
  { view, leases, forwardingProblems }: FilterSnapshot,
  forward: HeldDemand<ForwardDemand>,
): ForwardStatus {
  const { guest } = forward.demand;
  if (guest === null) return { state: "pending", reason: waitingText(forward.demand, leases), traffic: null };
  const wanted = wantedTable([forward]);
  if (wanted === null) return { state: "drift", reason: "no client that it is for can reach its guest", traffic: null };
  if (!containsRules(view.table, wanted)) {
    return { state: "drift", reason: "some of its rules are missing from the table inet virt_hooks", traffic: null };
  }
  const traffic = trafficOf(view.listing ?? [], wanted);
  const obstacles = obstaclesOf(forward.demand, view);
  const gates = [...new Set(obstacles.filter(({ chain }) => chain.hasBypass).map(({ label }) => label))];
  const foreign = obstacles.filter(({ chain }) => !chain.hasBypass);
  const notForwardedReasons = notForwarded(forward.demand, { view, forwardingProblems });
  const reasons = [
    ...notForwardedReasons,
    ...(gates.length === 0 ? [] : [`outranked by ${gates.join(" and ")}, which may reject it first`]),
    ...new Set(foreign.flatMap(foreignProblem)),
  ];
  if (reasons.length === 0) return { state: "active", reason: null, traffic };
  const isSure = notForwardedReasons.length > 0 || gates.length > 0 || foreign.some(({ kind }) => kind === "rejects");
  return { state: isSure ? "outranked" : "unknown", reason: reasons.join("; "), traffic };
}

/** An obstacle and the packets it affects. */
type PacketObstacle = Obstacle & { readonly packets: Packets };

function obstaclesOf(demand: NftDemand, view: FilterView): readonly PacketObstacle[] {
  return packetsOfDemand(demand, view.deviceTo).flatMap((packets) =>
    obstaclesTo(view, packets).map((obstacle) => ({ ...obstacle, packets }))
  );
}

/**
 * Describes an obstacle in a chain that virt-hooks does not modify. A rule that rejects only some packets may be
 * intended: `check --host` reports it.
 */
function foreignProblem({ packets, ...obstacle }: PacketObstacle): readonly string[] {
  if (obstacle.chain.hasBypass || obstacle.kind === "rejects-some") return [];
  const effect = obstacle.kind === "rejects"
    ? "rejects it"
    : "rejects it, except for packets that another of its rules may accept";
  return [`outranked by ${obstacle.label}, which ${effect}; let it through: ${fixCommandFor(obstacle, packets)}`];
}

/** Describes what a forward without an address waits for. */
function waitingText(demand: ForwardDemand, leases: LeaseProblems): string {
  const { awaited } = demand;
  if (awaited === null) return "no address yet";
  const networks = awaited.networks.map((name) => JSON.stringify(name));
  const lease = networks.length === 0 ? "" : `: waits for a lease of network ${networks.join(" or ")}`;
  const problem = awaited.problem === null ? "" : ` (${awaited.problem})`;
  return [`no address yet${lease}${problem}`, ...leaseProblemsOf(demand, leases)].join("; ");
}

/** Returns why a guest that waits for its address gets none. */
function leaseProblemsOf(demand: NftDemand, leases: LeaseProblems): readonly string[] {
  const end = demand.kind === "forward" ? demand : demand.at;
  return end === null || end.guest !== null ? [] : networksOf(end).flatMap((name) => leases.get(name) ?? []);
}

function networksOf({ interfaces }: GuestEnd): readonly string[] {
  return [...new Set(interfaces.flatMap(({ network }) => network ?? []))];
}

function containsRules(table: Table | null, wanted: Table): boolean {
  return wanted.chains.every(({ name, hook, rules }) => {
    const chain = table?.chains.find((one) => one.name === name);
    return chain?.hook === hook && rules.every((rule) => chain.rules.includes(rule));
  });
}

function trafficOf(listing: readonly Json[], { counters: wanted }: Table): Traffic {
  const counters = listing.map(({ counter }) => counter).filter(isObject)
    .filter(({ name }) => wanted.includes(String(name)));
  const { began = [], passed = [] } = Object.groupBy(counters, counterKind);
  return {
    packets: sum(passed, "packets"),
    bytes: sum(passed, "bytes"),
    connections: sum(began, "packets"),
  };
}

/** Returns what a counter counts. A counter in a nat chain counts only the first packet of each connection. */
function counterKind({ name }: Json): "began" | "passed" {
  return String(name).startsWith("new_") ? "began" : "passed";
}

function sum(objects: readonly Json[], field: "packets" | "bytes"): number {
  return objects.reduce((total, { [field]: count }) => total + (typeof count === "number" ? count : 0), 0);
}
