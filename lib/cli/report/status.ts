/**
 * The state of every held resource, as data: `status` prints it, `status --json` encodes it.
 * @module
 */
import type { Host } from "../../resources/kinds.ts";
import { VERSION } from "../../app/product.ts";
import { heldOf, notRestoredText, targetOf } from "../../ledger/target.ts";
import { type Holder, holderId } from "../../ledger/demand_file.ts";
import { DAMAGED_DIRECTORY } from "../../ledger/layout.ts";
import { damagedNames, inspectLedger, type LedgerView } from "../../ledger/ledger.ts";
import { LedgerError } from "../../ledger/file.ts";
import { type HolderSnapshot, inspectHolders, inspectResources, type ResourceSnapshot } from "../../ledger/inspect.ts";
import type { Lifetime } from "../../plan/demand.ts";
import { describeChange, ResourceDataError, sameValue, type ValueChange } from "../../resources/resource.ts";
import type { Sys } from "../../sys/sys.ts";
import { type ForwardReport, type ForwardReporter, forwardReporter } from "./forward.ts";
import { areDisabled, type GuestsState, guestsState, readOwnRules, type RulesState, rulesState } from "./judgement.ts";
import { readOnlyLedger } from "../ledger_access.ts";
import { findUnpluggedDemands } from "./unplugged.ts";

/** The format of the report. Within one, fields are only added. */
export const REPORT_FORMAT = 1;

/**
 * The state of a resource, the worst first. `stuck`: it cannot be brought to the desired value, or does not reach its guest. `drift`:
 * something else changed it, or the desired value has changed. `pending`: a hook is working on it, or did not finish. `stale`: one of
 * its holders is gone, or nothing shows that it exists.
 */
export type ResourceState = "stuck" | "drift" | "pending" | "stale" | "ok";

/** Why a resource is not `ok`. */
export interface Reason {
  readonly state: Exclude<ResourceState, "ok">;
  readonly text: string;
  /** Set where `reconcile` cannot cure it: the text says what does. */
  readonly curable?: false;
}

/** One demand with its holder. */
export interface HolderReport {
  /** `qemu/domain/UUID`, `network/UUID` or `port/UUID`: what `release` takes. */
  readonly id: string;
  readonly kind: Holder["kind"];
  readonly driver: string | null;
  readonly name: string;
  readonly uuid: string;
  readonly rule: string;
  readonly action: string;
  readonly lifetime: Lifetime;
  /** ISO 8601, UTC. */
  readonly since: string;
  /** `starting`: there is no sign of it yet, and it holds only since less than two minutes; then it is `stale`. */
  readonly life: "alive" | "starting" | "stale" | "dead" | "unknown";
  readonly because: string | null;
  /** What it asks for, where the resource's value does not show it. */
  readonly wants?: string;
  /** The state of a forward; only for forwards. */
  readonly forward?: ForwardReport;
}

/** One resource. Values are texts for people. */
export interface ResourceReport {
  readonly key: string;
  readonly kind: string;
  readonly state: ResourceState;
  readonly reasons: readonly Reason[];
  /** The value that is restored when the last holder releases it. */
  readonly original: string | null;
  /** What the host says. */
  readonly actual: string | null;
  /** The desired value. */
  readonly wanted: string | null;
  /** What was about to be written. */
  readonly pending: string | null;
  readonly holders: readonly HolderReport[];
  /** Set where the host itself cannot be asked: it is what the ledger noted. */
  readonly verified?: false;
  /** What is worth knowing and no reason to worry. */
  readonly remarks: readonly string[];
}

/** The whole. */
export interface StatusReport {
  readonly format: typeof REPORT_FORMAT;
  readonly version: string;
  readonly host: string;
  /** ISO 8601, UTC. */
  readonly time: string;
  /** Whether there is nothing to look after. */
  readonly ok: boolean;
  /** Whether the hooks do nothing. */
  readonly disabled: boolean;
  /** Whether the hooks can obey the rules. */
  readonly rules: RulesState;
  /** Running guests that have not what the rules ask for; `null` where the rules are broken, so that it cannot be told. */
  readonly guests: GuestsState | null;
  readonly ledger: LedgerView["kind"];
  readonly resources: readonly ResourceReport[];
  /** Files that could not be read. */
  readonly damaged: readonly string[];
}

/** A guest that is being started has no status file yet. */
const STARTING_MS = 120_000;

/** The resources that are not as their holders need them. None where the ledger cannot be used, which is told elsewhere. */
export async function unsettledResources(host: Host): Promise<readonly ResourceReport[]> {
  try {
    const resources = await reportResources(await inspectLedger(host.sys), [], host);
    return resources.filter(({ state }) => state !== "ok");
  } catch (error) {
    if (!(error instanceof LedgerError)) throw error;
    return [];
  }
}

