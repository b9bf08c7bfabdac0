/**
 * What a kind of resource is: one piece of host state that holders share. How demands are counted is a pure function; what
 * touches the host is `resolve`, `read` and `write`, and only `write` changes it.
 * @module
 */
import * as v from "valibot";
import type { AnyDemand, ResourceName } from "../plan/demand.ts";
import type { Sys } from "../sys/sys.ts";
import type { Tool } from "../sys/tools.ts";

/** A demand that somebody holds. */
export interface HeldDemand<Demand> {
  /** Whose it is, for people: `guest "web-1" (rule "gaming")`. */
  readonly who: string;
  readonly demand: Demand;
}

/** Whose demand it is, for resources that belong to one holder alone, and what it comes with. */
export interface Requester {
  /** What tells holders apart: `qemu/domain/UUID`. */
  readonly holder: string;
  readonly rule: string;
  /** The action in its rule: `run`, `process.2`. */
  readonly action: string;
  /** All that its call acquires, for what only stands together. */
  readonly plan: readonly AnyDemand[];
  /** What the holder has of this kind, as the ledger has it: the plan takes its place. */
  readonly held: readonly unknown[];
  /** Whether the holder lives already. */
  readonly isAlive: boolean;
}

/** A demand with the key of its resource, once the host was asked; or why it cannot be fulfilled. Nothing is touched yet. */
export type Resolution<Demand> =
  | {
    readonly kind: "resolved";
    readonly key: string;
    readonly demand: Demand;
    readonly note?: string;
    /** What stands, where it was read on the way: it need not be read again to see whether demands fit. */
    readonly value?: unknown;
  }
  | Refused;

/** Why something is not done, and what to do about it. */
export interface Refused {
  readonly kind: "refused";
  readonly reason: string;
  readonly hint?: string | undefined;
}

/** What the host says now. `gone`: there is no such thing any more, and nothing to put back. */
export type Reading<Value> =
  | {
    readonly kind: "value";
    readonly value: Value;
    /** What else was seen on the way, plain data for the write that may follow at once. */
    readonly seen?: unknown;
  }
  | { readonly kind: "gone"; readonly reason: string }
  | { readonly kind: "unreadable"; readonly reason: string };

/** What the host shall be, or why demands cannot all be fulfilled. */
export type Wanted<Value> =
  | { readonly kind: "value"; readonly value: Value }
  | { readonly kind: "conflict"; readonly reason: string };

/** What the ledger remembers of a resource. */
export interface SavedState<Value> {
  /** What stood before our first write. */
  readonly original: Value;
  /** What stood after our last write, as read back. */
  readonly written: Value | undefined;
  /** What we were about to write; left behind by a hook that was killed. */
  readonly pending: Value | undefined;
}

/** A change to make. */
export interface ResourceChange<Value> {
  readonly key: string;
  /** What stands now. */
  readonly from: Value;
  readonly to: Value;
  readonly saved: SavedState<Value>;
  /** What was seen when `from` was read. */
  readonly seen: unknown;
  /** Time is up then, in milliseconds since the program started. */
  readonly deadlineMs: number;
  /** Keeps what must not be forgotten if this process is killed now: it takes the place of `pending`. */
  savePending(pending: Value): void;
}

/**
 * What came of a write. `stands`: it is done, and this is what stands, where reading could not tell. A note says why that
 * is not what was meant, and nobody's fault.
 */
export type WriteEnd<Value> =
  | { readonly kind: "written" }
  | {
    readonly kind: "stands";
    readonly value: Value;
    readonly note?: string;
    /** What is worth knowing, though all is as it was meant. */
    readonly remark?: string;
  }
  | { readonly kind: "failed"; readonly reason: string; readonly hint?: string | undefined }
  /** The kernel does not come back from it. */
  | { readonly kind: "stuck"; readonly reason: string };

/** One part of a change, where a value has parts of several guests: a port that is opened or closed. */
export interface ChangePart {
  /** The name of the guest or network. */
  readonly guest: string;
  /** The rule that asks for it. */
  readonly rule: string;
  /** What happens, for people: `opened tcp 8088 → 192.168.122.34:80 (lease)`. */
  readonly text: string;
  /** The host's ports: `8080`, `8000-8010`. */
  readonly ports: readonly string[];
}

/** What of a resource was before and after, for people. */
export interface ValueChange {
  readonly from: string;
  readonly to: string;
  /** Where the value has parts of several guests: which of them changed. */
  readonly parts?: readonly ChangePart[];
}

