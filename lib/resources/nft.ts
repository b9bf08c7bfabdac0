/**
 * The nftables table of virt-hooks, and the bypass rules for it in other programs' chains. One resource for all
 * demands: ten forwards are one transaction.
 * @module
 */
import * as v from "valibot";
import type {
  AwaitedAddress,
  ForwardDemand,
  GuestAddress,
  GuestEnd,
  NftDemand,
  PortRange,
} from "../plan/nft_demand.ts";
import { findGuest, type GuestQuery } from "./nft/guest_address.ts";
import { sparedAddresses } from "./nft/spared.ts";
import { type NetworkLookup, networkLookup } from "./nft/surroundings.ts";
import { missingText, readHostAddresses } from "./nft/host_addresses.ts";
import { hiddenListenersText, type Listener, readListeners } from "./nft/listeners.ts";
import { filterChanges } from "./nft/changes.ts";
import { forwardConflict } from "./nft/conflict.ts";
import { endConnections } from "./nft/connections.ts";
import { changeFilter, type Filter, filterScript, readBypassChains, readFilter } from "./nft/filter.ts";
import { FilterError } from "./nft/list.ts";
import { familyOf, portText, wantedTable } from "./nft/rules.ts";
import { describeDemand, describeFilter, describeGuest } from "./nft/text.ts";
import {
  type Reading,
  type Requester,
  type Resolution,
  resource,
  type ResourceChange,
  sameValue,
  type WriteEnd,
} from "./resource.ts";
import type { Sys } from "../sys/sys.ts";

const KEY = "nft";

/** The packet filter without our table and rules. */
const NOTHING: Filter = { table: null, gates: "closed" };

const portsSchema: v.GenericSchema<unknown, PortRange> = v.object({ first: v.number(), last: v.number() });

const guestSchema: v.GenericSchema<unknown, GuestAddress> = v.object({
  address: v.string(),
  network: v.nullable(v.string()),
  isolated: v.boolean(),
  source: v.picklist(["rule", "document", "reservation", "lease"]),
  on: v.nullable(v.string()),
  mac: v.optional(v.nullable(v.string()), null),
});

const awaitedSchema: v.GenericSchema<unknown, AwaitedAddress> = v.object({
  family: v.picklist(["ipv4", "ipv6"]),
  networks: v.array(v.string()),
  problem: v.nullable(v.string()),
});

const common = {
  from: v.array(v.string()),
  protocol: v.picklist(["tcp", "udp", "both"]),
  mark: v.number(),
} as const;

/** The guest, and its address. */
const guestEnd = {
  to: v.nullable(v.string()),
  network: v.optional(v.nullable(v.string()), null),
  interfaces: v.array(v.object({
    mac: v.nullable(v.string()),
    network: v.nullable(v.string()),
    bridge: v.optional(v.nullable(v.string()), null),
    addresses: v.array(v.string()),
  })),
  guest: v.nullable(guestSchema),
  awaited: v.optional(v.nullable(awaitedSchema), null),
} as const;

const demandSchema: v.GenericSchema<unknown, NftDemand> = v.variant("kind", [
  v.object({
    ...common,
    ...guestEnd,
    kind: v.literal("forward"),
    hostPorts: portsSchema,
    guestPort: v.number(),
    hostAddresses: v.array(v.string()),
    sparedAddresses: v.optional(v.array(v.string()), []),
  }),
  v.object({
    ...common,
    kind: v.literal("open"),
    networks: v.array(v.string()),
    at: v.nullable(v.object(guestEnd)),
    ports: v.array(portsSchema),
  }),
]);

/** Parses a demand from the ledger. Returns `undefined` for data that is no such demand. */
export function nftDemandIn(data: unknown): NftDemand | undefined {
  const result = v.safeParse(demandSchema, data);
  return result.success ? result.output : undefined;
}

/**
 * Parses the guest of a demand from the ledger. Returns `undefined` for a demand of a network, and for data that is
 * no such demand.
 */
export function guestEndIn(data: unknown): GuestEnd | undefined {
  const result = v.safeParse(demandSchema, data);
  return result.success ? guestEndOf(result.output) : undefined;
}

const filterSchema: v.GenericSchema<unknown, Filter> = v.object({
  table: v.nullable(v.object({
    counters: v.array(v.string()),
    chains: v.array(v.object({ name: v.string(), hook: v.string(), rules: v.array(v.string()) })),
    foreign: v.array(v.string()),
  })),
  gates: v.picklist(["open", "lax", "closed", "unsettled"]),
});

/** The bypass chains as listed when the filter was read, so that the write need not list them again. */
const bypassSchema = v.array(v.object({
  name: v.picklist(["iptables", "ip6tables", "libvirt-ip", "libvirt-ip6", "firewalld"]),
  firstMarks: v.array(v.number()),
  ownRules: v.array(v.string()),
  passesForwards: v.boolean(),
}));