/** Looks at everything that is held. Nothing is changed. */
export async function reportResources(
  look: LedgerView,
  notes: string[],
  host: Host,
): Promise<readonly ResourceReport[]> {
  return look.kind === "open" ? await resourceReports(readOnlyLedger({ ...look.ledger, notes }, host), host.sys) : [];
}
const UNVERIFIED =
  "not verified: it was run when its holder began, and nothing tells whether what it did is still there";

/** Puts the report together. Nothing is changed. */
export async function makeStatusReport(look: LedgerView, host: Host): Promise<StatusReport> {
  const { sys } = host;
  const notes = look.kind === "open" ? [...look.ledger.notes] : [];
  const resources = await reportResources(look, notes, host);
  const own = await readOwnRules(sys);
  const rules = rulesState(own);
  const guests = own.reading.kind === "rules" ? await guestsState(own.reading.ruleSet, sys) : null;
  const disabled = await areDisabled(sys);
  const names = look.kind === "open" ? damagedNames(sys) : [];
  const damaged = [
    ...notes,
    ...names.map((name) => `${DAMAGED_DIRECTORY}/${name} could not be read and was set aside`),
  ];
  return {
    format: REPORT_FORMAT,
    version: VERSION,
    host: sys.hostname(),
    time: sys.now().toISOString(),
    ok: !disabled && rules.problems === 0 && guests?.differing.length === 0 && damaged.length === 0 &&
      resources.every(({ state }) => state === "ok"),
    disabled,
    rules,
    guests,
    ledger: look.kind,
    resources,
    damaged,
  };
}

async function resourceReports(view: ReturnType<typeof readOnlyLedger>, sys: Sys): Promise<readonly ResourceReport[]> {
  const snapshot = await inspectResources(view);
  const holders = new Map((await inspectHolders(snapshot, sys)).map((one) => [holderId(one.holder), one]));
  const forward = await forwardReporter(snapshot.map(({ resource }) => resource), sys);
  const unplugged = await findUnpluggedDemands(snapshot.flatMap(({ demands }) => demands), sys);
  return snapshot.map((one) => resourceReport(one, holders, { now: sys.now(), forward, unplugged }));
}

function resourceReport(
  snapshot: ResourceSnapshot,
  known: ReadonlyMap<string, HolderSnapshot>,
  { now, forward, unplugged }: {
    readonly now: Date;
    readonly forward: ForwardReporter;
    readonly unplugged: ReadonlyMap<string, string>;
  },
): ResourceReport {
  const { key, resource, demands, observation, state } = snapshot;
  const holders = demands.flatMap((stored) => {
    const { record } = stored;
    const of = known.get(holderId(record.holder));
    if (of === undefined) return [];
    const one = { ...holderReport(record, of, now), ...wantsOf(record.demand, snapshot) };
    const forwarded = forward.report(resource, heldOf(stored), unplugged.get(stored.path));
    return [forwarded === undefined ? one : { ...one, forward: forwarded }];
  });
  const desired = desiredOf(snapshot);
  const cut = new Set(demands.map(({ path }) => unplugged.get(path)).filter((reason) => reason !== undefined));
  const problems = forward.problems(resource, demands.map(heldOf));
  const reasons = [
    ...ownReasons(snapshot, desired),
    ...[...cut].map((reason): Reason => ({ state: "stuck", text: reason, curable: false })),
    ...problems.map((text): Reason => ({ state: "drift", text, curable: false })),
    ...holders.flatMap(holderReason),
  ];
  const text = textOf(snapshot);
  const actual = observation.kind === "value" ? text(observation.actual) : null;
  const isVerified = observation.kind !== "value" || observation.resource.unverified !== true;
  return {
    key,
    kind: resource,
    state: worst(reasons),
    reasons,
    original: observation.kind === "value" ? text(observation.saved.original) : text(state?.original),
    actual,
    wanted: desired.kind === "value" ? desired.change?.to ?? actual : null,
    pending: text(state?.pending),
    holders,
    ...(isVerified ? {} : { verified: false }),
    remarks: [...movedRemarks(snapshot, text), ...(isVerified ? [] : [UNVERIFIED])],
  };
}

function wantsOf(demand: unknown, { observation }: ResourceSnapshot): Pick<HolderReport, "wants"> {
  const wants = observation.kind === "value" ? observation.resource.describeDemand?.(demand) : undefined;
  return wants === undefined ? {} : { wants };
}

const ORDER = ["stuck", "drift", "pending", "stale"] as const;

