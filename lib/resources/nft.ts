/**
 * Our table of the packet filter, and what other people's chains must let through for it. One resource, whatever is asked
 * for: ten forwards are one transaction.
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
import { type Surroundings, surroundings } from "./nft/surroundings.ts";
import { missingText, readHostAddresses } from "./nft/host_addresses.ts";
import { contestedText, type Listener, readListeners } from "./nft/listeners.ts";
import { filterChanges } from "./nft/changes.ts";
import { forwardConflict } from "./nft/conflict.ts";
import { endConnections } from "./nft/connections.ts";
import { changeFilter, type Filter, filterScript, readBypassRules, readFilter } from "./nft/filter.ts";
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

/** What a host is without us. */
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

/** Which guest is meant, and where it lives. */
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

/** The demand that data of the ledger is; `undefined` for what is none. */
export function nftDemandIn(data: unknown): NftDemand | undefined {
  const result = v.safeParse(demandSchema, data);
  return result.success ? result.output : undefined;
}

/** The guest that a demand of the ledger is about; `undefined` for one about a network, and for what is none. */
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

/** What was seen when the filter was read: programs need not look twice. */
const bypassSchema = v.array(v.object({
  place: v.picklist(["iptables", "ip6tables", "libvirt-ip", "libvirt-ip6", "firewalld"]),
  first: v.array(v.number()),
  ours: v.array(v.string()),
  passesForwards: v.boolean(),
}));

/** The kind. */
export const nft = resource<NftDemand, Filter>({
  name: "nft",
  demand: demandSchema,
  value: filterSchema,
  restores: "difference",
  base: NOTHING,
  tools: ["nft"],
  resolve,
  refresh: renew,
  isWaiting: isByLease,
  findWarnings: forewarn,
  read,
  wanted: (_original, held) => {
    const reason = forwardConflict(held);
    if (reason !== undefined) return { kind: "conflict", reason };
    const table = wantedTable(held);
    return { kind: "value", value: table === null ? NOTHING : { table, gates: "open" } };
  },
  // The table is ours alone: what stood there before was left by somebody who lost the ledger.
  rebase: () => NOTHING,
  suffices: (actual, wanted) => actual.gates === "lax" && sameValue(actual.table, wanted.table),
  write,
  preview: async (from, to, sys) => filterScript({ from, to, gates: await readBypassRules(sys) }),
  describe: describeFilter,
  parts: filterChanges,
  describeDemand: describeDemand,
});

/** Whether demands fit does not hang on what stands. */
const RESOLVED = { kind: "resolved", key: KEY, value: NOTHING } as const;

/** What a plan's demands ask of the host. */
interface FilterQuery {
  readonly around: Surroundings;
  listeners(): Promise<readonly Listener[]>;
  hostAddresses(): Promise<ReadonlySet<string> | undefined>;
}

/** A guest may have many forwards, and each look is a child: the host is asked once for all of a plan. */
const ASKED = new WeakMap<Requester["plan"], FilterQuery>();

function askedFor(plan: Requester["plan"], sys: Sys): FilterQuery {
  const asked = ASKED.get(plan) ?? {
    around: surroundings(sys, plan),
    listeners: once(() => readListeners(sys)),
    hostAddresses: once(() => readHostAddresses(sys)),
  };
  ASKED.set(plan, asked);
  return asked;
}

function once<Answer>(ask: () => Promise<Answer>): () => Promise<Answer> {
  let answer: Promise<Answer> | undefined;
  return () => answer ??= ask();
}

async function resolve(
  demand: NftDemand,
  sys: Sys,
  { plan, held, isAlive }: Pick<Requester, "plan" | "held" | "isAlive">,
): Promise<Resolution<NftDemand>> {
  const sought = queryOf(demand);
  if (sought === undefined) return { ...RESOLVED, demand };
  const asked = askedFor(plan, sys);
  // A reservation that was made before the guest started is what it was given then.
  const wasReserved = held.some((data) => guestEndIn(data)?.guest?.source === "reservation");
  const isLeaseFirst = isAlive && !wasReserved;
  const where = await findGuest({ ...sought, isLeaseFirst }, asked.around);
  if (where.kind === "refused") return where;
  const lives = where.kind === "waiting"
    ? `the guest has no address yet: ${waiting(demand)} for ${leaseText(where.awaited)}`
    : `the guest lives at ${describeGuest(where.guest)}${await forwardingNote(where.guest, sys)}`;
  const found = await sparing(withGuest(demand, where.kind === "found" ? where.guest : where.awaited), asked.around);
  const notes = [lives, ...found.kind === "forward" ? await hostEndNotes(found, asked) : []];
  return { ...RESOLVED, demand: found, note: notes.join("; ") };
}

async function hostEndNotes(demand: ForwardDemand, asked: FilterQuery): Promise<readonly string[]> {
  const { hostAddresses } = demand;
  const missing = hostAddresses.length === 0 ? undefined : missingText(hostAddresses, await asked.hostAddresses());
  return [missing, contestedText(demand, await asked.listeners())].filter((note) => note !== undefined);
}

