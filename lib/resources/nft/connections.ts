/**
 * Ends tracked connections after a change. The kernel keeps forwarding an established connection as it began,
 * whatever the table contains now. Connections to a guest whose port was removed are ended, and so are those to a
 * port that arrived before it was forwarded: a client that keeps sending would never reach the guest.
 * @module
 */
import type { IpFamily } from "../../net/ip_address.ts";
import type { PortRange } from "../../plan/nft_demand.ts";
import type { Sys } from "../../sys/sys.ts";
import { TOOLS } from "../../sys/tools.ts";
import type { Table } from "./table.ts";
import { runTool } from "../run_tool.ts";

/** Ports that are forwarded to a guest. */
export interface ForwardPath {
  readonly family: IpFamily;
  readonly protocol: "tcp" | "udp";
  readonly ports: PortRange;
  readonly guest: string;
}

/** The identity of a tracked flow: the requested port, and the host that replies. */
export interface Flow {
  readonly family: IpFamily;
  readonly protocol: "tcp" | "udp";
  /** The port that the client sent to. */
  readonly port: number;
  /** The guest that replies; or the original destination, if there was no reply yet. */
  readonly at: { readonly guest: string } | { readonly destination: string };
}

/**
 * Maximum total time, and the maximum share of the remaining time: other resources may have to be restored after it.
 */
const TIME_MS_MAX = 5_000;
const TIME_SHARE = 0.5;

const DNAT_RULE =
  /^meta nfproto (ipv[46]) .*?\b(tcp|udp) dport (\d+)(?:-(\d+))? counter(?: name \w+)? dnat ip6? to (?:\[([^\]]+)\]|([\d.]+|[\da-f:]+(?= )))/;

/** Returns the forwards of a table. */
export function forwardPathsOf(table: Table | null): readonly ForwardPath[] {
  const rules = table?.chains.find(({ name }) => name === "to_guest")?.rules ?? [];
  return rules.flatMap((rule): ForwardPath[] => {
    const [, family, protocol, first, last = first, bracketed, plain] = DNAT_RULE.exec(rule) ?? [];
    const guest = bracketed ?? plain;
    if (guest === undefined) return [];
    return [{
      family: family === "ipv6" ? "ipv6" : "ipv4",
      protocol: protocol === "udp" ? "udp" : "tcp",
      ports: { first: Number(first), last: Number(last) },
      guest,
    }];
  });
}

/**
 * Ends connections that a change of the table misroutes. Returns a warning if that fails. Without `conntrack`, which
 * is a package of its own, such connections continue until they end.
 */
export async function endConnections(
  { from, to }: { readonly from: Table | null; readonly to: Table | null },
  deadlineMs: number,
  sys: Pick<Sys, "lstat" | "run" | "elapsedMs">,
): Promise<string | undefined> {
  const [before, after] = [forwardPathsOf(from), forwardPathsOf(to)];
  const removed = difference(before, after);
  const added = difference(after, before).filter(({ protocol }) => protocol === "udp");
  if (removed.length + added.length === 0 || sys.lstat(TOOLS.conntrack) === undefined) return undefined;
  const untilMs = sys.elapsedMs() + Math.min(TIME_MS_MAX, (deadlineMs - sys.elapsedMs()) * TIME_SHARE);
  const conntrack = async (...args: readonly string[]): Promise<string> => {
    const timeoutMs = untilMs - sys.elapsedMs();
    if (timeoutMs <= 0) {
      throw new ConnectionsError("Cannot end existing connections: there are too many for the remaining time");
    }
    const end = await runTool(["conntrack", ...args], { timeoutMs }, sys);
    // conntrack exits with 1 if there is nothing to delete.
    if (end.kind === "done" || (end.kind === "failed" && end.code === 1)) return end.stdout;
    throw new ConnectionsError(`Cannot end existing connections: ${end.reason}`);
  };
  try {
    for (const args of listCommands(removed, added)) {
      const flows = (await conntrack(...args)).split("\n").flatMap(parseFlow);
      for (const command of deleteCommands(flows, misroutedFlows(flows, { removed, added, after }))) {
        await conntrack(...command);
      }
    }
    return undefined;
  } catch (error) {
    if (!(error instanceof ConnectionsError)) throw error;
    return error.message;
  }
}