/** The packet filter, as a resource kind. */
export const nft = resource<NftDemand, Filter>({
  name: "nft",
  demand: demandSchema,
  value: filterSchema,
  restores: "difference",
  base: NOTHING,
  tools: ["nft"],
  resolve,
  refresh,
  isWaiting: usesLease,
  findWarnings,
  read,
  wanted: (_original, held) => {
    const reason = forwardConflict(held);
    if (reason !== undefined) return { kind: "conflict", reason };
    const table = wantedTable(held);
    return { kind: "value", value: table === null ? NOTHING : { table, gates: "open" } };
  },
  // The table is ours alone: one that exists without a ledger was left by an earlier installation.
  rebase: () => NOTHING,
  suffices: (actual, wanted) => actual.gates === "lax" && sameValue(actual.table, wanted.table),
  write,
  preview: async (from, to, sys) => filterScript({ from, to, bypassChains: await readBypassChains(sys) }),
  describe: describeFilter,
  parts: filterChanges,
  describeDemand: describeDemand,
});

/** Conflicts between forwards do not depend on the current table. */
const RESOLVED = { kind: "resolved", key: KEY, value: NOTHING } as const;

/** Host facts that the demands of a plan share. */
interface PlanQuery {
  readonly lookup: NetworkLookup;
  listeners(): Promise<readonly Listener[]>;
  hostAddresses(): Promise<ReadonlySet<string> | undefined>;
}

/** A guest may have many forwards, and each query starts a process: the facts are read once for a plan. */
const QUERIES = new WeakMap<Requester["plan"], PlanQuery>();

function queryFor(plan: Requester["plan"], sys: Sys): PlanQuery {
  const query = QUERIES.get(plan) ?? {
    lookup: networkLookup(sys, plan),
    listeners: once(() => readListeners(sys)),
    hostAddresses: once(() => readHostAddresses(sys)),
  };
  QUERIES.set(plan, query);
  return query;
}

function once<Result>(compute: () => Promise<Result>): () => Promise<Result> {
  let result: Promise<Result> | undefined;
  return () => result ??= compute();
}

async function resolve(
  demand: NftDemand,
  sys: Sys,
  { plan, held, isRunning }: Pick<Requester, "plan" | "held" | "isRunning">,
): Promise<Resolution<NftDemand>> {
  const guestQuery = guestQueryOf(demand);
  if (guestQuery === undefined) return { ...RESOLVED, demand };
  const query = queryFor(plan, sys);
  // A guest that had its reservation when it started has been given that address.
  const wasReserved = held.some((data) => guestEndIn(data)?.guest?.source === "reservation");
  const isLeaseFirst = isRunning && !wasReserved;
  const location = await findGuest({ ...guestQuery, isLeaseFirst }, query.lookup);
  if (location.kind === "refused") return location;
  const addressNote = location.kind === "waiting"
    ? `the guest has no address yet: ${waitingPorts(demand)} for ${leaseText(location.awaited)}`
    : `the guest has the address ${describeGuest(location.guest)}${await forwardingNote(location.guest, sys)}`;
  const resolved = await withSparedAddresses(
    withGuest(demand, location.kind === "found" ? location.guest : location.awaited),
    query.lookup,
  );
  const notes = [addressNote, ...resolved.kind === "forward" ? await hostEndNotes(resolved, query) : []];
  return { ...RESOLVED, demand: resolved, note: notes.join("; ") };
}

async function hostEndNotes(demand: ForwardDemand, query: PlanQuery): Promise<readonly string[]> {
  const { hostAddresses } = demand;
  const missing = hostAddresses.length === 0 ? undefined : missingText(hostAddresses, await query.hostAddresses());
  return [missing, hiddenListenersText(demand, await query.listeners())].filter((note) => note !== undefined);
}

/** Warns about other programs' forwards of the same ports, which this demand overrides. */
async function findWarnings(demand: NftDemand, sys: Sys): Promise<readonly string[]> {
  if (demand.kind !== "forward") return [];
  try {
    const { readOtherForwards, overriddenText: takenOverText } = await import("./nft/other_forwards.ts");
    return [takenOverText(demand, await readOtherForwards(sys))].filter((text) => text !== undefined);
  } catch (error) {
    if (!(error instanceof FilterError)) throw error;
    return [`cannot determine whether other programs forward the same ports: ${error.message}`];
  }
}

/** Returns the guest of a demand, or `undefined` for a demand of a whole network. */
function guestEndOf(demand: NftDemand): GuestEnd | undefined {
  return demand.kind === "forward" ? demand : demand.at ?? undefined;
}