/** Another forward of the same ports is taken over. */
async function forewarn(demand: NftDemand, sys: Sys): Promise<readonly string[]> {
  if (demand.kind !== "forward") return [];
  try {
    const { readOtherForwards, takenOverText } = await import("./nft/other_forwards.ts");
    return [takenOverText(demand, await readOtherForwards(sys))].filter((text) => text !== undefined);
  } catch (error) {
    if (!(error instanceof FilterError)) throw error;
    return [`whether others forward the same ports cannot be told: ${error.message}`];
  }
}

/** The guest that a demand is about; one about a whole network is about none. */
function guestEndOf(demand: NftDemand): GuestEnd | undefined {
  return demand.kind === "forward" ? demand : demand.at ?? undefined;
}

function queryOf(demand: NftDemand): GuestQuery | undefined {
  if (demand.kind === "forward") return demand;
  return demand.at === null ? undefined : { ...demand.at, from: demand.from, hostAddresses: [] };
}

function withGuest(demand: NftDemand, where: GuestAddress | AwaitedAddress): NftDemand {
  const known = "address" in where ? { guest: where, awaited: null } : { guest: null, awaited: where };
  if (demand.kind === "forward") return { ...demand, ...known };
  return demand.at === null ? demand : { ...demand, at: { ...demand.at, ...known } };
}

/** Whether a demand's address is one that the network's DHCP server gives, so that it may come later, and become another. */
function isByLease(demand: NftDemand): boolean {
  const end = guestEndOf(demand);
  return end !== undefined && (end.guest === null || end.guest.source === "lease");
}

/** A forward that names no address of the host leaves the servers of libvirt's networks to their guests. */
async function sparing(demand: NftDemand, around: Surroundings): Promise<NftDemand> {
  if (demand.kind !== "forward") return demand;
  return { ...demand, sparedAddresses: await sparedAddresses(demand, around) };
}

function waiting(demand: NftDemand): string {
  if (demand.kind === "open") return "it waits";
  const { hostPorts: { first, last } } = demand;
  return first === last ? `port ${first} waits` : `ports ${portText({ first, last })} wait`;
}

function leaseText({ networks, problem }: AwaitedAddress): string {
  const names = networks.map((name) => JSON.stringify(name)).join(" or ");
  return `a lease of network ${names}${problem === null ? "" : ` (${problem})`}`;
}

/** libvirt lets the kernel pass packets on for networks with a way out. */
async function forwardingNote({ address, isolated }: GuestAddress, sys: Sys): Promise<string> {
  if (!isolated) return "";
  const key = address.includes(":") ? "net/ipv6/conf/all/forwarding" : "net/ipv4/ip_forward";
  const path = `/proc/sys/${key}`;
  const isOff = (await sys.kernel.read([path])).get(path)?.trim() === "0";
  return isOff
    ? `, in a network without a way out, and ${key.replaceAll("/", ".")} is 0: nothing gets there until it is 1`
    : "";
}

/**
 * A lease may come late, the next one may be of another address, and the address of one that is over is given to another guest. The
 * family stays: the port may be another forward's for clients of the other family.
 */
async function renew(demands: readonly NftDemand[], sys: Sys): Promise<readonly NftDemand[]> {
  const around = surroundings(sys);
  const renewed: NftDemand[] = [];
  for (const demand of demands) {
    const [end, sought] = [guestEndOf(demand), queryOf(demand)];
    renewed.push(
      await sparing(
        end === undefined || sought === undefined || !isByLease(demand)
          ? demand
          : withGuest(demand, await currentGuest(end, sought, around)),
        around,
      ),
    );
  }
  return renewed;
}

async function currentGuest(
  { guest, awaited }: GuestEnd,
  sought: GuestQuery,
  around: Surroundings,
): Promise<GuestAddress | AwaitedAddress> {
  const family = guest === null ? awaited?.family ?? null : familyOf(guest.address);
  const where = await findGuest({ ...sought, family, isLeaseFirst: true }, around);
  if (where.kind === "found") return where.guest;
  if (where.kind === "waiting") return where.awaited;
  const networks = awaited?.networks ?? [guest?.on ?? null].filter((name) => name !== null);
  return { family: family ?? "ipv4", networks, problem: where.reason };
}

async function read(_key: string, sys: Sys): Promise<Reading<Filter>> {
  try {
    const { filter, gates } = await readFilter(sys);
    return { kind: "value", value: filter, seen: gates };
  } catch (error) {
    if (!(error instanceof FilterError)) throw error;
    return { kind: "unreadable", reason: error.message };
  }
}

/** The kernel takes a whole transaction or none of it, so what was asked for is what stands. */
async function write(change: ResourceChange<Filter>, sys: Sys): Promise<WriteEnd<Filter>> {
  try {
    const { from, to, seen, deadlineMs } = change;
    await changeFilter({ from, to, gates: v.parse(bypassSchema, seen), deadlineMs }, sys);
    const note = await endConnections({ from: from.table, to: to.table }, deadlineMs, sys);
    return { kind: "stands", value: to, ...(note === undefined ? {} : { note }) };
  } catch (error) {
    if (!(error instanceof FilterError)) throw error;
    return { kind: error.isStuck ? "stuck" : "failed", reason: error.message };
  }
}
