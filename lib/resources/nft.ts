/**
 * Our table of the packet filter, and what other people's chains must let through for it. One resource, whatever is asked
 * for: ten forwards are one transaction.
 * @module
 */
import * as v from "valibot";
import type { IpFamily } from "../plan/ip_address.ts";
import type { ForwardDemand, GuestAddress, GuestEnd, NftDemand, PortRange } from "../plan/nft_demand.ts";
import { findGuest, type Sought, type Surroundings, surroundings, type Whereabouts } from "./nft/guest_address.ts";
import { missingText, readHostAddresses } from "./nft/host_addresses.ts";
import { contestedText, type Listener, readListeners } from "./nft/listeners.ts";
import { filterChanges } from "./nft/changes.ts";
import { forwardConflict } from "./nft/conflict.ts";
import { endConnections } from "./nft/connections.ts";
import { changeFilter, type Filter, FilterError, filterScript, readFilter, readGates } from "./nft/filter.ts";
import { familyOf, means, portText, wantedTable } from "./nft/rules.ts";
import { describeDemand, describeFilter, describeGuest } from "./nft/text.ts";
import { type Change, type Reading, type Resolution, resource, type Whose, type WriteEnd } from "./resource.ts";
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
});

const common = {
  from: v.array(v.string()),
  protocol: v.picklist(["tcp", "udp", "both"]),
  mark: v.number(),
} as const;

/** Which guest is meant, and where it lives. */
const guestEnd = {
  to: v.nullable(v.string()),
  interfaces: v.array(v.object({
    mac: v.nullable(v.string()),
    network: v.nullable(v.string()),
    addresses: v.array(v.string()),
  })),
  guest: v.nullable(guestSchema),
} as const;

const demandSchema: v.GenericSchema<unknown, NftDemand> = v.variant("kind", [
  v.object({
    ...common,
    ...guestEnd,
    kind: v.literal("forward"),
    hostPorts: portsSchema,
    guestPort: v.number(),
    hostAddresses: v.array(v.string()),
  }),
  v.object({
    ...common,
    kind: v.literal("open"),
    networks: v.array(v.string()),
    at: v.nullable(v.object(guestEnd)),
    ports: v.array(portsSchema),
  }),
]);

/** The forward that a demand of the ledger is; `undefined` for another, and for what is none. */
export function forwardIn(data: unknown): ForwardDemand | undefined {
  const result = v.safeParse(demandSchema, data);
  return result.success && result.output.kind === "forward" ? result.output : undefined;
}

const filterSchema: v.GenericSchema<unknown, Filter> = v.object({
  table: v.nullable(v.object({
    counters: v.array(v.string()),
    chains: v.array(v.object({ name: v.string(), hook: v.string(), rules: v.array(v.string()) })),
    foreign: v.array(v.string()),
  })),
  gates: v.picklist(["open", "closed", "unsettled"]),
});

const gateSchema = v.object({ rejects: v.boolean(), first: v.array(v.number()), ours: v.array(v.string()) });

/** What was seen when the filter was read: programs need not look twice. */
const gatesSchema = v.object({
  iptables: v.array(gateSchema),
  libvirt: v.array(gateSchema),
});

/** The kind. */
export const nft = resource<NftDemand, Filter>({
  name: "nft",
  demand: demandSchema,
  value: filterSchema,
  restores: "difference",
  base: NOTHING,
  tools: ["nft"],
  resolve,
  renew,
  waits: (demand) => guestEndOf(demand)?.guest === null,
  read,
  wanted: (_original, held) => {
    const reason = forwardConflict(held);
    if (reason !== undefined) return { kind: "conflict", reason };
    const table = wantedTable(held);
    return { kind: "value", value: table === null ? NOTHING : { table, gates: "open" } };
  },
  // The table is ours alone: what stood there before was left by somebody who lost the ledger.
  rebase: () => NOTHING,
  write,
  script: async (from, to, sys) => filterScript({ from, to, gates: await readGates(sys) }),
  describe: describeFilter,
  parts: filterChanges,
  tell: describeDemand,
});

/** Whether demands fit does not hang on what stands. */
const RESOLVED = { kind: "resolved", key: KEY, value: NOTHING } as const;

/** What a plan's demands ask of the host. */
interface Asked {
  readonly around: Surroundings;
  listeners(): Promise<readonly Listener[]>;
  hostAddresses(): Promise<ReadonlySet<string> | undefined>;
}

