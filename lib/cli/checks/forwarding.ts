/**
 * Whether ports of this host can be forwarded, and what would stand in the way.
 * @module
 */
import type { IpFamily } from "../../net/ip_address.ts";
import { DEFAULT_MARK } from "../../plan/nft_demand.ts";
import {
  type AllowedTraffic,
  type Firewalls,
  type ForeignChain,
  inspectFirewalls,
} from "../../resources/nft/firewalls.ts";
import { hiddenListenersText, readListeners } from "../../resources/nft/listeners.ts";
import { FilterError } from "../../resources/nft/list.ts";
import { type OtherForward, overriddenText, readOtherForwards } from "../../resources/nft/other_forwards.ts";
import { sparedAddresses } from "../../resources/nft/spared.ts";
import { networkLookup } from "../../resources/nft/surroundings.ts";
import type { Rule, RuleSet } from "../../rules/rule.ts";
import type { Sys } from "../../sys/sys.ts";
import { TOOLS } from "../../sys/tools.ts";
import type { Finding } from "./finding.ts";

/** What can end connections that outlive their forward; a person runs it. */
const OLDEST_NFT = [0, 9, 8] as const;

/** Looks at this host, if a rule forwards or opens something. Nothing is changed. */
export async function forwardingFindings({ rules, settings }: RuleSet, sys: Sys): Promise<readonly Finding[]> {
  const kinds = new Set(rules.flatMap(({ actions }) => actions.map(({ kind }) => kind)));
  if (!kinds.has("forward") && !kinds.has("open")) return [];
  if (sys.lstat(TOOLS.nft) === undefined) {
    return [{ level: "fail", text: `there is no ${TOOLS.nft}: nothing can be forwarded`, advice: "install nftables" }];
  }
  return [
    ...await filterFindings({ mark: settings.forwardMark ?? DEFAULT_MARK, opens: kinds.has("open") }, sys),
    ...await kernelFindings(rules, sys),
    ...(kinds.has("forward") ? [conntrackFinding(sys)] : []),
    ...await portFindings(rules, sys),
  ];
}

async function filterFindings(letIn: AllowedTraffic, sys: Sys): Promise<readonly Finding[]> {
  if (sys.uid() !== 0) {
    return [{ level: "warn", text: "only root can read the packet filter", advice: "sudo virt-hooks check --host" }];
  }
  try {
    const found = await inspectFirewalls(letIn, sys);
    return [
      versionFinding(found),
      namesFinding(found),
      ...found.closed.map(closedFinding),
      ...found.foreign.map(foreignFinding),
      ...found.earlier.map(earlierFinding),
      ...found.legacy.map(legacyFinding),
      ...[...found.missing, ...found.leases].map((text): Finding => ({ level: "warn", text })),
    ];
  } catch (error) {
    if (!(error instanceof FilterError)) throw error;
    return [{ level: "fail", text: `the packet filter cannot be read: ${error.message}` }];
  }
}

function versionFinding({ version }: Firewalls): Finding {
  const text = `${TOOLS.nft} is there: ${version}`;
  const [, ...parts] = /v(\d+)\.(\d+)\.(\d+)/.exec(version) ?? [];
  const older = OLDEST_NFT.map((oldest, index) => Number(parts[index]) - oldest).find((difference) => difference !== 0);
  if (older === undefined || older > 0) return { level: "ok", text };
  return { level: "warn", text, advice: `it is known to work from ${OLDEST_NFT.join(".")} on` };
}

function namesFinding({ names, closed, foreign }: Firewalls): Finding {
  if (names.length === 0) {
    return { level: "ok", text: "no firewall of a known kind filters what is passed on to guests yet" };
  }
  const by = `what is passed on to guests is filtered by ${names.join(", ")}`;
  if (closed.length + foreign.length > 0) return { level: "ok", text: by };
  return { level: "ok", text: `${by}: forwards are let through there` };
}

function closedFinding(called: string): Finding {
  return {
    level: "warn",
    text: `${called} may reject what virt-hooks lets in, since another rule comes first there`,
    advice: "virt-hooks reconcile",
  };
}

function foreignFinding({ label, kind, fixCommand, showCommand }: ForeignChain): Finding {
  if (kind === "rejects-some") {
    return {
      level: "warn",
      text: `${label} drops some packets, which may be a forward's`,
      advice: `see: ${showCommand}`,
    };
  }
  return {
    level: "warn",
    text: `${label} drops what it does not accept, forwards too`,
    advice: `let them through: ${fixCommand}`,
  };
}

