/**
 * Connections that stand go on the way they began, whatever the table says by now. What was on the way to a guest whose port is
 * gone is ended, and so is what came for a port before it led anywhere: a client that sends on and on would never get there.
 * @module
 */
import type { IpFamily } from "../../net/ip_address.ts";
import type { PortRange } from "../../plan/nft_demand.ts";
import type { Sys } from "../../sys/sys.ts";
import { TOOLS } from "../../sys/tools.ts";
import type { Table } from "./table.ts";
import { runTool } from "../run_tool.ts";

/** Ports that lead to a guest. */
export interface ForwardPath {
  readonly family: IpFamily;
  readonly protocol: "tcp" | "udp";
  readonly ports: PortRange;
  readonly guest: string;
}

/** What a flow is deleted by: who asked for which port, and who answers. */
export interface Flow {
  readonly family: IpFamily;
  readonly protocol: "tcp" | "udp";
  /** The port as the client knows it. */
  readonly port: number;
  /** The guest that answers; or the address that was asked for, where nobody has answered yet. */
  readonly at: { readonly guest: string } | { readonly asked: string };
}

/** The time that all of it may take, and its share of what is left: others have to be given back, too. */
const WORK_MS = 5_000;
const SHARE = 0.5;

const RULE =
  /^meta nfproto (ipv[46]) .*?\b(tcp|udp) dport (\d+)(?:-(\d+))? counter(?: name \w+)? dnat ip6? to (?:\[([^\]]+)\]|([\d.]+|[\da-f:]+(?= )))/;

/** The ways of a table. */
export function forwardPathsOf(table: Table | null): readonly ForwardPath[] {
  const rules = table?.chains.find(({ name }) => name === "to_guest")?.rules ?? [];
  return rules.flatMap((rule): ForwardPath[] => {
    const [, family, protocol, first, last = first, bracketed, plain] = RULE.exec(rule) ?? [];
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
 * Ends what a change of the table leaves on a wrong way; tells why not, where that is nobody's wish. Without the program, which
 * is a package of its own, such connections live until they end.
 */
export async function endConnections(
  { from, to }: { readonly from: Table | null; readonly to: Table | null },
  deadlineMs: number,
  sys: Pick<Sys, "lstat" | "run" | "elapsedMs">,
): Promise<string | undefined> {
  const [before, after] = [forwardPathsOf(from), forwardPathsOf(to)];
  const gone = without(before, after);
  const come = without(after, before).filter(({ protocol }) => protocol === "udp");
  if (gone.length + come.length === 0 || sys.lstat(TOOLS.conntrack) === undefined) return undefined;
  const untilMs = sys.elapsedMs() + Math.min(WORK_MS, (deadlineMs - sys.elapsedMs()) * SHARE);
  const conntrack = async (...args: readonly string[]): Promise<string> => {
    const timeoutMs = untilMs - sys.elapsedMs();
    if (timeoutMs <= 0) {
      throw new ConnectionsError("Cannot end the connections that stand: there are too many for the time left");
    }
    const end = await runTool(["conntrack", ...args], { timeoutMs }, sys);
    // It exits with 1 where there is nothing to delete.
    if (end.kind === "done" || (end.kind === "failed" && end.code === 1)) return end.stdout;
    throw new ConnectionsError(`Cannot end the connections that stand: ${end.reason}`);
  };
  try {
    for (const args of lists(gone, come)) {
      const flows = (await conntrack(...args)).split("\n").flatMap(parseFlow);
      for (const deletion of deletions(flows, wrongFlows(flows, { gone, come, after }))) await conntrack(...deletion);
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

function without(ways: readonly ForwardPath[], others: readonly ForwardPath[]): readonly ForwardPath[] {
  const known = new Set(others.map((way) => JSON.stringify(way)));
  return ways.filter((way) => !known.has(JSON.stringify(way)));
}

/** What is to be listed, each once. */
function lists(gone: readonly ForwardPath[], come: readonly ForwardPath[]): readonly (readonly string[])[] {
  const all = [
    ...gone.map((way) => ["-L", ...selection(way), "--dst-nat", way.guest]),
    ...come.map((way) => ["-L", ...selection(way)]),
  ];
  return [...new Map(all.map((args) => [args.join(" "), args])).values()];
}

function selection({ family, protocol }: Pick<ForwardPath, "family" | "protocol">): readonly string[] {
  return ["-f", family, "-p", protocol];
}

/** One for each port; or one for all, where all that leads to a guest has to go. */
function deletions(flows: readonly Flow[], wrong: readonly Flow[]): readonly (readonly string[])[] {
  const [first] = wrong;
  const isAll = wrong.length > 1 && distinct(flows).length === wrong.length;
  if (first === undefined || !isAll || !("guest" in first.at)) return wrong.map(deletion);
  return [["-D", ...selection(first), "--dst-nat", first.at.guest]];
}

function deletion(flow: Flow): readonly string[] {
  const who = "guest" in flow.at
    ? ["--dst-nat", flow.at.guest]
    : ["--orig-dst", flow.at.asked, "--reply-src", flow.at.asked];
  return ["-D", ...selection(flow), "--orig-port-dst", String(flow.port), ...who];
}

const LINE =
  /^(tcp|udp) .*?src=(\S+) dst=(\S+) sport=\d+ dport=(\d+) (?:packets=\d+ bytes=\d+ )?(\[UNREPLIED\] )?src=(\S+) dst=(\S+) /;

/** A line that conntrack lists: led to a guest, or neither led nor answered. */
export function parseFlow(line: string): readonly Flow[] {
  const [, protocol, client = "", asked = "", port, unreplied, answers = "", back] = LINE.exec(line) ?? [];
  if (protocol === undefined) return [];
  const flow = {
    family: asked.includes(":") ? "ipv6" : "ipv4",
    protocol: protocol === "udp" ? "udp" : "tcp",
    port: Number(port),
  } as const;
  if (answers !== asked) return [{ ...flow, at: { guest: answers } }];
  return unreplied === undefined || back !== client ? [] : [{ ...flow, at: { asked } }];
}

/** Flows that a change leaves on a wrong way, each once. */
export function wrongFlows(
  flows: readonly Flow[],
  { gone, come, after }: {
    readonly gone: readonly ForwardPath[];
    readonly come: readonly ForwardPath[];
    readonly after: readonly ForwardPath[];
  },
): readonly Flow[] {
  const wrong = flows.filter((flow) => {
    const { at } = flow;
    if ("asked" in at) return come.some((way) => isOn(way, flow));
    const leads = (way: ForwardPath): boolean => isOn(way, flow) && way.guest === at.guest;
    return gone.some(leads) && !after.some(leads);
  });
  return distinct(wrong);
}

function distinct(flows: readonly Flow[]): readonly Flow[] {
  return [...new Map(flows.map((flow) => [JSON.stringify(flow), flow])).values()];
}

function isOn({ family, protocol, ports }: ForwardPath, flow: Flow): boolean {
  return family === flow.family && protocol === flow.protocol && ports.first <= flow.port && flow.port <= ports.last;
}
