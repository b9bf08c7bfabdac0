/**
 * `virt-hooks check --host`: whether this host can do what the rules ask, as far as can be told without a guest.
 * @module
 */
import type { Host } from "../../resources/kinds.ts";
import { hostLibvirt, runningDaemons } from "../../libvirt/host_version.ts";
import { HOOKS_DIRECTORY } from "../../app/product.ts";
import { STATUS_DIRECTORY } from "../../libvirt/status_files.ts";
import { hasLedger, LEDGER_DIRECTORY, RUN_DIRECTORY } from "../../ledger/layout.ts";
import { inspectLedger, type LedgerView } from "../../ledger/ledger.ts";
import { LedgerError } from "../../ledger/file.ts";
import { allDemands } from "../../ledger/reconcile.ts";
import { allHookPoints, hookPointsOf, lifetimeStartPoints } from "../../rules/hook_points.ts";
import type { Rule, RuleSet } from "../../rules/rule.ts";
import type { Sys } from "../../sys/sys.ts";
import { type Tool, TOOLS } from "../../sys/tools.ts";
import { daemonFindings } from "./daemons.ts";
import { forwardingFindings } from "./forwarding.ts";
import { guestFindings } from "./guest.ts";
import { libvirtFindings } from "./libvirt.ts";
import { eventFindings, ruleFindings } from "./rule.ts";
import type { Finding } from "./finding.ts";
import {
  areDisabled,
  differingText,
  DISABLED_TEXT,
  guestsState,
  SHOW_DIFFERENCE,
  unknownText,
} from "../report/judgement.ts";
import { unsettledResources } from "../report/status.ts";

/** Looks at the host with these rules in mind, and with one guest where one is named. Nothing is changed. */
export async function checkHost(
  ruleSet: RuleSet,
  guest: string | undefined,
  host: Host,
): Promise<readonly Finding[]> {
  const { sys } = host;
  const lasting = ruleSet.rules.filter(({ actions }) => actions.some(({ lasts }) => lasts !== "event"));
  const isRoot = sys.uid() === 0;
  const daemons = await runningDaemons(sys);
  const findings = [
    ...await disabledFindings(sys),
    ...BASIC_TOOLS.map((tool) => toolFinding(tool, sys)),
    ...(isRoot ? await ledgerFindings(sys) : [ROOT_ONLY]),
    ...libvirtFindings(ruleSet, await hostLibvirt(daemons, sys)),
    ...(isRoot ? await daemonFindings(daemons, sys) : []),
    ...statusFindings(lasting, ruleSet, sys),
    ...await forwardingFindings(ruleSet, sys),
  ];
  if (guest === undefined) {
    for (const rule of lasting) findings.push(...await ruleFindings(rule, ruleSet, host));
    findings.push(...ruleSet.rules.flatMap(eventFindings));
  } else findings.push(...await guestFindings(guest, ruleSet, host));
  return isRoot ? [...findings, ...await heldFindings(ruleSet, host)] : findings;
}

const ROOT_ONLY: Finding = {
  level: "skip",
  text: "what is held, libvirt's daemons and the installed hooks can only be checked by root",
  advice: "sudo virt-hooks check --host",
};

async function disabledFindings(sys: Sys): Promise<readonly Finding[]> {
  return await areDisabled(sys) ? [{ level: "fail", text: DISABLED_TEXT }] : [];
}

/** What `status` says is not well is not well here either. */
async function heldFindings(ruleSet: RuleSet, host: Host): Promise<readonly Finding[]> {
  const guests = await guestsState(ruleSet, host.sys);
  return [
    ...(await unsettledResources(host)).map(({ key, state, reasons, holders }): Finding => ({
      level: "warn",
      text: `${key} is ${holders.length === 0 ? "left over" : "held"} and ${state}${
        reasons.map(({ text }) => `: ${text}`)[0] ?? ""
      }`,
      advice: "see: virt-hooks status",
    })),
    ...(guests.differing.length === 0
      ? []
      : [{ level: "warn", text: differingText(guests.differing), advice: `see: ${SHOW_DIFFERENCE}` } as const]),
    ...(guests.unknown.length === 0 ? [] : [{ level: "skip", text: unknownText(guests.unknown) } as const]),
  ];
}

/** Every hook that holds something reads and writes the kernel's files with these. */
const BASIC_TOOLS = ["head", "dd", "find"] as const satisfies readonly Tool[];

