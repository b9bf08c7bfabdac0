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
export interface Held<Demand> {
  /** Whose it is, for people: `guest "web-1" (rule "gaming")`. */
  readonly who: string;
  readonly demand: Demand;
}

/** Whose demand it is, for resources that belong to one holder alone, and what it comes with. */
export interface Whose {
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
export interface Noted<Value> {
  /** What stood before our first write. */
  readonly original: Value;
  /** What stood after our last write, as read back. */
  readonly written: Value | undefined;
  /** What we were about to write; left behind by a hook that was killed. */
  readonly pending: Value | undefined;
}

/** A change to make. */
export interface Change<Value> {
  readonly key: string;
  /** What stands now. */
  readonly from: Value;
  readonly to: Value;
  readonly noted: Noted<Value>;
  /** What was seen when `from` was read. */
  readonly seen: unknown;
  /** Time is up then, in milliseconds since the program started. */
  readonly deadlineMs: number;
  /** Keeps what must not be forgotten if this process is killed now: it takes the place of `pending`. */
  note(pending: Value): void;
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
  readonly unlocked?: true;
  /** Each life of its holder begins it anew: what an earlier life left, also unfinished, is given back first. */
  readonly anew?: true;
  /** Of such a resource: whether a life that goes on keeps what it has when its demand becomes another. Pure. */
  keeps?(before: Demand, now: Demand): boolean;
  /** The programs it needs on the host. A demand is refused where one is missing. */
  readonly tools: readonly Tool[];
  /** Finds the resource of a demand, puts the demand in normal form, and checks all that can be checked before. */
  resolve(demand: Demand, sys: Sys, whose: Whose): Promise<Resolution<Demand>>;
  /**
   * Demands of which something was not known when they were made, or may be otherwise by now: what they come to. Asked
   * whenever the resource is converged; the ledger keeps them as they were made. Nothing is touched.
   */
  renew?(demands: readonly Demand[], sys: Sys): Promise<readonly Demand[]>;
  /** Whether what a demand comes to may change soon without a hook being called, so that a process must look again. Pure. */
  waits?(demand: Demand): boolean;
  /**
   * What somebody who asks beforehand is told about a demand, and a hook takes no time to find out: a sentence each. Nothing is
   * touched.
   */
  forewarn?(demand: Demand, sys: Sys): Promise<readonly string[]>;
  /**
   * Clears the way for a demand, once, when it is acquired: waits for others to go, or makes them. Nothing of it is kept,
   * and nothing can put it back.
   */
  clear?(demand: Demand, deadlineMs: number, sys: Sys): Promise<Refused | undefined>;
  /** What the host says now. `deadlineMs`: when the call's time is up, in milliseconds since the program started. */
  read(key: string, sys: Sys, noted: Noted<Value> | undefined, deadlineMs?: number): Promise<Reading<Value>>;
  /**
   * What it shall be while these hold it: at least one. `actual` is what stands, where that was looked at: for resources of which
   * more than one state will do. Pure.
   */
  wanted(original: Value, held: readonly Held<Demand>[], actual?: Value): Wanted<Value>;
  /** The original, moved by what others changed: what stands is neither what we wrote nor what we were about to. Pure. */
  rebase?(noted: Noted<Value>, actual: Value): Value;
  /** Whether what stands is nobody's, or ours in parts, so that the original may take its place though we did not write it. Pure. */
  isFree?(actual: Value, noted: Noted<Value>): boolean;
  /** Whether what stands does all that is wanted already, though a write would make it last longer: then it is no drift. Pure. */
  suffices?(actual: Value, wanted: Value): boolean;
  /** Makes the change. */
  write(change: Change<Value>, sys: Sys): Promise<WriteEnd<Value>>;
  /** The very words with which the host would be told of a change, a line each, for people. Nothing is touched. */
  script?(from: Value, to: Value, sys: Sys): Promise<readonly string[]>;
  /** Why what stands is not what was written, where that is known to be no change by others. Nothing is touched. */
  tellDrift?(noted: Noted<Value>, actual: Value, sys: Sys): Promise<string | undefined>;
  /** A value, for people. */
  describe(value: Value): string;
  /** The parts of a change; `held` is what holds the new value. Pure. */
  parts?(from: Value, to: Value, held: readonly Held<Demand>[]): readonly ChangePart[];
  /** What a demand is about, for people, where a value does not show it. */
  tell?(demand: Demand): string;
}

/** A kind of resource whose demands and values come from files: each is parsed where it comes in. */
export type Resource = ResourceSpec<unknown, unknown>;

/** A value from the ledger is not of its kind: another version wrote it, or it is damaged. */
export class ResourceDataError extends TypeError {
  override readonly name = "ResourceDataError";
}

/** Closes a kind of resource: from here on its demands and values are data that it parses itself. */
export function resource<Demand, Value>(spec: ResourceSpec<Demand, Value>): Resource {
  const demand = (data: unknown): Demand => parse(spec.demand, data, `a demand of ${spec.name}`);
  const value = (data: unknown): Value => parse(spec.value, data, `a value of ${spec.name}`);
  const noted = (data: Noted<unknown>): Noted<Value> => ({
    original: value(data.original),
    written: data.written === undefined ? undefined : value(data.written),
    pending: data.pending === undefined ? undefined : value(data.pending),
  });
  const { clear, forewarn, rebase, isFree, keeps, renew, suffices, waits, script, tell, tellDrift, parts } = spec;
  return {
    name: spec.name,
    demand: spec.demand,
    value: spec.value,
    restores: spec.restores,
    tools: spec.tools,
    ...(spec.base === undefined ? {} : { base: spec.base }),
    ...(spec.unverified === undefined ? {} : { unverified: spec.unverified }),
    ...(spec.unlocked === undefined ? {} : { unlocked: spec.unlocked }),
    ...(spec.anew === undefined ? {} : { anew: spec.anew }),
    ...(keeps === undefined ? {} : { keeps: (before, now) => keeps.call(spec, demand(before), demand(now)) }),
    resolve: (data, sys, whose) => spec.resolve(demand(data), sys, whose),
    ...(clear === undefined
      ? {}
      : { clear: (data, deadlineMs, sys) => clear.call(spec, demand(data), deadlineMs, sys) }),
    ...(forewarn === undefined ? {} : { forewarn: (data, sys) => forewarn.call(spec, demand(data), sys) }),
    ...(script === undefined ? {} : { script: (from, to, sys) => script.call(spec, value(from), value(to), sys) }),
    ...(parts === undefined ? {} : {
      parts: (from, to, held) =>
        parts.call(spec, value(from), value(to), held.map((one) => ({ ...one, demand: demand(one.demand) }))),
    }),
    ...(tellDrift === undefined
      ? {}
      : { tellDrift: (data, actual, sys) => tellDrift.call(spec, noted(data), value(actual), sys) }),
    ...(tell === undefined ? {} : { tell: (data) => tell.call(spec, demand(data)) }),
    ...(waits === undefined ? {} : { waits: (data) => waits.call(spec, demand(data)) }),
    ...(renew === undefined ? {} : { renew: (data, sys) => renew.call(spec, data.map(demand), sys) }),
    read: (key, sys, data, deadlineMs) => spec.read(key, sys, data === undefined ? undefined : noted(data), deadlineMs),
    wanted: (original, held, actual) =>
      spec.wanted(
        value(original),
        held.map((one) => ({ who: one.who, demand: demand(one.demand) })),
        actual === undefined ? undefined : value(actual),
      ),
    ...(rebase === undefined ? {} : { rebase: (data, actual) => rebase.call(spec, noted(data), value(actual)) }),
    ...(isFree === undefined ? {} : { isFree: (actual, data) => isFree.call(spec, value(actual), noted(data)) }),
    ...(suffices === undefined
      ? {}
      : { suffices: (actual, wanted) => suffices.call(spec, value(actual), value(wanted)) }),
    write: (change, sys) =>
      spec.write({ ...change, from: value(change.from), to: value(change.to), noted: noted(change.noted) }, sys),
    describe: (data) => spec.describe(value(data)),
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
  held: readonly Held<unknown>[],
): ValueChange {
  const parts = kind.parts?.(from, to, held) ?? [];
  return { from: kind.describe(from), to: kind.describe(to), ...(parts.length === 0 ? {} : { parts }) };
}

/** Whether two values are the same. */
export function sameValue(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
