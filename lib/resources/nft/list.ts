/**
 * Runs nft and iptables to list rules.
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
  /** Whether the tool hangs in the kernel. */
  readonly isStuck: boolean;

  constructor(message: string, isStuck = false) {
    super(message);
    this.isStuck = isStuck;
  }
}

/** Time limit for one listing. */
export const LIST_TIMEOUT_MS = 5_000;

/** Converts a tool's failure to an error. */
export function errorOf(end: Exclude<ToolEnd, { readonly kind: "done" }>): FilterError {
  return new FilterError(end.reason, end.kind === "stuck");
}

/**
 * Lists an object with nft; `undefined` if it does not exist.
 * @throws {FilterError} if it cannot be listed
 */
export async function list(what: readonly string[], sys: Sys): Promise<readonly Json[] | undefined> {
  return await listed(["nft", "-j", "list", ...what], what.join(" "), sys);
}

/**
 * Lists several objects with nft, without the elements of sets; `undefined` if one of them does not exist. Each takes
 * a process of its own: nft 1.0.6 finds only the first of several.
 * @throws {FilterError} if they cannot be listed
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
  const end = await runTool(argv, { timeoutMs: LIST_TIMEOUT_MS }, sys);
  if (end.kind === "failed" && end.reason.includes("No such file or directory")) return undefined;
  if (end.kind !== "done") throw errorOf(end);
  const objects = parseListing(end.stdout);
  if (objects === undefined) throw new FilterError(`Cannot read what nft lists of ${what}`);
  return objects;
}

/** A chain that is attached to a hook of the kernel. */
export interface BaseChain {
  /** `inet filter` */
  readonly table: string;
  readonly name: string;
  readonly type: string;
  readonly hook: string;
  readonly priority: number;
}

/** Returns the base chains in a listing. */
export function baseChains(objects: readonly Json[]): readonly BaseChain[] {
  return objects.map(({ chain }) => chain).filter(isObject).filter(({ hook }) => hook !== undefined).map((chain) => ({
    table: tableOf(chain),
    name: String(chain["name"]),
    type: String(chain["type"]),
    hook: String(chain["hook"]),
    priority: Number(chain["prio"]),
  }));
}

/** The iptables programs, each with its family and its table in nftables (except in the legacy variant). */
export const IPTABLES = {
  iptables: { family: "ipv4", table: "ip filter" },
  ip6tables: { family: "ipv6", table: "ip6 filter" },
} as const;

/** The name of an iptables program. */
export type Iptables = keyof typeof IPTABLES;

const [NFT_FILE, LEGACY_FILE] = ["xtables-nft-multi", "xtables-legacy-multi"] as const;
/** Messages of the legacy variant on a kernel without the table or the family: then no rule of it can reject. */
const NO_TABLE = /Table does not exist|Address family not supported/;
const LINKS_MAX = 8;

/** Returns the name of the file that a program's symlinks lead to, which identifies its variant. */
function fileOf(tool: Iptables, sys: Pick<Sys, "lstat" | "readLink">): string {
  let path: string = TOOLS[tool];
  for (let link = 0; link < LINKS_MAX && sys.lstat(path)?.kind === "symlink"; link++) {
    const target = sys.readLink(path);
    path = target.startsWith("/") ? target : `${path.slice(0, path.lastIndexOf("/"))}/${target}`;
  }
  return path.slice(path.lastIndexOf("/") + 1);
}

/**
 * Whether a program is the legacy variant, whose tables nft does not list. Tables that nft lists under their names
 * then belong to another program.
 */
export function isLegacy(tool: Iptables, sys: Pick<Sys, "lstat" | "readLink">): boolean {
  return fileOf(tool, sys) === LEGACY_FILE;
}

/**
 * Lists a chain, or the whole table `filter`, with `iptables -S`; `undefined` if the program or the table does not
 * exist, or if the program cannot read the table's chain of forwarded packets.
 * @throws {FilterError} if it cannot be listed
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
  // Without a table there is nothing to list, and iptables-nft may create the table when it lists.
  if (!isListed && fileOf(tool, sys) === NFT_FILE) return undefined;
  const argv = [tool, "-w", "-S", ...(chain === undefined ? [] : [chain])] as const;
  const end = await runTool(argv, { timeoutMs: LIST_TIMEOUT_MS }, sys);
  // A table of the same name with rules that only nft understands is listed by nft instead.
  if (end.kind === "failed" && isListed && /is incompatible/.test(end.reason)) return undefined;
  if (end.kind === "failed" && (!isListed || isLegacy(tool, sys)) && NO_TABLE.test(end.reason)) return undefined;
  if (end.kind !== "done") throw errorOf(end);
  if (end.stdout !== "" && !end.stdout.endsWith("\n")) throw new FilterError(`Cannot read all that ${tool} -S lists`);
  return end.stdout;
}

/** Returns the device through which packets to an address leave; `undefined` if it is unknown. */
export type DeviceTo = (address: IpAddress) => string | undefined;

const ROUTES = { ipv4: "/proc/net/route", ipv6: "/proc/net/ipv6_route" } as const;

/** Reads the kernel's main table of routes. */
export async function readDevices(sys: Pick<Sys, "kernel">): Promise<DeviceTo> {
  const texts = await sys.kernel.read(Object.values(ROUTES));
  const lines = (path: string): readonly string[] => {
    const text = texts.get(path) ?? "";
    // A routing table that is too long to read at once is ignored.
    return text.endsWith("\n") ? text.split("\n") : [];
  };
  const routes = [
    ...lines(ROUTES.ipv4).flatMap(routeOfIpv4),
    ...lines(ROUTES.ipv6).flatMap(routeOfIpv6),
  ].toSorted((a, b) => b.length - a.length);
  return (address) => routes.find(({ interval }) => isWithin(address, interval))?.device;
}

interface KernelRoute {
  readonly interval: ReturnType<typeof networkOf>;
  readonly length: number;
  readonly device: string;
}

/** Parses an IPv4 route. Destination and mask are little-endian. */
function routeOfIpv4(line: string): readonly KernelRoute[] {
  const [device = "", destination = "", , , , , , mask = ""] = line.trim().split(/\s+/);
  if (!/^[\dA-F]{8}$/.test(destination) || !/^[\dA-F]{8}$/.test(mask)) return [];
  const length = parseLittleEndian(mask).toString(2).replaceAll("0", "").length;
  return [{ interval: networkOf({ family: "ipv4", bits: parseLittleEndian(destination) }, length), length, device }];
}

function parseLittleEndian(hex: string): bigint {
  return BigInt(`0x${(hex.match(/../g) ?? []).toReversed().join("")}`);
}

function routeOfIpv6(line: string): readonly KernelRoute[] {
  const words = line.trim().split(/\s+/);
  const [destination = "", size = ""] = words;
  const device = words.at(-1) ?? "";
  if (!/^[\da-f]{32}$/.test(destination) || !/^[\da-f]{2}$/.test(size)) return [];
  const length = parseInt(size, 16);
  return [{ interval: networkOf({ family: "ipv6", bits: BigInt(`0x${destination}`) }, length), length, device }];
}