/** A guest may have many forwards, and each look is a child: the host is asked once for all of a plan. */
const ASKED = new WeakMap<Whose["plan"], Asked>();

function askedFor(plan: Whose["plan"], sys: Sys): Asked {
  const asked = ASKED.get(plan) ?? {
    around: surroundings(sys),
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

async function resolve(demand: NftDemand, sys: Sys, { plan }: Pick<Whose, "plan">): Promise<Resolution<NftDemand>> {
  const sought = soughtBy(demand);
  if (sought === undefined) return { ...RESOLVED, demand };
  const asked = askedFor(plan, sys);
  const where = await findGuest(sought, asked.around);
  if (where.kind === "refused") return where;
  const guest = where.kind === "found" ? where.guest : null;
  const lives = guest === null
    ? `the guest has no address yet: ${waiting(demand)} for a lease of network ${namesOf(where)}`
    : `the guest lives at ${describeGuest(guest)}${await forwardingNote(guest, sys)}`;
  const notes = [lives, ...demand.kind === "forward" ? await hostEndNotes(demand, asked) : []];
  return { ...RESOLVED, demand: withGuest(demand, guest), note: notes.join("; ") };
}

async function hostEndNotes(demand: ForwardDemand, asked: Asked): Promise<readonly string[]> {
  const { hostAddresses } = demand;
  const missing = hostAddresses.length === 0 ? undefined : missingText(hostAddresses, await asked.hostAddresses());
  return [missing, contestedText(demand, await asked.listeners())].filter((note) => note !== undefined);
}

/** The guest that a demand is about; one about a whole network is about none. */
function guestEndOf(demand: NftDemand): GuestEnd | undefined {
  return demand.kind === "forward" ? demand : demand.at ?? undefined;
}

function soughtBy(demand: NftDemand): Sought | undefined {
  if (demand.kind === "forward") return demand;
  return demand.at === null ? undefined : { ...demand.at, from: demand.from, hostAddresses: [] };
}

function withGuest(demand: NftDemand, guest: GuestAddress | null): NftDemand {
  if (demand.kind === "forward") return { ...demand, guest };
  return demand.at === null ? demand : { ...demand, at: { ...demand.at, guest } };
}

function waiting(demand: NftDemand): string {
  if (demand.kind === "open") return "it waits";
  const { hostPorts: { first, last } } = demand;
  return first === last ? `port ${first} waits` : `ports ${portText({ first, last })} wait`;
}

function namesOf(where: Whereabouts): string {
  return where.kind === "waiting" ? where.networks.map((name) => JSON.stringify(name)).join(" or ") : "";
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

/** A lease may come late, the next one may be of another address, and the address of one that is over is somebody else's. */
async function renew(demands: readonly NftDemand[], sys: Sys): Promise<readonly NftDemand[]> {
  const around = surroundings(sys);
  const renewed: NftDemand[] = [];
  for (const demand of demands) {
    const [end, sought] = [guestEndOf(demand), soughtBy(demand)];
    const isByLease = end !== undefined && (end.guest === null || end.guest.source === "lease");
    if (!isByLease || sought === undefined) {
      renewed.push(demand);
      continue;
    }
    const from = fromSameFamily(sought.from, end.guest);
    const where = await findGuest({ ...sought, from }, around);
    renewed.push(where.kind === "found" ? withGuest(demand, where.guest) : { ...withGuest(demand, null), from });
  }
  return renewed;
}

/** Every client of a family. */
const ALL = { ipv4: "0.0.0.0/0", ipv6: "::/0" } as const satisfies Record<IpFamily, string>;

/** It stays of the family for which it was found: the port may be another forward's for clients of the other. */
function fromSameFamily(from: readonly string[], guest: GuestAddress | null): readonly string[] {
  if (guest === null) return from;
  const family = familyOf(guest.address);
  return from.length === 0 ? [ALL[family]] : from.filter((text) => means([text], family));
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
async function write(change: Change<Filter>, sys: Sys): Promise<WriteEnd<Filter>> {
  try {
    const { from, to, seen, deadlineMs } = change;
    await changeFilter({ from, to, gates: v.parse(gatesSchema, seen), deadlineMs }, sys);
    const note = await endConnections({ from: from.table, to: to.table }, deadlineMs, sys);
    return { kind: "stands", value: to, ...(note === undefined ? {} : { note }) };
  } catch (error) {
    if (!(error instanceof FilterError)) throw error;
    return { kind: error.isStuck ? "stuck" : "failed", reason: error.message };
  }
}