/** A kind of resource. `Value` is plain data, in normal form: two values are the same when their JSON is. */
export interface ResourceSpec<Demand, Value> {
  readonly name: ResourceName;
  readonly demand: v.GenericSchema<unknown, Demand>;
  readonly value: v.GenericSchema<unknown, Value>;
  /**
   * How the original is put back. `absolute`: where our own write still stands. `difference`: what others added or took
   * meanwhile stays, as {@linkcode ResourceSpec.rebase} says.
   */
  readonly restores: "absolute" | "difference";
  /** What stands where no demand is left, if that is always the same: the resource is ours alone. */
  readonly base?: Value;
  /** Set where nothing of the host tells whether it is still as it was made: what the ledger notes is all that is known. */
  readonly unverified?: true;
  /** Programs of users run in `write`: no lock is held meanwhile. */
  readonly runsUserPrograms?: true;
  /** Each life of its holder begins it anew: what an earlier life left, also unfinished, is given back first. */
  readonly perLife?: true;
  /** Of such a resource: whether a life that goes on keeps what it has when its demand becomes another. Pure. */
  keeps?(before: Demand, now: Demand): boolean;
  /** The programs it needs on the host. A demand is refused where one is missing. */
  readonly tools: readonly Tool[];
  /** Finds the resource of a demand, puts the demand in normal form, and checks all that can be checked before. */
  resolve(demand: Demand, sys: Sys, requester: Requester): Promise<Resolution<Demand>>;
  /**
   * Demands of which something was not known when they were made, or may be otherwise by now: what they come to. Asked
   * whenever the resource is converged; the ledger keeps them as they were made. Nothing is touched.
   */
  refresh?(demands: readonly Demand[], sys: Sys): Promise<readonly Demand[]>;
  /** Whether what a demand comes to may change soon without a hook being called, so that a process must look again. Pure. */
  isWaiting?(demand: Demand): boolean;
  /**
   * What somebody who asks beforehand is told about a demand, and a hook takes no time to find out: a sentence each. Nothing is
   * touched.
   */
  findWarnings?(demand: Demand, sys: Sys): Promise<readonly string[]>;
  /**
   * Clears the way for a demand, once, when it is acquired: waits for others to go, or makes them. Nothing of it is kept,
   * and nothing can put it back.
   */
  evict?(demand: Demand, deadlineMs: number, sys: Sys): Promise<Refused | undefined>;
  /** What the host says now. `deadlineMs`: when the call's time is up, in milliseconds since the program started. */
  read(key: string, sys: Sys, saved: SavedState<Value> | undefined, deadlineMs?: number): Promise<Reading<Value>>;
  /**
   * What it shall be while these hold it: at least one. `actual` is what stands, where that was looked at: for resources of which
   * more than one state will do. Pure.
   */
  wanted(original: Value, held: readonly HeldDemand<Demand>[], actual?: Value): Wanted<Value>;
  /** The original, moved by what others changed: what stands is neither what we wrote nor what we were about to. Pure. */
  rebase?(saved: SavedState<Value>, actual: Value): Value;
  /** Whether what stands is nobody's, or ours in parts, so that the original may take its place though we did not write it. Pure. */
  isAbandoned?(actual: Value, saved: SavedState<Value>): boolean;
  /** Whether what stands does all that is wanted already, though a write would make it last longer: then it is no drift. Pure. */
  suffices?(actual: Value, wanted: Value): boolean;
  /** Makes the change. */
  write(change: ResourceChange<Value>, sys: Sys): Promise<WriteEnd<Value>>;
  /** The very words with which the host would be told of a change, a line each, for people. Nothing is touched. */
  preview?(from: Value, to: Value, sys: Sys): Promise<readonly string[]>;
  /** Why what stands is not what was written, where that is known to be no change by others. Nothing is touched. */
  explainDrift?(saved: SavedState<Value>, actual: Value, sys: Sys): Promise<string | undefined>;
  /** A value, for people. */
  describe(value: Value): string;
  /** The parts of a change; `held` is what holds the new value. Pure. */
  parts?(from: Value, to: Value, held: readonly HeldDemand<Demand>[]): readonly ChangePart[];
  /** What a demand is about, for people, where a value does not show it. */
  describeDemand?(demand: Demand): string;
}

/** A kind of resource whose demands and values come from files: each is parsed where it comes in. */
export type Resource = ResourceSpec<unknown, unknown>;

/** A value from the ledger is not of its kind: another version wrote it, or it is damaged. */
export class ResourceDataError extends TypeError {
  override readonly name = "ResourceDataError";
}

