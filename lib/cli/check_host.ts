/**
 * `virt-hooks check --host`: whether this host can do what the rules ask, as far as can be told without a guest.
 * @module
 */
import { HOOKS_DIRECTORY } from "../app/paths.ts";
import { STATUS_DIRECTORY } from "../ledger/libvirt_status.ts";
import { LEDGER_DIRECTORY, RUN_DIRECTORY } from "../ledger/layout.ts";
import { type Look, lookAtLedger } from "../ledger/ledger.ts";
import { LedgerError } from "../ledger/ledger_error.ts";
import { allPlaces, beginningsOf, placesOf } from "../rules/places.ts";
import type { Rule, RuleSet } from "../rules/rule.ts";
import type { Sys } from "../sys/sys.ts";
import { type Tool, TOOLS } from "../sys/tools.ts";
import { forwardingFindings } from "./check_forwarding.ts";
import { ruleFindings } from "./check_rule.ts";
import type { Finding } from "./finding.ts";

/** Looks at the host with these rules in mind. Nothing is changed. */
export async function checkHost(ruleSet: RuleSet, sys: Sys): Promise<readonly Finding[]> {
  const lasting = ruleSet.rules.filter(({ actions }) => actions.some(({ lasts }) => lasts !== "event"));
  const findings = [...BASIC_TOOLS.map((tool) => toolFinding(tool, sys))];
  if (sys.uid() === 0) findings.push(...await ledgerFindings(sys));
  else findings.push({ level: "warn", text: "what is held is root's to see", advice: "sudo virt-hooks check --host" });
  findings.push(...statusFindings(lasting, ruleSet, sys), ...await forwardingFindings(ruleSet, sys));
  for (const rule of lasting) findings.push(...await ruleFindings(rule, ruleSet, sys));
  return findings;
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
    const look = await lookAtLedger(sys);
    const notes = look.kind === "open" ? look.ledger.notes : [];
    return notes.length === 0 ? [lookFinding(look)] : notes.map((text) => ({ level: "warn", text }));
  } catch (error) {
    if (!(error instanceof LedgerError)) throw error;
    return [{ level: "fail", text: error.message, advice: `see: ls -ld ${LEDGER_DIRECTORY}` }];
  }
}

function lookFinding({ kind }: Look): Finding {
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

/** Without libvirt's status files nobody can tell who is dead: reconcile then leaves everybody alone. */
function statusFindings(lasting: readonly Rule[], ruleSet: RuleSet, sys: Sys): readonly Finding[] {
  const everywhere = allPlaces(ruleSet.settings);
  const drivers = new Map<string, boolean>();
  for (const { when, while: life } of lasting) {
    for (const { driver } of beginningsOf(life, placesOf(when, everywhere))) {
      const isNamed = when.driver?.includes(driver.name) ?? false;
      drivers.set(driver.name, isNamed || (drivers.get(driver.name) ?? isInstalled(driver.name, sys)));
    }
  }
  return [...drivers].filter(([, isUsed]) => isUsed).map(([driver]) => statusFinding(driver, sys));
}

function isInstalled(driver: string, sys: Sys): boolean {
  return [`${HOOKS_DIRECTORY}/${driver}`, `${HOOKS_DIRECTORY}/${driver}.d/50-virt-hooks`]
    .some((path) => sys.lstat(path) !== undefined);
}

function statusFinding(driver: string, sys: Sys): Finding {
  const folder = `${STATUS_DIRECTORY}/${driver}`;
  if (canList(folder, sys)) return { level: "ok", text: `${folder} tells who lives` };
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