function earlierFinding({ table, name, priority }: Firewalls["earlier"][number]): Finding {
  return {
    level: "warn",
    text:
      `the chain ${name} of table ${table} is asked before a forward (priority ${priority}), and may send elsewhere`,
    advice: `see: nft list chain ${table} ${name}`,
  };
}

function legacyFinding(tool: Firewalls["legacy"][number]): Finding {
  return {
    level: "warn",
    text: `the kernel also has a filter of ${tool}-legacy: forwards are not let through there`,
    advice: `see: ${tool}-legacy -S FORWARD`,
  };
}

const KEYS = {
  ipv4: "net/ipv4/ip_forward",
  ipv6: "net/ipv6/conf/all/forwarding",
  bridged: "net/bridge/bridge-nf-call-iptables",
} as const;

const PASSING = {
  ipv4: { word: "IPv4", sysctl: "net.ipv4.ip_forward" },
  ipv6: { word: "IPv6", sysctl: "net.ipv6.conf.all.forwarding" },
} as const;

async function kernelFindings(rules: readonly Rule[], { kernel }: Sys): Promise<readonly Finding[]> {
  const path = (key: keyof typeof KEYS): string => `/proc/sys/${KEYS[key]}`;
  const texts = await kernel.read([path("ipv4"), path("ipv6"), path("bridged")]);
  const is = (key: keyof typeof KEYS, value: string): boolean => texts.get(path(key))?.trim() === value;
  const meant = rules.flatMap(({ actions }) =>
    actions.flatMap(({ families }) => families === undefined ? [] : [families])
  );
  const passing = (["ipv4", "ipv6"] as const).map((family) =>
    passingFinding(family, { isOn: is(family, "1"), isNeeded: meant.some((families) => needs(families, family)) })
  );
  if (!is("bridged", "1")) return passing;
  return [...passing, {
    level: "warn",
    text: "bridged packets go through iptables (net.bridge.bridge-nf-call-iptables = 1)",
    advice: "a guest that calls its own forwarded port by the host's address waits in vain without hairpin = true",
  }];
}

/** A rule that names no family mostly comes to IPv4; only one that is for IPv6 alone needs IPv6. */
function needs(families: readonly IpFamily[], family: IpFamily): boolean {
  return family === "ipv4" ? families.includes("ipv4") : families.join() === "ipv6";
}

function passingFinding(
  family: IpFamily,
  { isOn, isNeeded }: { readonly isOn: boolean; readonly isNeeded: boolean },
): Finding {
  const { word, sysctl } = PASSING[family];
  if (isOn) return { level: "ok", text: `${word} forwarding is on (${sysctl} = 1)` };
  if (!isNeeded) return { level: "ok", text: `${word} forwarding is off (${sysctl})` };
  return {
    level: "warn",
    text: `${word} forwarding is off (${sysctl} is 0): nothing forwarded or opened reaches a guest by ${word}`,
    advice: `libvirt sets it to 1 for a network with a way out; for others: a rule with sysctl = { "${sysctl}" = 1 }`,
  };
}

function conntrackFinding(sys: Sys): Finding {
  if (sys.lstat(TOOLS.conntrack) !== undefined) return { level: "ok", text: `${TOOLS.conntrack} is there` };
  const text = `there is no ${TOOLS.conntrack}: connections live on when the port that they came by is gone`;
  return { level: "warn", text, advice: "install conntrack, if that matters" };
}

/** That the packet filter cannot be read is told before. */
async function otherForwards(sys: Sys): Promise<readonly OtherForward[]> {
  if (sys.uid() !== 0) return [];
  try {
    return await readOtherForwards(sys);
  } catch (error) {
    if (!(error instanceof FilterError)) throw error;
    return [];
  }
}

/** What listens now; a guest's start checks again. */
async function portFindings(rules: readonly Rule[], sys: Sys): Promise<readonly Finding[]> {
  const listeners = await readListeners(sys);
  const others = await otherForwards(sys);
  const lookup = networkLookup(sys);
  const findings: Finding[] = [];
  for (const { name, actions } of rules) {
    for (const takes of actions.flatMap((action) => action.hostEnd ?? [])) {
      // Only root reads the documents of libvirt's networks.
      const spared = sys.uid() === 0 ? await sparedAddresses(takes, lookup) : [];
      const text = hiddenListenersText({ ...takes, sparedAddresses: spared }, listeners);
      const texts = [text, overriddenText(takes, others)].filter((one) => one !== undefined);
      findings.push(...texts.map((one): Finding => ({ level: "warn", text: `rule "${name}": ${one}` })));
    }
  }
  return findings;
}
