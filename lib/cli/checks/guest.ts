/**
 * `virt-hooks check --host --guest NAME`: whether this host can do what the rules ask for one guest, by its document.
 * @module
 */
import type { Host } from "../../resources/kinds.ts";
import { fileExists, planCall } from "../../app/decide.ts";
import { holderOf } from "../../app/holds/session.ts";
import { readLiveGuests } from "../../libvirt/status_guests.ts";
import { holderId } from "../../ledger/demand_file.ts";
import { hasLedger } from "../../ledger/layout.ts";
import { allDemands } from "../../ledger/reconcile.ts";
import { resolveHold } from "../../ledger/resolve.ts";
import { type HookCall, makeCall } from "../../libvirt/call.ts";
import type { Driver } from "../../libvirt/driver.ts";
import { drivers } from "../../libvirt/drivers.ts";
import { parseLibvirtDocument } from "../../libvirt/parse.ts";
import type { Hold, Intent } from "../../plan/intent.ts";
import { matchRules, type RuleMatch } from "../../rules/match.ts";
import type { RuleSet } from "../../rules/rule.ts";
import type { Sys } from "../../sys/sys.ts";
import { notRefused } from "./rule.ts";
import { CommandError } from "../subcommand.ts";
import { formatCount } from "../../text/plural.ts";
import type { Finding } from "./finding.ts";

/** Where libvirt keeps the definitions of guests, a folder a driver. */
const DEFINITIONS = "/etc/libvirt";
const DOCUMENT_BYTES_MAX = 16 * 1024 * 1024;

/**
 * What the host says to everything that the rules ask for a guest, were it started now.
 * @throws {CommandError} where there is no such guest
 */
export async function guestFindings(name: string, ruleSet: RuleSet, host: Host): Promise<readonly Finding[]> {
  const guests = documentsOf(name, host.sys);
  if (guests.length === 0) {
    const hint = `known are running guests, and those with a definition in ${DEFINITIONS}/DRIVER`;
    throw new CommandError(`Cannot check guest ${JSON.stringify(name)}: libvirt has no document of it`, { hint });
  }
  const findings: Finding[] = [];
  for (const { calls, source } of guests) {
    const text = `guest "${name}" (${calls.prepare.driver}): its document is read from ${source}`;
    findings.push({ level: "ok", text }, ...await callFindings(calls, ruleSet, host));
  }
  return findings;
}

interface Known {
  readonly calls: StartCalls;
  readonly source: string;
}

function documentsOf(name: string, sys: Sys): readonly Known[] {
  return Object.values<Driver>(drivers).filter(({ object }) => object === "domain").flatMap((driver): Known[] => {
    const live = readLiveGuests(sys).find((guest) =>
      guest.kind === "guest" && guest.call.object === name && guest.call.driver === driver.name
    );
    if (live?.kind === "guest") {
      return [{ calls: startCalls(driver, name, live.call.document, sys), source: "its status" }];
    }
    const path = `${DEFINITIONS}/${driver.name}/${name}.xml`;
    if (name.includes("/") || sys.lstat(path)?.kind !== "file") {
      return [];
    }
    const document = new TextEncoder().encode(sys.readTextFile(path, DOCUMENT_BYTES_MAX));
    return [{ calls: startCalls(driver, name, document, sys), source: path }];
  });
}

/** The calls of a start. At the first of them all that lasts as long as the guest, or as long as it runs, is checked. */
interface StartCalls {
  readonly prepare: HookCall;
  readonly later: readonly HookCall[];
}

function startCalls(driver: Driver, name: string, document: Uint8Array, sys: Sys): StartCalls {
  const callAt = (operation: string): HookCall => {
    const facts = driver.operations[operation];
    if (facts === undefined) throw new TypeError(`The ${driver.name} driver has no operation ${operation}`);
    const { subOperation } = facts;
    const invocation = { driver, object: name, operation, subOperation, extra: "-", facts };
    return makeCall(invocation, facts, { host: sys.hostname(), document, parse: parseLibvirtDocument });
  };
  return { prepare: callAt("prepare"), later: [callAt("start"), callAt("started")] };
}

