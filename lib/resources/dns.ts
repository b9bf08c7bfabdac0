/**
 * The DNS servers that systemd-resolved asks for the names of a domain: settings of one network device.
 * @module
 */
import * as v from "valibot";
import type { DnsDemand } from "../plan/demand.ts";
import type { Sys } from "../sys/sys.ts";
import {
  type Reading,
  type Resolution,
  resource,
  type ResourceChange,
  sameValue,
  type SavedState,
  type WriteEnd,
} from "./resource.ts";
import { runTool, type ToolEnd } from "./run_tool.ts";

const TIMEOUT_MS = 5_000;
/** Exists once systemd-resolved has run, and remains after it is stopped. */
const RESOLVED_DIRECTORY = "/run/systemd/resolve";
const PREFIX = "dns/";
const FALLBACK_HINT = "without it, point your resolver at the network's own address";

/** The DNS settings of a device. */
const settingsSchema = v.object({ servers: v.array(v.string()), domains: v.array(v.string()) });
type DnsSettings = v.InferOutput<typeof settingsSchema>;

/** DNS settings of network devices, as a resource kind. */
export const dns = resource<DnsDemand, DnsSettings>({
  name: "dns",
  demand: v.object({ dev: v.string(), domain: v.string(), server: v.string() }),
  value: settingsSchema,
  restores: "absolute",
  tools: ["resolvectl"],
  resolve,
  read: (key, sys) => read(key.slice(PREFIX.length), sys),
  wanted: (original, held) => ({
    kind: "value",
    value: {
      servers: union([...original.servers, ...held.map(({ demand }) => demand.server)]),
      // A domain with "~" is a routing domain: only its names are resolved by the device's servers.
      domains: union([...original.domains, ...held.map(({ demand }) => `~${demand.domain}`)]),
    },
  }),
  isAbandoned: isPartlyWritten,
  write,
  describe: ({ servers, domains }) =>
    servers.length + domains.length === 0 ? "nothing" : `${domains.join(" ")} at ${servers.join(" ")}`,
});

/**
 * Servers and domains are set one after the other. A hook that is killed in between leaves each at a value of ours,
 * though not both of the same write.
 */
function isPartlyWritten(actual: DnsSettings, { original, written, pending }: SavedState<DnsSettings>): boolean {
  const known = [original, written, pending].filter((settings) => settings !== undefined);
  return known.some(({ servers }) => sameValue(servers, actual.servers)) &&
    known.some(({ domains }) => sameValue(domains, actual.domains));
}

function union(values: readonly string[]): string[] {
  return [...new Set(values)];
}

async function resolve(demand: DnsDemand, sys: Sys): Promise<Resolution<DnsDemand>> {
  if (sys.lstat(RESOLVED_DIRECTORY) === undefined) {
    return { kind: "refused", reason: "systemd-resolved does not run on this host", hint: FALLBACK_HINT };
  }
  const reading = await read(demand.dev, sys);
  if (reading.kind === "value") return { kind: "resolved", key: `${PREFIX}${demand.dev}`, demand };
  return { kind: "refused", reason: reading.reason, hint: reading.kind === "unreadable" ? FALLBACK_HINT : undefined };
}

async function read(dev: string, sys: Sys): Promise<Reading<DnsSettings>> {
  const servers = await runResolvectl("dns", dev, sys);
  const domains = await runResolvectl("domain", dev, sys);
  if (servers.kind !== "done") return unreadable(dev, servers);
  if (domains.kind !== "done") return unreadable(dev, domains);
  return { kind: "value", value: { servers: parseList(servers.stdout), domains: parseList(domains.stdout) } };
}

async function runResolvectl(setting: "dns" | "domain", dev: string, sys: Sys): Promise<ToolEnd> {
  return await runTool(["resolvectl", setting, dev], { timeoutMs: TIMEOUT_MS }, sys);
}

function unreadable(dev: string, { reason }: Exclude<ToolEnd, { readonly kind: "done" }>): Reading<DnsSettings> {
  return /No such device|Failed to resolve interface/.test(reason)
    ? { kind: "gone", reason: `there is no device ${dev}` }
    : { kind: "unreadable", reason: `systemd-resolved does not answer: ${reason}` };
}

/** Parses `Link 3 (virbr0): ONE TWO`. Nothing follows the colon where nothing is set. */
function parseList(text: string): string[] {
  return text.trim().replace(/^Link \d+ \([^)]*\):/, "").split(/\s+/).filter((word) => word !== "");
}

/** Writes the servers and domains. An empty argument clears the setting. */
async function write({ key, to }: ResourceChange<DnsSettings>, sys: Sys): Promise<WriteEnd<DnsSettings>> {
  const dev = key.slice(PREFIX.length);
  for (const [setting, values] of [["dns", to.servers], ["domain", to.domains]] as const) {
    const args = values.length === 0 ? [""] : values;
    const end = await runTool(["resolvectl", setting, dev, ...args], { timeoutMs: TIMEOUT_MS }, sys);
    if (end.kind !== "done") return { kind: end.kind, reason: end.reason };
  }
  return { kind: "written" };
}