function worst(reasons: readonly Reason[]): ResourceState {
  return ORDER.find((state) => reasons.some((reason) => reason.state === state)) ?? "ok";
}

type Text = (value: unknown) => string | null;

/** Formats a value; one that cannot be parsed is printed as stored. */
function textOf({ observation }: ResourceSnapshot): Text {
  return (value) => {
    if (value === undefined) return null;
    return observation.kind === "value" ? observation.resource.describe(value) : JSON.stringify(value);
  };
}

/** What a resource should be by its demands, next to its current value. */
type Desired =
  /** `change` is missing where it is so already. */
  | { readonly kind: "value"; readonly value: unknown; readonly change?: ValueChange }
  | { readonly kind: "problem"; readonly problem: string }
  | { readonly kind: "gone" };

function desiredOf({ observation, demands }: ResourceSnapshot): Desired {
  if (observation.kind === "gone" && demands.length === 0) return { kind: "gone" };
  if (observation.kind !== "value") return { kind: "problem", problem: observation.reason };
  const { resource, saved, actual } = observation;
  try {
    const held = demands.map(heldOf);
    const target = targetOf(resource, { saved, actual, held });
    if (target.kind === "conflict") return { kind: "problem", problem: target.reason };
    if (target.kind === "left") return { kind: "problem", problem: notRestoredText(resource, saved, actual) };
    if (sameValue(target.value, actual)) return target;
    return { ...target, change: describeChange(resource, actual, target.value, held) };
  } catch (error) {
    if (!(error instanceof ResourceDataError)) throw error;
    return { kind: "problem", problem: error.message };
  }
}

function ownReasons(snapshot: ResourceSnapshot, desired: Desired): readonly Reason[] {
  const { state, demands, observation } = snapshot;
  if (state?.problem !== undefined) return [{ state: "stuck", text: `the last try failed: ${state.problem}` }];
  if (desired.kind === "problem") return [{ state: "stuck", text: desired.problem }];
  const pending = textOf(snapshot)(state?.pending);
  if (pending !== null) {
    return [{ state: "pending", text: `${pending} was to be written: a hook is working on it, or did not finish` }];
  }
  if (demands.length === 0) return [{ state: "stuck", text: "it has no holder any more, but was not restored" }];
  if (desired.kind !== "value" || desired.change === undefined || observation.kind !== "value") return [];
  if (observation.resource.suffices?.(observation.actual, desired.value) === true) return [];
  if (state?.written === undefined) {
    return [{
      state: "pending",
      text: `it is not ${desired.change.to} yet: a hook is working on it, or did not finish`,
    }];
  }
  const why = observation.drift ??
    (sameValue(state.written, observation.actual)
      ? "what is wanted has changed since it was written"
      : "something else changed it");
  return [{ state: "drift", text: `${differenceText(desired.change)}: ${why}` }];
}

/** Values that read alike differ in their parts. */
function differenceText({ from, to, parts = [] }: ValueChange): string {
  if (from !== to || parts.length === 0) return `it is ${from}, not ${to}`;
  return `it would change (${parts.map(({ guest, text }) => `${guest} ${text}`).join(", ")})`;
}

/** A holder that may be gone is reported too. */
function holderReason({ life, because }: HolderReport): readonly Reason[] {
  return life === "alive" || life === "starting" ? [] : [{ state: "stale", text: because ?? life }];
}

/** What others changed of a value that is put back by difference. */
function movedRemarks({ observation, state }: ResourceSnapshot, text: Text): readonly string[] {
  if (observation.kind !== "value" || state === undefined || sameValue(observation.saved.original, state.original)) {
    return [];
  }
  const [before, now] = [text(state.original), text(observation.saved.original)];
  return [`others changed it meanwhile: ${now} is restored at the end, not ${before}`];
}

function holderReport(
  { holder, rule, action, lifetime, since }: ResourceSnapshot["demands"][number]["record"],
  { liveness: verdict, demands }: HolderSnapshot,
  now: Date,
): HolderReport {
  const ageMs = now.getTime() - Math.max(...demands.map(({ record }) => Date.parse(record.since)));
  // A time to come is no age: the clock was set back, and would let it start for ever.
  const isStarting = verdict.kind === "stale" && ageMs >= 0 && ageMs < STARTING_MS;
  const because = "because" in verdict ? verdict.because : null;
  return {
    id: holderId(holder),
    kind: holder.kind,
    driver: holder.kind === "domain" ? holder.driver : null,
    name: holder.name,
    uuid: holder.uuid,
    rule,
    action,
    lifetime,
    since,
    life: isStarting ? "starting" : verdict.kind,
    because: isStarting ? `since ${Math.floor(ageMs / 1000)} s: ${because}` : because,
  };
}
