/**
 * Running guests compared with the rules: which of their demands today's rules do not ask for, and which they lack. The host
 * is not asked, so nothing but the ledger, libvirt's status files and the rules is read.
 * @module
 */
import { askedHash, type DemandRecord, type Holder, holderId } from "../../ledger/demand_file.ts";
import { inspectLedger } from "../../ledger/ledger.ts";
import { LedgerError } from "../../ledger/file.ts";
import { allDemands } from "../../ledger/reconcile.ts";
import type { HookCall } from "../../libvirt/call.ts";
import type { Hold } from "../../plan/intent.ts";
import { matchRules } from "../../rules/match.ts";
import type { RuleSet } from "../../rules/rule.ts";
import type { Sys } from "../../sys/sys.ts";
import { fileExists, planCall } from "../../app/decide.ts";
import { holderOf } from "../../app/holds/session.ts";
import { type LiveGuest, readLiveGuests } from "../../libvirt/status_guests.ts";

/** How a running guest compares with the rules. */
export type GuestDifference =
  | {
    readonly kind: "compared";
    readonly call: HookCall;
    /** What the rules ask for and the guest lacks. */
    readonly added: readonly Hold[];
    /** What the guest has and no rule asks for. */
    readonly removed: readonly DemandRecord[];
    /** Demands of an older version, which did not note what the rule asked for. */
    readonly untold: number;
  }
  /** It cannot be told, and why. */
  | { readonly kind: "unknown"; readonly name: string; readonly reason: string };

/** Compares every running guest with the rules, one when it is asked for: all their documents may not fit in memory. */
export async function* compareGuests(ruleSet: RuleSet, sys: Sys): AsyncGenerator<GuestDifference, void> {
  const records = await recordsByHolder(sys);
  for (const guest of readLiveGuests(sys)) yield await compareGuest(guest, { ruleSet, records, sys });
}

/** Demands by holder, or why the ledger cannot be read. A ledger of another boot counts as empty. */
async function recordsByHolder(sys: Sys): Promise<Records | LedgerError> {
  try {
    const stored = (await inspectLedger(sys)).kind === "open" ? allDemands({ sys, notes: [], looksOnly: true }) : [];
    return Map.groupBy(stored.map(({ record }) => record), ({ holder }) => holderId(holder));
  } catch (error) {
    if (error instanceof LedgerError) return error;
    throw error;
  }
}

type Records = ReadonlyMap<string, readonly DemandRecord[]>;

/** Whether a guest has anything else than the rules ask for. */
export function differs(difference: GuestDifference): boolean {
  return difference.kind === "compared" && difference.added.length + difference.removed.length > 0;
}

async function compareGuest(
  guest: LiveGuest,
  { ruleSet, records, sys }: {
    readonly ruleSet: RuleSet;
    readonly records: Records | LedgerError;
    readonly sys: Sys;
  },
): Promise<GuestDifference> {
  if (guest.kind === "unreadable") return { kind: "unknown", name: guest.path, reason: guest.reason };
  const { call } = guest;
  const unknown = (reason: string): GuestDifference => ({ kind: "unknown", name: call.object, reason });
  if (records instanceof LedgerError) return unknown(records.message);
  const matches = await matchRules(ruleSet, call, fileExists(sys));
  const problem = matches.find((match) => match.problem !== undefined)?.problem;
  if (problem !== undefined) return unknown(problem);
  const plan = planCall(matches, call);
  const fault = plan.find((intent) => intent.kind === "fault");
  if (fault !== undefined) return unknown(`rule "${fault.rule}": ${fault.action}: ${fault.message}`);
  const holder = holderOf(call);
  if (holder === undefined) return unknown("its status has no UUID");
  return await compareDemands(plan.filter((intent) => intent.kind === "hold"), ownOf(records, holder), call);
}

function ownOf(records: Records, holder: Holder): readonly DemandRecord[] {
  return records.get(holderId(holder)) ?? [];
}

async function compareDemands(
  holds: readonly Hold[],
  records: readonly DemandRecord[],
  call: HookCall,
): Promise<GuestDifference> {
  const left = [...records];
  const added: Hold[] = [];
  for (const hold of holds) {
    const asked = await askedHash(hold.demand);
    const index = left.findIndex((record) => isSame(hold, asked, record));
    if (index === -1) added.push(hold);
    else left.splice(index, 1);
  }
  return {
    ...{ kind: "compared", call, added, removed: left },
    untold: records.filter((record) => record.asked === undefined).length,
  };
}

/** Programs belong to the rule that starts them. Of the rest it does not matter which rule asks. */
const RULE_KEYS: readonly string[] = ["command", "process"] satisfies readonly Hold["resource"][];

function isSame(hold: Hold, asked: string, record: DemandRecord): boolean {
  if (hold.resource !== record.resource || hold.lifetime !== record.lifetime) return false;
  const isOfRule = hold.rule === record.rule && hold.action === record.action;
  if (record.asked === undefined) return isOfRule;
  return record.asked === asked && (isOfRule || !RULE_KEYS.includes(hold.resource));
}
