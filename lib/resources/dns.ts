/**
 * Where systemd-resolved asks for the names of a domain: settings of one device.
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
/** There once systemd-resolved has run; it stays when that is stopped. */
const RESOLVED_DIRECTORY = "/run/systemd/resolve";
const PREFIX = "dns/";
const WITHOUT = "without it, point your resolver at the network's own address";

/** What a device has set. */
const settingsSchema = v.object({ servers: v.array(v.string()), domains: v.array(v.string()) });
type Settings = v.InferOutput<typeof settingsSchema>;

/** The kind. */
export const dns = resource<DnsDemand, Settings>({
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
      servers: united([...original.servers, ...held.map(({ demand }) => demand.server)]),
      // Names of the domain are asked for there, and none of any other.
      domains: united([...original.domains, ...held.map(({ demand }) => `~${demand.domain}`)]),
    },
  }),
  isAbandoned: isHalfOurs,
  write,
  describe: ({ servers, domains }) =>
    servers.length + domains.length === 0 ? "nothing" : `${domains.join(" ")} at ${servers.join(" ")}`,
});

/** Servers and domains are set one after the other: who is killed in between leaves each as one of ours, and not together. */
function isHalfOurs(actual: Settings, { original, written, pending }: SavedState<Settings>): boolean {
  const known = [original, written, pending].filter((settings) => settings !== undefined);
  return known.some(({ servers }) => sameValue(servers, actual.servers)) &&
    known.some(({ domains }) => sameValue(domains, actual.domains));
}

function united(values: readonly string[]): string[] {
  return [...new Set(values)];
}

async function resolve(demand: DnsDemand, sys: Sys): Promise<Resolution<DnsDemand>> {
  if (sys.lstat(RESOLVED_DIRECTORY) === undefined) {
    return { kind: "refused", reason: "systemd-resolved does not run on this host", hint: WITHOUT };
  }
  const reading = await read(demand.dev, sys);
  if (reading.kind === "value") return { kind: "resolved", key: `${PREFIX}${demand.dev}`, demand };
  return { kind: "refused", reason: reading.reason, hint: reading.kind === "unreadable" ? WITHOUT : undefined };
}

async function read(dev: string, sys: Sys): Promise<Reading<Settings>> {
  const servers = await ask("dns", dev, sys);
  const domains = await ask("domain", dev, sys);
  if (servers.kind !== "done") return unread(dev, servers);
  if (domains.kind !== "done") return unread(dev, domains);
  return { kind: "value", value: { servers: listed(servers.stdout), domains: listed(domains.stdout) } };
}

async function ask(what: "dns" | "domain", dev: string, sys: Sys): Promise<ToolEnd> {
  return await runTool(["resolvectl", what, dev], { timeoutMs: TIMEOUT_MS }, sys);
}

function unread(dev: string, { reason }: Exclude<ToolEnd, { readonly kind: "done" }>): Reading<Settings> {
  return /No such device|Failed to resolve interface/.test(reason)
    ? { kind: "gone", reason: `there is no device ${dev}` }
    : { kind: "unreadable", reason: `systemd-resolved does not answer: ${reason}` };
}

/** `Link 3 (virbr0): ONE TWO`; nothing behind the colon where nothing is set. */
function listed(text: string): string[] {
  return text.trim().replace(/^Link \d+ \([^)]*\):/, "").split(/\s+/).filter((word) => word !== "");
}

/** An empty text sets nothing. */
async function write({ key, to }: ResourceChange<Settings>, sys: Sys): Promise<WriteEnd<Settings>> {
  const dev = key.slice(PREFIX.length);
  for (const [what, values] of [["dns", to.servers], ["domain", to.domains]] as const) {
    const args = values.length === 0 ? [""] : values;
    const end = await runTool(["resolvectl", what, dev, ...args], { timeoutMs: TIMEOUT_MS }, sys);
    if (end.kind !== "done") return { kind: end.kind, reason: end.reason };
  }
  return { kind: "written" };
}
