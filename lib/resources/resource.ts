/**
 * Defines a resource kind: one piece of host state that holders share. How demands are combined is a pure function.
 * Only `resolve`, `read` and `write` access the host, and only `write` changes it.
 * @module
 */
import * as v from "valibot";
import type { AnyDemand, ResourceName } from "../plan/demand.ts";
import type { Sys } from "../sys/sys.ts";
import type { Tool } from "../sys/tools.ts";

/** A demand in effect, with its holder. */
export interface HeldDemand<Demand> {
  /** The holder and the rule, for messages: `guest "web-1" (rule "gaming")`. */
  readonly holder: string;
  readonly demand: Demand;
}

/** The holder that makes a demand, and what the call acquires with it. */
export interface Requester {
  /** The holder's id: `qemu/domain/UUID`. */
  readonly holder: string;
  readonly rule: string;
  /** The action's name in its rule: `run`, `process.2`. */
  readonly action: string;
  /** All demands that the call acquires, for kinds whose demands depend on each other. */
  readonly plan: readonly AnyDemand[];
  /** The holder's existing demands of this kind, as stored in the ledger: the plan replaces them. */
  readonly held: readonly unknown[];
  /** Whether the holder runs already. */
  readonly isRunning: boolean;
}

/**
 * A demand and the key of its resource, after checking the host; or why it cannot be fulfilled. Nothing has been
 * changed.
 */
export type Resolution<Demand> =
  | {
    readonly kind: "resolved";
    readonly key: string;
    readonly demand: Demand;
    readonly note?: string;
    /** The current value, if it was read: it need not be read again to find conflicts. */
    readonly value?: unknown;
  }
  | Refused;

/** Why a demand is refused, and what to do about it. */
export interface Refused {
  readonly kind: "refused";
  readonly reason: string;
  readonly hint?: string | undefined;
}

/** The current value. `gone`: the resource no longer exists, so there is nothing to restore. */
export type Reading<Value> =
  | {
    readonly kind: "value";
    readonly value: Value;
    /** Facts that were read with the value, as plain data: the write that follows receives them. */
    readonly observed?: unknown;
  }
  | { readonly kind: "gone"; readonly reason: string }
  | { readonly kind: "unreadable"; readonly reason: string };

/** The value that satisfies all demands, or why there is none. */
export type Wanted<Value> =
  | { readonly kind: "value"; readonly value: Value }
  | { readonly kind: "conflict"; readonly reason: string };

/** The values of a resource that the ledger has saved. */
export interface SavedState<Value> {
  /** The value before our first write. */
  readonly original: Value;
  /** The value after our last write, as read back. */
  readonly written: Value | undefined;
  /** A value that was about to be written, saved by a hook that was then killed. */
  readonly pending: Value | undefined;
}

/** A change of a resource's value. */
export interface ResourceChange<Value> {
  readonly key: string;
  /** The current value. */
  readonly from: Value;
  readonly to: Value;
  readonly saved: SavedState<Value>;
  /** Facts that were read with `from`. */
  readonly observed: unknown;
  /** Deadline, in milliseconds since the process started. */
  readonly deadlineMs: number;
  /** Replaces the pending value in the ledger, so that it survives if this process is killed. */
  savePending(pending: Value): void;
}

/**
 * The result of a write. `applied`: the write is complete and `value` is the current value, for kinds whose value
 * cannot be read back. `note` explains why that is not the requested value although nothing failed.
 */
export type WriteEnd<Value> =
  | { readonly kind: "written" }
  | {
    readonly kind: "applied";
    readonly value: Value;
    readonly note?: string;
    /** Information that does not affect success. */
    readonly remark?: string;
  }
  | { readonly kind: "failed"; readonly reason: string; readonly hint?: string | undefined }
  /** The write hangs in the kernel. */
  | { readonly kind: "stuck"; readonly reason: string };

/** One part of a change, for values that are shared by several guests: a port that is opened or closed. */
export interface ChangePart {
  /** The name of the guest or network. */
  readonly guest: string;
  /** The rule that contains the demand. */
  readonly rule: string;
  /** The change, for people: `opened tcp 8088 → 192.168.122.34:80 (lease)`. */
  readonly text: string;
  /** The host's ports: `8080`, `8000-8010`. */
  readonly ports: readonly string[];
}

