/**
 * What nft and iptables list.
 * @module
 */
import { isWithin, networkOf } from "../../net/ip_interval.ts";
import type { IpAddress } from "../../net/ip_address.ts";
import type { Sys } from "../../sys/sys.ts";
import { TOOLS } from "../../sys/tools.ts";
import { runTool, type ToolEnd } from "../run_tool.ts";
import { isObject, type Json, parseListing } from "./listing.ts";
import { tableOf } from "./nft_rules.ts";

/** The packet filter cannot be read or changed. */
export class FilterError extends Error {
  override readonly name = "FilterError";
  /** The kernel does not come back from it. */
  readonly isStuck: boolean;

  constructor(message: string, isStuck = false) {
    super(message);
    this.isStuck = isStuck;
  }
}

/** How long one look may take. */
export const LOOK_MS = 5_000;

/** What a tool's failure is for us. */
export function errorOf(end: Exclude<ToolEnd, { readonly kind: "done" }>): FilterError {
  return new FilterError(end.reason, end.kind === "stuck");
}

/**
 * What nft lists; `undefined` where there is no such thing.
 * @throws {FilterError} when it cannot be listed
 */
export async function list(what: readonly string[], sys: Sys): Promise<readonly Json[] | undefined> {
  return await listed(["nft", "-j", "list", ...what], what.join(" "), sys);
}

/**
 * What nft lists of several things, without the elements of sets; `undefined` where one of them is gone. Each takes a process
 * of its own: nft 1.0.6 finds the first of several alone.
 * @throws {FilterError} when they cannot be listed
 */
export async function listEach(what: readonly string[], sys: Sys): Promise<readonly Json[] | undefined> {
  const all = await Promise.all(what.map((one) => listed(["nft", "-j", "-t", "list", ...one.split(" ")], one, sys)));
  return all.every((one) => one !== undefined) ? all.flat() : undefined;
}

async function listed(
  argv: readonly ["nft", ...string[]],
  what: string,
  sys: Sys,
): Promise<readonly Json[] | undefined> {
  const end = await runTool(argv, { timeoutMs: LOOK_MS }, sys);
  if (end.kind === "failed" && end.reason.includes("No such file or directory")) return undefined;
  if (end.kind !== "done") throw errorOf(end);
  const objects = parseListing(end.stdout);
  if (objects === undefined) throw new FilterError(`Cannot read what nft lists of ${what}`);
  return objects;
}

/** A chain that the kernel calls. */
export interface BaseChain {
  /** `inet filter` */
  readonly table: string;
  readonly name: string;
  readonly type: string;
  readonly hook: string;
  readonly priority: number;
}

/** The base chains among what was listed. */
export function baseChains(objects: readonly Json[]): readonly BaseChain[] {
  return objects.map(({ chain }) => chain).filter(isObject).filter(({ hook }) => hook !== undefined).map((chain) => ({
    table: tableOf(chain),
    name: String(chain["name"]),
    type: String(chain["type"]),
    hook: String(chain["hook"]),
    priority: Number(chain["prio"]),
  }));
}

/** The programs that filter one family each, in the table `filter` of nft unless they are of the older form. */
export const IPTABLES = {
  iptables: { family: "ipv4", table: "ip filter" },
  ip6tables: { family: "ipv6", table: "ip6 filter" },
} as const;

/** One of the programs. */
export type Iptables = keyof typeof IPTABLES;

const [NFT_FORM, OLDER_FORM] = ["xtables-nft-multi", "xtables-legacy-multi"] as const;
/** What the older form says on a kernel that has no such table, or no such family: nothing in it can reject. */
const NO_TABLE = /Table does not exist|Address family not supported/;
const LINKS_MAX = 8;

/** The file that the program's name leads to, which tells its form. */
function fileOf(tool: Iptables, sys: Pick<Sys, "lstat" | "readLink">): string {
  let path: string = TOOLS[tool];
  for (let link = 0; link < LINKS_MAX && sys.lstat(path)?.kind === "symlink"; link++) {
    const target = sys.readLink(path);
    path = target.startsWith("/") ? target : `${path.slice(0, path.lastIndexOf("/"))}/${target}`;
  }
  return path.slice(path.lastIndexOf("/") + 1);
}