function toolFinding(tool: Tool, sys: Sys): Finding {
  const path = TOOLS[tool];
  if (sys.lstat(path) !== undefined) return { level: "ok", text: `${path} is there` };
  const what = tool === "find" ? "findutils" : "coreutils";
  return { level: "fail", text: `there is no ${path}: nothing can be held`, advice: `install ${what}` };
}

async function ledgerFindings(sys: Sys): Promise<readonly Finding[]> {
  const facts = sys.lstat(RUN_DIRECTORY);
  if (facts === undefined) {
    return [{ level: "ok", text: `there is no ${RUN_DIRECTORY} yet: it is made when something is first held` }];
  }
  if (facts.kind !== "directory" || facts.uid !== 0 || (facts.mode & 0o022) !== 0) {
    const text = `${RUN_DIRECTORY} is not a folder that only root can write: nothing can be held`;
    return [{ level: "fail", text, advice: `see: ls -ld ${RUN_DIRECTORY}` }];
  }
  try {
    const look = await inspectLedger(sys);
    const notes = look.kind === "open" ? look.ledger.notes : [];
    return notes.length === 0 ? [lookFinding(look)] : notes.map((text) => ({ level: "warn", text }));
  } catch (error) {
    if (!(error instanceof LedgerError)) throw error;
    return [{ level: "fail", text: error.message, advice: `see: ls -ld ${LEDGER_DIRECTORY}` }];
  }
}

function lookFinding({ kind }: LedgerView): Finding {
  switch (kind) {
    case "none":
      return { level: "ok", text: `${RUN_DIRECTORY} is root's, and nothing was held since the boot` };
    case "open":
      return { level: "ok", text: `${LEDGER_DIRECTORY} is root's and of this boot` };
    case "of-another-boot":
      return { level: "warn", text: `${LEDGER_DIRECTORY} is of another boot: the next hook call sets it aside` };
    default:
      return kind satisfies never;
  }
}

/** Without libvirt's status files it cannot be told which guests are gone: reconcile then releases none. */
function statusFindings(lasting: readonly Rule[], ruleSet: RuleSet, sys: Sys): readonly Finding[] {
  const everywhere = allHookPoints(ruleSet.settings);
  const drivers = new Map<string, boolean>();
  for (const { when, while: life } of lasting) {
    for (const { driver } of lifetimeStartPoints(life, hookPointsOf(when, everywhere))) {
      const isNamed = when.driver?.includes(driver.name) ?? false;
      drivers.set(driver.name, isNamed || (drivers.get(driver.name) ?? isInstalled(driver.name, sys)));
    }
  }
  const holding = new Set(hasLedger(sys) && sys.uid() === 0 ? holdingDrivers(sys) : []);
  return [...drivers].filter(([, isUsed]) => isUsed).map(([driver]) => statusFinding(driver, holding, sys));
}

function isInstalled(driver: string, sys: Sys): boolean {
  return [`${HOOKS_DIRECTORY}/${driver}`, `${HOOKS_DIRECTORY}/${driver}.d/50-virt-hooks`]
    .some((path) => sys.lstat(path) !== undefined);
}

/** The drivers of those that hold something. */
function holdingDrivers(sys: Sys): readonly string[] {
  return allDemands({ sys, notes: [], looksOnly: true })
    .map(({ record: { holder } }) => holder.kind === "domain" ? holder.driver : "network");
}

function statusFinding(driver: string, holding: ReadonlySet<string>, sys: Sys): Finding {
  const folder = `${STATUS_DIRECTORY}/${driver}`;
  if (canList(folder, sys)) return { level: "ok", text: `${folder} tells which guests and networks exist` };
  // A daemon that is started by its socket makes its folder when it is first used.
  if (sys.lstat(folder) === undefined && !holding.has(driver)) {
    return {
      level: "ok",
      text: `there is no ${folder} yet: libvirt's daemon for ${driver} has not run since the boot`,
    };
  }
  const text = `${folder} cannot be read: reconcile cannot tell who is dead, and leaves all that ${driver} holds alone`;
  return { level: "warn", text, advice: "is libvirt's daemon for it running?" };
}

function canList(folder: string, sys: Sys): boolean {
  try {
    return sys.readDirectory(folder) !== undefined;
  } catch {
    // For us it is as good as not there, whatever the system says.
    return false;
  }
}