/** A resource's value before and after a change, for people. */
export interface ValueChange {
  readonly from: string;
  readonly to: string;
  /** The parts that changed, for values that are shared by several guests. */
  readonly parts?: readonly ChangePart[];
}

/** A resource kind. `Value` is plain data in normal form: two values are equal if their JSON is. */
export interface ResourceSpec<Demand, Value> {
  readonly name: ResourceName;
  readonly demand: v.GenericSchema<unknown, Demand>;
  readonly value: v.GenericSchema<unknown, Value>;
  /**
   * How the original is restored. `absolute`: only if the current value is the one we wrote. `difference`: changes by
   * other programs are kept, as {@linkcode ResourceSpec.rebase} computes.
   */
  readonly restores: "absolute" | "difference";
  /** The value without any demand, if it is always the same: the resource is ours alone. */
  readonly base?: Value;
  /** Set if the host does not show the current value, so that only the recorded one is known. */
  readonly unverified?: true;
  /** Set if `write` runs users' programs: the resource's lock is released meanwhile. */
  readonly runsUserPrograms?: true;
  /**
   * Set if each lifetime of the holder starts the resource anew: what an earlier lifetime left, also unfinished, is
   * undone first.
   */
  readonly perLife?: true;
  /** Whether a lifetime that continues keeps the existing value when its demand changes. For `perLife` kinds. Pure. */
  keeps?(before: Demand, now: Demand): boolean;
  /** Programs that the kind needs on the host. A demand is refused if one is missing. */
  readonly tools: readonly Tool[];
  /** Finds the resource of a demand, converts the demand to normal form, and checks what can be checked in advance. */
  resolve(demand: Demand, sys: Sys, requester: Requester): Promise<Resolution<Demand>>;
  /**
   * Refreshes demands that depend on facts which may have changed since they were made (a lease). Called before every
   * converge; the stored demands are not modified. Changes nothing on the host.
   */
  refresh?(demands: readonly Demand[], sys: Sys): Promise<readonly Demand[]>;
  /** Whether the demand depends on an event without a hook (a DHCP lease), so that a watcher is needed. Pure. */
  isWaiting?(demand: Demand): boolean;
  /**
   * Warnings for `check` and `explain` that a hook takes no time to find out, a sentence each. Changes nothing on the
   * host.
   */
  findWarnings?(demand: Demand, sys: Sys): Promise<readonly string[]>;
  /**
   * Evicts current users of the resource before the demand is acquired: waits for them or ends them. Not recorded and
   * not undone.
   */
  evict?(demand: Demand, deadlineMs: number, sys: Sys): Promise<Refused | undefined>;
  /** Reads the current value. `deadlineMs`: the call's deadline, in milliseconds since the process started. */
  read(key: string, sys: Sys, saved: SavedState<Value> | undefined, deadlineMs?: number): Promise<Reading<Value>>;
  /**
   * Computes the value that satisfies all demands, of which there is at least one. `actual` is the current value, if
   * it was read, for kinds that accept several values. Pure.
   */
  wanted(original: Value, held: readonly HeldDemand<Demand>[], actual?: Value): Wanted<Value>;
  /**
   * Computes the original after changes by other programs: called if the current value is neither the one we wrote
   * nor the pending one. Pure.
   */
  rebase?(saved: SavedState<Value>, actual: Value): Value;
  /**
   * Whether the original may overwrite the current value although we did not write it, because it is unowned or
   * partly ours. Pure.
   */
  isAbandoned?(actual: Value, saved: SavedState<Value>): boolean;
  /**
   * Whether the current value already does what is wanted, although a write would make it more durable: then it is
   * not drift. Pure.
   */
  suffices?(actual: Value, wanted: Value): boolean;
  /** Writes the value. */
  write(change: ResourceChange<Value>, sys: Sys): Promise<WriteEnd<Value>>;
  /** The commands and scripts that a change would run, a line each, for people. Changes nothing on the host. */
  preview?(from: Value, to: Value, sys: Sys): Promise<readonly string[]>;
  /**
   * Why the current value is not the one that was written, if that is known not to be a change by another program.
   * Changes nothing on the host.
   */
  explainDrift?(saved: SavedState<Value>, actual: Value, sys: Sys): Promise<string | undefined>;
  /** Describes a value, for people. */
  describe(value: Value): string;
  /** Splits a change into its parts. `held` are the demands behind the new value. Pure. */
  parts?(from: Value, to: Value, held: readonly HeldDemand<Demand>[]): readonly ChangePart[];
  /** Describes a demand, for people, if a value does not show it. */
  describeDemand?(demand: Demand): string;
}