/** Whether the program is of the older form, whose tables nft does not list: what nft lists under their names is another's. */
export function isOlderForm(tool: Iptables, sys: Pick<Sys, "lstat" | "readLink">): boolean {
  return fileOf(tool, sys) === OLDER_FORM;
}

/**
 * What `iptables -S` says of a chain, or of the whole table `filter`; `undefined` where there is no such table, where its
 * chain of forwarded packets is not what this program reads, and where there is no such program.
 * @throws {FilterError} when it cannot be listed
 */
export async function listIptables(
  tool: Iptables,
  { bases, chain }: { readonly bases: readonly BaseChain[]; readonly chain?: "FORWARD" },
  sys: Sys,
): Promise<string | undefined> {
  if (sys.lstat(TOOLS[tool]) === undefined) return undefined;
  const isListed = bases.some(({ table, name, hook }) =>
    table === IPTABLES[tool].table && name === "FORWARD" && hook === "forward"
  );
  // What is not there needs no look, which may make it.
  if (!isListed && fileOf(tool, sys) === NFT_FORM) return undefined;
  const argv = [tool, "-w", "-S", ...(chain === undefined ? [] : [chain])] as const;
  const end = await runTool(argv, { timeoutMs: LOOK_MS }, sys);
  // Rules of nft's own in a table of the same name are for nft to list.
  if (end.kind === "failed" && isListed && /is incompatible/.test(end.reason)) return undefined;
  if (end.kind === "failed" && (!isListed || isOlderForm(tool, sys)) && NO_TABLE.test(end.reason)) return undefined;
  if (end.kind !== "done") throw errorOf(end);
  if (end.stdout !== "" && !end.stdout.endsWith("\n")) throw new FilterError(`Cannot read all that ${tool} -S lists`);
  return end.stdout;
}

/** Tells by which device packets to an address leave; `undefined` where that is not known. */
export type DeviceTo = (address: IpAddress) => string | undefined;

const ROUTES = { ipv4: "/proc/net/route", ipv6: "/proc/net/ipv6_route" } as const;

/** Reads the kernel's main table of routes. */
export async function readDevices(sys: Pick<Sys, "kernel">): Promise<DeviceTo> {
  const texts = await sys.kernel.read(Object.values(ROUTES));
  const lines = (path: string): readonly string[] => {
    const text = texts.get(path) ?? "";
    // Of a table that is too long for one look no route is known.
    return text.endsWith("\n") ? text.split("\n") : [];
  };
  const routes = [
    ...lines(ROUTES.ipv4).flatMap(routeOfIpv4),
    ...lines(ROUTES.ipv6).flatMap(routeOfIpv6),
  ].toSorted((a, b) => b.length - a.length);
  return (address) => routes.find(({ interval }) => isWithin(address, interval))?.device;
}

interface Route {
  readonly interval: ReturnType<typeof networkOf>;
  readonly length: number;
  readonly device: string;
}

/** Destination and mask are as the processor keeps them, the lowest byte first. */
function routeOfIpv4(line: string): readonly Route[] {
  const [device = "", destination = "", , , , , , mask = ""] = line.trim().split(/\s+/);
  if (!/^[\dA-F]{8}$/.test(destination) || !/^[\dA-F]{8}$/.test(mask)) return [];
  const length = reversed(mask).toString(2).replaceAll("0", "").length;
  return [{ interval: networkOf({ family: "ipv4", bits: reversed(destination) }, length), length, device }];
}

function reversed(hex: string): bigint {
  return BigInt(`0x${(hex.match(/../g) ?? []).toReversed().join("")}`);
}

function routeOfIpv6(line: string): readonly Route[] {
  const words = line.trim().split(/\s+/);
  const [destination = "", size = ""] = words;
  const device = words.at(-1) ?? "";
  if (!/^[\da-f]{32}$/.test(destination) || !/^[\da-f]{2}$/.test(size)) return [];
  const length = parseInt(size, 16);
  return [{ interval: networkOf({ family: "ipv6", bits: BigInt(`0x${destination}`) }, length), length, device }];
}