function guestQueryOf(demand: NftDemand): GuestQuery | undefined {
  if (demand.kind === "forward") return demand;
  return demand.at === null ? undefined : { ...demand.at, from: demand.from, hostAddresses: [] };
}

function withGuest(demand: NftDemand, address: GuestAddress | AwaitedAddress): NftDemand {
  const known = "address" in address ? { guest: address, awaited: null } : { guest: null, awaited: address };
  if (demand.kind === "forward") return { ...demand, ...known };
  return demand.at === null ? demand : { ...demand, at: { ...demand.at, ...known } };
}

/** Whether the guest's address comes from a DHCP lease, so that it may arrive later and change. */
function usesLease(demand: NftDemand): boolean {
  const end = guestEndOf(demand);
  return end !== undefined && (end.guest === null || end.guest.source === "lease");
}

/**
 * Adds the addresses that the forward leaves alone: those of the servers on libvirt's networks, if the forward names
 * no host address.
 */
async function withSparedAddresses(demand: NftDemand, lookup: NetworkLookup): Promise<NftDemand> {
  if (demand.kind !== "forward") return demand;
  return { ...demand, sparedAddresses: await sparedAddresses(demand, lookup) };
}

function waitingPorts(demand: NftDemand): string {
  if (demand.kind === "open") return "it waits";
  const { hostPorts: { first, last } } = demand;
  return first === last ? `port ${first} waits` : `ports ${portText({ first, last })} wait`;
}

function leaseText({ networks, problem }: AwaitedAddress): string {
  const names = networks.map((name) => JSON.stringify(name)).join(" or ");
  return `a lease of network ${names}${problem === null ? "" : ` (${problem})`}`;
}

/** Warns if IP forwarding is off. libvirt enables it only for networks that are not isolated. */
async function forwardingNote({ address, isolated }: GuestAddress, sys: Sys): Promise<string> {
  if (!isolated) return "";
  const key = address.includes(":") ? "net/ipv6/conf/all/forwarding" : "net/ipv4/ip_forward";
  const path = `/proc/sys/${key}`;
  const isOff = (await sys.kernel.read([path])).get(path)?.trim() === "0";
  return isOff
    ? `, in an isolated network, and ${key.replaceAll("/", ".")} is 0: no packets reach it until it is 1`
    : "";
}

/**
 * Refreshes addresses from leases: a lease may arrive late, the next one may have another address, and the address of
 * an expired lease is given to another guest. Keep the address family: the same port may belong to another forward
 * for clients of the other family.
 */
async function refresh(demands: readonly NftDemand[], sys: Sys): Promise<readonly NftDemand[]> {
  const lookup = networkLookup(sys);
  const refreshed: NftDemand[] = [];
  for (const demand of demands) {
    const [end, query] = [guestEndOf(demand), guestQueryOf(demand)];
    refreshed.push(
      await withSparedAddresses(
        end === undefined || query === undefined || !usesLease(demand)
          ? demand
          : withGuest(demand, await currentGuest(end, query, lookup)),
        lookup,
      ),
    );
  }
  return refreshed;
}

async function currentGuest(
  { guest, awaited }: GuestEnd,
  query: GuestQuery,
  lookup: NetworkLookup,
): Promise<GuestAddress | AwaitedAddress> {
  const family = guest === null ? awaited?.family ?? null : familyOf(guest.address);
  const location = await findGuest({ ...query, family, isLeaseFirst: true }, lookup);
  if (location.kind === "found") return location.guest;
  if (location.kind === "waiting") return location.awaited;
  const networks = awaited?.networks ?? [guest?.on ?? null].filter((name) => name !== null);
  return { family: family ?? "ipv4", networks, problem: location.reason };
}

async function read(_key: string, sys: Sys): Promise<Reading<Filter>> {
  try {
    const { filter, bypassChains } = await readFilter(sys);
    return { kind: "value", value: filter, observed: bypassChains };
  } catch (error) {
    if (!(error instanceof FilterError)) throw error;
    return { kind: "unreadable", reason: error.message };
  }
}

/**
 * Writes the filter. The kernel applies a transaction completely or not at all, so the value is known without reading
 * it back.
 */
async function write(change: ResourceChange<Filter>, sys: Sys): Promise<WriteEnd<Filter>> {
  try {
    const { from, to, observed, deadlineMs } = change;
    await changeFilter({ from, to, bypassChains: v.parse(bypassSchema, observed), deadlineMs }, sys);
    const note = await endConnections({ from: from.table, to: to.table }, deadlineMs, sys);
    return { kind: "applied", value: to, ...(note === undefined ? {} : { note }) };
  } catch (error) {
    if (!(error instanceof FilterError)) throw error;
    return { kind: error.isStuck ? "stuck" : "failed", reason: error.message };
  }
}
