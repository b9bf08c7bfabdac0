/**
 * Whether the host can do what one rule asks: its demands are asked of the host as at a guest's start.
 * @module
 */
import type { Action } from "../../actions/action.ts";
import type { HookPoint } from "../../config/rule_context.ts";
import type { Holder } from "../../ledger/demand_file.ts";
import { resolveHold } from "../../ledger/resolve.ts";
import { type HookCall, makeCall } from "../../libvirt/call.ts";
import { parseLibvirtDocument } from "../../libvirt/parse.ts";
import type { ResourceName } from "../../plan/demand.ts";
import type { Hold } from "../../plan/intent.ts";
import type { Host } from "../../resources/kinds.ts";
import { allHookPoints, hookPointsOf, lifetimeStartPoints } from "../../rules/hook_points.ts";
import type { Rule, RuleSet } from "../../rules/rule.ts";
import type { Sys } from "../../sys/sys.ts";
import { TOOLS } from "../../sys/tools.ts";
import { quote } from "../../text/quote.ts";
import { pciFindings } from "./pci.ts";
import type { Finding } from "./finding.ts";

/** The keys of the actions that ask for each kind of resource. */
const ACTIONS_OF = {
  module: ["modules"],
  service: ["services"],
  sysctl: ["sysctl"],
  cpus: ["cpus"],
  governor: ["cpus"],
  nft: ["forward", "open"],
  hairpin: ["forward"],
  address: ["addresses"],
  route: ["routes"],
  dns: ["dns"],
  hugepages: ["hugepages"],
  console: ["pci"],
  pci: ["pci"],
  process: ["process"],
  command: ["run"],
} as const satisfies Record<ResourceName, readonly string[]>;

/** A holder that does not exist. */
const PLACEHOLDER_HOLDER: Holder = {
  kind: "domain",
  driver: "qemu",
  uuid: "00000000-0000-0000-0000-000000000000",
  name: "GUEST",
};

/** What the host says to the actions of a rule that last. */
export async function ruleFindings(rule: Rule, ruleSet: RuleSet, host: Host): Promise<readonly Finding[]> {
  const { sys } = host;
  const [place] = lifetimeStartPoints(rule.while, hookPointsOf(rule.when, allHookPoints(ruleSet.settings)));
  if (place === undefined) return [];
  const findings: Finding[] = [];
  for (const action of rule.actions.filter(({ lasts }) => lasts !== "event")) {
    const found = action.usesDocument
      ? [
        ...await toolsFinding(action, rule, host),
        ...(action.kind === "pci" ? await pciFindings(action, rule, { place, ruleSet, sys }) : []),
      ]
      : await planFindings(action, rule, { call: pretendedCall(place, sys), host });
    findings.push(...found.map((finding) => ({ ...finding, text: `rule "${rule.name}": ${finding.text}` })));
  }
  return findings;
}

/** The programs that a rule runs at its operations: looked at with the rules, and not run. */
export function eventFindings({ name, actions }: Pick<Rule, "name" | "actions">): readonly Finding[] {
  return actions.filter(({ lasts }) => lasts === "event").flatMap(({ programs }) =>
    programs.map(({ argv }) => notTried(`rule "${name}": run ${argv.map(quote).join(" ")}`))
  );
}

function notTried(text: string): Finding {
  return { level: "skip", text: `${text}: may be run; what it does was not tried` };
}

function pretendedCall({ driver, operation, facts }: HookPoint, sys: Sys): HookCall {
  const invocation = {
    driver,
    object: PLACEHOLDER_HOLDER.name,
    operation,
    subOperation: facts.subOperation,
    extra: "-",
    facts,
  };
  return makeCall(invocation, facts, {
    host: sys.hostname(),
    document: new Uint8Array(),
    parse: parseLibvirtDocument,
  });
}

/** What an action asks for depends on the guest or network; what it takes on the host does not. */
async function toolsFinding({ kind }: Action, rule: Rule, { kinds, sys }: Host): Promise<readonly Finding[]> {
  const names = Object.entries<readonly string[]>(ACTIONS_OF).filter(([, actions]) => actions.includes(kind))
    .map(([resource]) => resource);
  const resources = await Promise.all(names.map((name) => kinds.load(name)));
  const tools = new Set(resources.flatMap((resource) => resource?.tools ?? []));
  const missing = [...tools].map((tool) => TOOLS[tool]).filter((path) => sys.lstat(path) === undefined);
  if (missing.length > 0) return missing.map((path) => ({ level: "fail", text: `${kind}: there is no ${path}` }));
  const there = [...tools].map((tool) => TOOLS[tool]).join(" and ");
  const text = `${kind}: what it comes to depends on the ${rule.while}${there === "" ? "" : `; ${there} is there`}`;
  const advice = rule.while === "guest" ? "try: virt-hooks check --host --guest GUEST" : undefined;
  return [{ level: "skip", text, advice }];
}

async function planFindings(
  action: Action,
  rule: Rule,
  { call, host }: { readonly call: HookCall; readonly host: Host },
): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  for (const intent of action.plan(rule, call)) {
    if (intent.kind === "fault") findings.push({ level: "fail", text: `${intent.action}: ${intent.message}` });
    if (intent.kind === "hold") findings.push(await holdFinding(intent, host));
  }
  return findings;
}

async function holdFinding(hold: Hold, host: Host): Promise<Finding> {
  const { sys } = host;
  const { resource, demand, rule, action, lifetime, text } = hold;
  const daemon = { pid: 0, startTime: "", name: "" };
  const request = { resource, demand, rule, action, lifetime, order: 0, holder: PLACEHOLDER_HOLDER, daemon };
  const resolved = await resolveHold(request, { plan: [hold], former: [], isRunning: false }, host);
  if (resolved.kind === "refused") {
    const message = `${text}: ${resolved.reason}`;
    // What is refused to a user may well be granted to the hooks, which are root.
    return sys.uid() === 0
      ? { level: "fail", text: message, advice: resolved.hint }
      : { level: "warn", text: message, advice: "sudo virt-hooks check --host" };
  }
  return notRefused(hold, { level: resolved.note === undefined ? "ok" : "warn", text, advice: resolved.note });
}

/** A hold that the host does not refuse. A program is looked at and not run: what it does is known to itself alone. */
export function notRefused({ resource }: Hold, finding: Finding): Finding {
  const runs = resource === "command" || resource === "process";
  return runs ? { ...finding, ...notTried(finding.text) } : { ...finding, text: `${finding.text}: can be held` };
}