class ConnectionsError extends Error {
  override readonly name = "ConnectionsError";
}

function difference(paths: readonly ForwardPath[], others: readonly ForwardPath[]): readonly ForwardPath[] {
  const known = new Set(others.map((path) => JSON.stringify(path)));
  return paths.filter((path) => !known.has(JSON.stringify(path)));
}

/** Returns the conntrack commands that list the affected flows, without duplicates. */
function listCommands(removed: readonly ForwardPath[], added: readonly ForwardPath[]): readonly (readonly string[])[] {
  const all = [
    ...removed.map((path) => ["-L", ...selection(path), "--dst-nat", path.guest]),
    ...added.map((path) => ["-L", ...selection(path)]),
  ];
  return [...new Map(all.map((args) => [args.join(" "), args])).values()];
}

function selection({ family, protocol }: Pick<ForwardPath, "family" | "protocol">): readonly string[] {
  return ["-f", family, "-p", protocol];
}

/**
 * Returns the conntrack commands that delete flows: one for each flow, or a single one if all flows of a guest must
 * go.
 */
function deleteCommands(flows: readonly Flow[], misrouted: readonly Flow[]): readonly (readonly string[])[] {
  const [first] = misrouted;
  const isAll = misrouted.length > 1 && distinct(flows).length === misrouted.length;
  if (first === undefined || !isAll || !("guest" in first.at)) return misrouted.map(deletion);
  return [["-D", ...selection(first), "--dst-nat", first.at.guest]];
}

function deletion(flow: Flow): readonly string[] {
  const match = "guest" in flow.at
    ? ["--dst-nat", flow.at.guest]
    : ["--orig-dst", flow.at.destination, "--reply-src", flow.at.destination];
  return ["-D", ...selection(flow), "--orig-port-dst", String(flow.port), ...match];
}

const FLOW_LINE =
  /^(tcp|udp) .*?src=(\S+) dst=(\S+) sport=\d+ dport=(\d+) (?:packets=\d+ bytes=\d+ )?(\[UNREPLIED\] )?src=(\S+) dst=(\S+) /;

/** Parses a line of conntrack's output: a flow to a guest, or one that is neither translated nor replied to. */
export function parseFlow(line: string): readonly Flow[] {
  const [, protocol, client = "", destination = "", port, unreplied, replySource = "", replyTarget] =
    FLOW_LINE.exec(line) ?? [];
  if (protocol === undefined) return [];
  const flow = {
    family: destination.includes(":") ? "ipv6" : "ipv4",
    protocol: protocol === "udp" ? "udp" : "tcp",
    port: Number(port),
  } as const;
  if (replySource !== destination) return [{ ...flow, at: { guest: replySource } }];
  return unreplied === undefined || replyTarget !== client ? [] : [{ ...flow, at: { destination } }];
}

/** Returns the flows that a change misroutes, without duplicates. */
export function misroutedFlows(
  flows: readonly Flow[],
  { removed, added, after }: {
    readonly removed: readonly ForwardPath[];
    readonly added: readonly ForwardPath[];
    readonly after: readonly ForwardPath[];
  },
): readonly Flow[] {
  const misrouted = flows.filter((flow) => {
    const { at } = flow;
    if ("destination" in at) return added.some((path) => matchesPath(path, flow));
    const leads = (path: ForwardPath): boolean => matchesPath(path, flow) && path.guest === at.guest;
    return removed.some(leads) && !after.some(leads);
  });
  return distinct(misrouted);
}

function distinct(flows: readonly Flow[]): readonly Flow[] {
  return [...new Map(flows.map((flow) => [JSON.stringify(flow), flow])).values()];
}

function matchesPath({ family, protocol, ports }: ForwardPath, flow: Flow): boolean {
  return family === flow.family && protocol === flow.protocol && ports.first <= flow.port && flow.port <= ports.last;
}
