/**
 * Whether the libvirt of this host is new enough for the rules.
 * @module
 */
import type { HostLibvirt } from "../../libvirt/host_version.ts";
import { type Operation, REASON_SINCE } from "../../libvirt/driver.ts";
import type { HookCall } from "../../libvirt/call.ts";
import { drivers } from "../../libvirt/drivers.ts";
import { callsOperation, passesReason, versionText } from "../../libvirt/version.ts";
import { allHookPoints, hookPointsOf } from "../../rules/hook_points.ts";
import type { Rule, RuleSet } from "../../rules/rule.ts";
import type { Finding } from "./finding.ts";

/** What of the rules the host's libvirt cannot serve, and which libvirt that is. */
export function libvirtFindings(ruleSet: RuleSet, libvirt: HostLibvirt): readonly Finding[] {
  if (libvirt.kind === "unknown") return unknownFindings(ruleSet, libvirt.reason);
  const { version, source } = libvirt;
  const text = versionText(version);
  return [
    { level: "ok", text: `libvirt is ${text}: ${source}` },
    ...ruleSet.rules.flatMap((rule) => [
      ...passesReason(version) ? [] : reasonFindings(rule, text),
      ...operationNeeds(rule, ruleSet).filter((need) => !callsOperation(version, need.facts)).map((need): Finding => ({
        level: "fail",
        text: `rule "${rule.name}": libvirt ${text} never calls ${need.driver} ${need.operation} (${
          spanText(need.facts)
        })`,
      })),
    ]),
  ];
}

function reasonFindings({ name, when, unless }: Rule, version: string): readonly Finding[] {
  const since = `libvirt passes the shut-off reason to hooks from ${REASON_SINCE} on, and this host has ${version}`;
  const advice = `upgrade libvirt to ${REASON_SINCE} or later, or select without "reason"`;
  return [
    ...(when.reason === undefined
      ? []
      : [{ level: "fail", text: `rule "${name}" never matches: it selects by "reason"; ${since}`, advice } as const]),
    ...(unless.every(({ reason }) => reason === undefined) ? [] : [
      {
        level: "fail",
        text: `rule "${name}": its "unless" with "reason" never excludes anything; ${since}`,
        advice,
      } as const,
    ]),
  ];
}

/** An operation that a rule names, with the versions that call it. */
interface Need {
  readonly driver: string;
  readonly operation: string;
  readonly facts: Operation;
}

function operationNeeds({ when }: Rule, { settings }: RuleSet): readonly Need[] {
  if (when.on === undefined) return [];
  return hookPointsOf(when, allHookPoints(settings)).map(({ driver, operation, facts }) => ({
    driver: driver.name,
    operation,
    facts,
  }));
}

function spanText({ since, until }: Operation): string {
  return until === undefined ? `from ${since} on` : `from ${since} until ${until}`;
}

/** What explain says of the host's libvirt for one call. */
export function callNotes(
  { facts, driver, operation }: HookCall,
  { rules }: RuleSet,
  libvirt: HostLibvirt,
): readonly string[] {
  const isAtReason = drivers[driver].reasonAt.some((name) => name === operation);
  const needsReason = isAtReason && rules.some(selectsByReason);
  if (libvirt.kind === "unknown") {
    if (!needsReason) return [];
    return [`whether this host's libvirt passes a shut-off reason is unknown (it does from ${REASON_SINCE} on)`];
  }
  const { version } = libvirt;
  const name = `libvirt ${versionText(version)} of this host`;
  return [
    ...(callsOperation(version, facts) ? [] : [`${name} never makes this call (${spanText(facts)})`]),
    ...(needsReason && !passesReason(version)
      ? [`${name} passes no shut-off reason here (from ${REASON_SINCE} on it does), so no rule with "reason" matches`]
      : []),
  ];
}

function selectsByReason({ when, unless }: Rule): boolean {
  return [when, ...unless].some(({ reason }) => reason !== undefined);
}

function unknownFindings({ rules }: RuleSet, reason: string): readonly Finding[] {
  const needing = rules.filter(selectsByReason);
  return [
    { level: "skip", text: `the version of libvirt is unknown: ${reason}` },
    ...needing.map(({ name }): Finding => ({
      level: "skip",
      text: `rule "${name}" selects by "reason", which libvirt passes from ${REASON_SINCE} on`,
    })),
  ];
}