async function callFindings({ prepare, later }: StartCalls, ruleSet: RuleSet, host: Host): Promise<readonly Finding[]> {
  const matches = await matchRules(ruleSet, prepare, fileExists(host.sys));
  const plan = planCall(matches, prepare);
  const holds = plan.filter((intent) => intent.kind === "hold");
  const findings: Finding[] = [...undecidedFindings(matches)];
  for (const intent of plan) findings.push(...await intentFindings(intent, { ...host, call: prepare, holds }));
  const names = new Set(matches.filter((match) => match.matches).map(({ rule }) => rule.name));
  for (const call of later) {
    const laterMatches = await matchRules(eventRules(ruleSet), call, fileExists(host.sys));
    findings.push(...undecidedFindings(laterMatches));
    for (const { rule } of laterMatches.filter((match) => match.matches)) {
      names.add(rule.name);
      findings.push({ level: "skip", text: `rule "${rule.name}": what it does at ${call.operation}` });
    }
  }
  return [...findings, {
    level: "ok",
    text: `${names.size} of ${formatCount(ruleSet.rules.length, "rule")} ${
      names.size === 1 ? "applies" : "apply"
    } at its start`,
  }];
}

/** The rules that do something at an operation. libvirt tells what there is then only when it calls. */
function eventRules({ rules, ...rest }: RuleSet): RuleSet {
  return { ...rest, rules: rules.filter(({ actions }) => actions.some(({ lasts }) => lasts === "event")) };
}

function undecidedFindings(matches: readonly RuleMatch[]): readonly Finding[] {
  return matches.flatMap(({ rule, problem }): Finding[] =>
    problem === undefined ? [] : [{ level: "fail", text: `rule "${rule.name}": ${problem}` }]
  );
}

interface GuestCheckContext extends Host {
  readonly call: HookCall;
  readonly holds: readonly Hold[];
}

async function intentFindings(intent: Intent, context: GuestCheckContext): Promise<readonly Finding[]> {
  const rule = `rule "${intent.rule}"`;
  switch (intent.kind) {
    case "deny":
      return [{ level: "warn", text: `${rule} refuses the start: ${intent.message}` }];
    case "fault":
      return [{ level: "fail", text: `${rule}: ${intent.action}: ${intent.message}` }];
    case "hold":
      return [await holdFinding(intent, context)];
    // A program is checked with the rules; what it does is known to itself alone.
    case "run":
      return [{ level: "skip", text: `${rule}: what ${intent.argv[0]} does at the start` }];
    case "edit":
      return [];
    default:
      return intent satisfies never;
  }
}

async function holdFinding(hold: Hold, { call, holds, kinds, sys }: GuestCheckContext): Promise<Finding> {
  const { resource, demand, rule, action, lifetime, text } = hold;
  const holder = holderOf(call);
  const about = `rule "${rule}": ${text}`;
  if (holder === undefined) return { level: "fail", text: `${about}: the document of the guest has no UUID` };
  const stored = hasLedger(sys) ? allDemands({ sys, notes: [], looksOnly: true }) : [];
  const former = stored.map(({ record }) => record).filter((record) => holderId(record.holder) === holderId(holder));
  const daemon = { pid: 0, startTime: "", name: "" };
  const request = { resource, demand, rule, action, lifetime, order: 0, holder, daemon };
  const resolved = await resolveHold(request, { plan: holds, former, isRunning: false }, { kinds, sys });
  if (resolved.kind === "refused") {
    return { level: "fail", text: `${about}: ${resolved.reason}`, advice: resolved.hint };
  }
  const isNew = former.every((record) => record.key !== resolved.record.key);
  const finding = { level: "ok", text: about, advice: resolved.note } as const;
  return isNew ? notRefused(hold, finding) : { ...finding, text: `${about}: is held already` };
}