/** A resource kind whose demands and values come from files: each is parsed when it is passed in. */
export type Resource = ResourceSpec<unknown, unknown>;

/** A value from the ledger does not match its kind: another version wrote it, or it is damaged. */
export class ResourceDataError extends TypeError {
  override readonly name = "ResourceDataError";
}

/**
 * Hides the types of a resource kind: it then accepts unparsed demands and values and parses them itself. Its methods
 * throw {@linkcode ResourceDataError} for data that does not match the schema.
 */
export function resource<Demand, Value>(spec: ResourceSpec<Demand, Value>): Resource {
  const parsers = parsersOf(spec);
  const { demand, value, savedState } = parsers;
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
    read: (key, sys, data, deadlineMs) =>
      spec.read(key, sys, data === undefined ? undefined : savedState(data), deadlineMs),
    wanted: (original, held, actual) =>
      spec.wanted(
        value(original),
        held.map((one) => ({ holder: one.holder, demand: demand(one.demand) })),
        actual === undefined ? undefined : value(actual),
      ),
    write: (change, sys) =>
      spec.write({ ...change, from: value(change.from), to: value(change.to), saved: savedState(change.saved) }, sys),
    describe: (data) => spec.describe(value(data)),
  };
}

/** Parsers for the data of one kind. */
interface Parsers<Demand, Value> {
  demand(data: unknown): Demand;
  value(data: unknown): Value;
  savedState(data: SavedState<unknown>): SavedState<Value>;
}

function parsersOf<Demand, Value>(spec: ResourceSpec<Demand, Value>): Parsers<Demand, Value> {
  const value = (data: unknown): Value => parse(spec.value, data, `a value of ${spec.name}`);
  return {
    demand: (data) => parse(spec.demand, data, `a demand of ${spec.name}`),
    value,
    savedState: (data) => ({
      original: value(data.original),
      written: data.written === undefined ? undefined : value(data.written),
      pending: data.pending === undefined ? undefined : value(data.pending),
    }),
  };
}

/** Wraps the optional methods. */
function optionalMethods<Demand, Value>(
  spec: ResourceSpec<Demand, Value>,
  { demand, value, savedState }: Parsers<Demand, Value>,
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
      { explainDrift: (data, actual, sys) => explainDrift.call(spec, savedState(data), value(actual), sys) }),
    ...(describeDemand && { describeDemand: (data) => describeDemand.call(spec, demand(data)) }),
    ...(isWaiting && { isWaiting: (data) => isWaiting.call(spec, demand(data)) }),
    ...(refresh && { refresh: (data, sys) => refresh.call(spec, data.map(demand), sys) }),
    ...(rebase && { rebase: (data, actual) => rebase.call(spec, savedState(data), value(actual)) }),
    ...(isAbandoned && { isAbandoned: (actual, data) => isAbandoned.call(spec, value(actual), savedState(data)) }),
    ...(suffices && { suffices: (actual, wanted) => suffices.call(spec, value(actual), value(wanted)) }),
  };
}

function parse<Output>(schema: v.GenericSchema<unknown, Output>, data: unknown, what: string): Output {
  const result = v.safeParse(schema, data);
  if (result.success) return result.output;
  throw new ResourceDataError(`Cannot read ${what}: ${result.issues[0].message}`);
}

/** Describes a change from one value to another, for people. Pure. */
export function describeChange(
  kind: Resource,
  from: unknown,
  to: unknown,
  held: readonly HeldDemand<unknown>[],
): ValueChange {
  const parts = kind.parts?.(from, to, held) ?? [];
  return { from: kind.describe(from), to: kind.describe(to), ...(parts.length === 0 ? {} : { parts }) };
}

/** Whether two values are equal. */
export function sameValue(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