/** Closes a kind of resource: from here on its demands and values are data that it parses itself. */
export function resource<Demand, Value>(spec: ResourceSpec<Demand, Value>): Resource {
  const parsers = parsersOf(spec);
  const { demand, value, saved } = parsers;
  return {
    name: spec.name,
    demand: spec.demand,
    value: spec.value,
    restores: spec.restores,
    tools: spec.tools,
    ...(spec.base === undefined ? {} : { base: spec.base }),
    ...(spec.unverified === undefined ? {} : { unverified: spec.unverified }),
    ...(spec.runsUserPrograms === undefined ? {} : { runsUserPrograms: spec.runsUserPrograms }),
    ...(spec.perLife === undefined ? {} : { perLife: spec.perLife }),
    ...optionalMethods(spec, parsers),
    resolve: (data, sys, requester) => spec.resolve(demand(data), sys, requester),
    read: (key, sys, data, deadlineMs) => spec.read(key, sys, data === undefined ? undefined : saved(data), deadlineMs),
    wanted: (original, held, actual) =>
      spec.wanted(
        value(original),
        held.map((one) => ({ who: one.who, demand: demand(one.demand) })),
        actual === undefined ? undefined : value(actual),
      ),
    write: (change, sys) =>
      spec.write({ ...change, from: value(change.from), to: value(change.to), saved: saved(change.saved) }, sys),
    describe: (data) => spec.describe(value(data)),
  };
}

/** Parsers of the data of one kind. */
interface Parsers<Demand, Value> {
  demand(data: unknown): Demand;
  value(data: unknown): Value;
  saved(data: SavedState<unknown>): SavedState<Value>;
}

function parsersOf<Demand, Value>(spec: ResourceSpec<Demand, Value>): Parsers<Demand, Value> {
  const value = (data: unknown): Value => parse(spec.value, data, `a value of ${spec.name}`);
  return {
    demand: (data) => parse(spec.demand, data, `a demand of ${spec.name}`),
    value,
    saved: (data) => ({
      original: value(data.original),
      written: data.written === undefined ? undefined : value(data.written),
      pending: data.pending === undefined ? undefined : value(data.pending),
    }),
  };
}

/** The methods that only some kinds have. */
function optionalMethods<Demand, Value>(
  spec: ResourceSpec<Demand, Value>,
  { demand, value, saved }: Parsers<Demand, Value>,
): Partial<Resource> {
  const { keeps, evict, findWarnings, preview, parts, explainDrift, describeDemand, isWaiting, refresh } = spec;
  const { rebase, isAbandoned, suffices } = spec;
  return {
    ...(keeps && { keeps: (before, now) => keeps.call(spec, demand(before), demand(now)) }),
    ...(evict && { evict: (data, deadlineMs, sys) => evict.call(spec, demand(data), deadlineMs, sys) }),
    ...(findWarnings && { findWarnings: (data, sys) => findWarnings.call(spec, demand(data), sys) }),
    ...(preview && { preview: (from, to, sys) => preview.call(spec, value(from), value(to), sys) }),
    ...(parts && {
      parts: (from, to, held) =>
        parts.call(spec, value(from), value(to), held.map((one) => ({ ...one, demand: demand(one.demand) }))),
    }),
    ...(explainDrift &&
      { explainDrift: (data, actual, sys) => explainDrift.call(spec, saved(data), value(actual), sys) }),
    ...(describeDemand && { describeDemand: (data) => describeDemand.call(spec, demand(data)) }),
    ...(isWaiting && { isWaiting: (data) => isWaiting.call(spec, demand(data)) }),
    ...(refresh && { refresh: (data, sys) => refresh.call(spec, data.map(demand), sys) }),
    ...(rebase && { rebase: (data, actual) => rebase.call(spec, saved(data), value(actual)) }),
    ...(isAbandoned && { isAbandoned: (actual, data) => isAbandoned.call(spec, value(actual), saved(data)) }),
    ...(suffices && { suffices: (actual, wanted) => suffices.call(spec, value(actual), value(wanted)) }),
  };
}

function parse<Output>(schema: v.GenericSchema<unknown, Output>, data: unknown, what: string): Output {
  const result = v.safeParse(schema, data);
  if (result.success) return result.output;
  throw new ResourceDataError(`Cannot read ${what}: ${result.issues[0].message}`);
}

/** A change of a resource from one value to another, for people. Pure. */
export function describeChange(
  kind: Resource,
  from: unknown,
  to: unknown,
  held: readonly HeldDemand<unknown>[],
): ValueChange {
  const parts = kind.parts?.(from, to, held) ?? [];
  return { from: kind.describe(from), to: kind.describe(to), ...(parts.length === 0 ? {} : { parts }) };
}

/** Whether two values are the same. */
export function sameValue(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
