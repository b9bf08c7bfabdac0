/**
 * Huge pages of one size on all NUMA nodes of the host. Each demand is added to the pages that existed before, since
 * free pages may be reserved for other programs.
 * @module
 */
import * as v from "valibot";
import type { HugepagesDemand, HugepagesPart } from "../plan/demand.ts";
import { pageSizeText } from "../config/page_size.ts";
import type { Sys } from "../sys/sys.ts";
import {
  onNode,
  type Pages,
  pagesIn,
  placePages,
  rebasePages,
  sumPages,
  wantedPages,
  WHOLE_HOST,
} from "./hugepages/count.ts";
import {
  type HostMemory,
  pagesOf,
  type Pools,
  readHostMemory,
  readNodes,
  readPools,
  readSizesKib,
} from "./hugepages/pools.ts";
import { writePages } from "./hugepages/write.ts";
import { type Refused, type Requester, type Resolution, resource } from "./resource.ts";

/**
 * Memory that is kept for the host, in total and on each node that a demand names. A demand that would use it is
 * refused.
 */
export const RESERVE_KIB = 256 * 1024;

const KIB = 1024;
const PREFIX = "hugepages/";

/** Huge pages of one size, as a resource kind. */
export const hugepages = resource<HugepagesDemand, Pages>({
  name: "hugepages",
  demand: demandSchema(),
  value: v.record(v.string(), v.number()),
  restores: "difference",
  tools: [],
  resolve,
  read: async (key, sys) => {
    const sizeKib = sizeOf(key);
    const pools = await readPools(await readNodes(sys.kernel), sizeKib, sys.kernel);
    return pools === undefined
      ? { kind: "gone", reason: `this kernel has no huge pages of ${pageSizeText(sizeKib)} any more` }
      : { kind: "value", value: pagesOf(pools) };
  },
  wanted: wantedPages,
  rebase: rebasePages,
  write: (change, sys) => writePages({ ...change, sizeKib: sizeOf(change.key) }, sys),
  describe: (pages) => {
    const nodes = Object.entries(pages);
    if (nodes.length === 1) return `${sumPages(pages)} pages`;
    return nodes.map(([node, count]) => `${count} pages${onNode(node)}`).join(", ");
  },
});

function demandSchema(): v.GenericSchema<unknown, HugepagesDemand> {
  const amount = v.variant("unit", [
    v.object({ unit: v.literal("pages"), pages: v.number() }),
    v.object({ unit: v.literal("memory"), bytes: v.number() }),
  ]);
  return v.object({
    sizeKib: v.union([v.number(), v.literal("default")]),
    parts: v.array(v.object({ nodes: v.array(v.number()), amount })),
  });
}

/**
 * Parses `hugepages/2048kB`.
 * @returns KiB
 */
function sizeOf(key: string): number {
  return Number.parseInt(key.slice(PREFIX.length), 10);
}

async function resolve(
  demand: HugepagesDemand,
  { kernel }: Sys,
  { held }: Pick<Requester, "held">,
): Promise<Resolution<HugepagesDemand>> {
  const nodes = await readNodes(kernel);
  const memory = withHeld(await readHostMemory(nodes, kernel), held);
  const sizeKib = demand.sizeKib === "default" ? memory.defaultSizeKib : demand.sizeKib;
  const pools = sizeKib === undefined ? undefined : await readPools(nodes, sizeKib, kernel);
  if (sizeKib === undefined || pools === undefined) return noSuchSize(sizeKib, await readSizesKib(kernel));
  const named = demand.parts.flatMap((part) => part.nodes);
  const unknown = named.find((node) => pools[nodeName(node, pools)] === undefined);
  if (unknown !== undefined) return noSuchNode(unknown, pools);
  const parts = demand.parts.map((part) => ({ ...part, nodes: WHOLE_HOST in pools ? [] : part.nodes }));
  const needsKib = parts.reduce((sum, part) => sum + pagesIn(part, sizeKib), 0) * sizeKib;
  if (needsKib + RESERVE_KIB > memory.availableKib) return tooLittle(needsKib, memory.availableKib, "");
  const room = roomByNode(Object.keys(pools), parts, { sizeKib, memory });
  const placement = placePages(parts, sizeKib, room);
  if (placement.kind === "short") return partTooLarge(placement.part, sizeKib, memory);
  return {
    kind: "resolved",
    key: `${PREFIX}${sizeKib}kB`,
    demand: { sizeKib, parts: placedParts(placement.pages) },
    value: pagesOf(pools),
  };
}

/** Adds the memory of the pages that the holder already has, which the new demand replaces. */
function withHeld(memory: HostMemory, held: readonly unknown[]): HostMemory {
  const byNodeKib = { ...memory.byNodeKib };
  let { availableKib } = memory;
  for (const data of held) {
    const result = v.safeParse(demandSchema(), data);
    if (!result.success || result.output.sizeKib === "default") continue;
    const { sizeKib, parts } = result.output;
    for (const part of parts) {
      const node = String(part.nodes[0] ?? WHOLE_HOST);
      const kib = pagesIn(part, sizeKib) * sizeKib;
      availableKib += kib;
      byNodeKib[node] = (byNodeKib[node] ?? 0) + kib;
    }
  }
  return { ...memory, availableKib, byNodeKib };
}

/** Computes how many pages fit on each node. A node that a demand names keeps the host's reserve. */
function roomByNode(
  nodes: readonly string[],
  parts: readonly HugepagesPart[],
  { sizeKib, memory }: { readonly sizeKib: number; readonly memory: HostMemory },
): Pages {
  const named = parts.flatMap((part) => part.nodes.map(String));
  return Object.fromEntries(nodes.map((node) => {
    const reserveKib = named.includes(node) ? RESERVE_KIB : 0;
    return [node, Math.max(Math.floor(((memory.byNodeKib[node] ?? 0) - reserveKib) / sizeKib), 0)];
  }));
}

/** Returns a node's name. A kernel without NUMA has one node, number 0. */
function nodeName(node: number, pools: Pools): string {
  return WHOLE_HOST in pools && node === 0 ? WHOLE_HOST : String(node);
}

function placedParts(pages: Pages): readonly HugepagesPart[] {
  return Object.entries(pages).filter(([, count]) => count > 0).map(([node, count]) => ({
    nodes: node === WHOLE_HOST ? [] : [Number(node)],
    amount: { unit: "pages", pages: count },
  }));
}

function noSuchSize(sizeKib: number | undefined, sizesKib: readonly number[]): Refused {
  if (sizesKib.length === 0) return { kind: "refused", reason: "this kernel has no huge pages" };
  const size = sizeKib === undefined ? "the default size" : pageSizeText(sizeKib);
  const offered = sizesKib.map(pageSizeText).join(" and ");
  return { kind: "refused", reason: `this kernel has no huge pages of ${size}, it has ${offered}` };
}

function noSuchNode(node: number, pools: Pools): Refused {
  const known = WHOLE_HOST in pools ? "this kernel knows no NUMA nodes" : `there are ${Object.keys(pools).join(", ")}`;
  return { kind: "refused", reason: `this host has no node ${node} with memory: ${known}` };
}

const MEMORY_HINT = "end other guests, or give this one less memory";

function tooLittle(needsKib: number, availableKib: number, nodeText: string): Refused {
  const numbers = `${mib(needsKib)} are needed, ${mib(availableKib)} are available`;
  const reason = `not enough memory${nodeText}: ${numbers}, of which ${mib(RESERVE_KIB)} are reserved for the host`;
  return { kind: "refused", reason, hint: MEMORY_HINT };
}

function partTooLarge(part: HugepagesPart, sizeKib: number, { byNodeKib }: HostMemory): Refused {
  const needsKib = pagesIn(part, sizeKib) * sizeKib;
  const [node, ...others] = part.nodes;
  if (node !== undefined && others.length === 0) {
    return tooLittle(needsKib, byNodeKib[node] ?? 0, onNode(String(node)));
  }
  const nodes = part.nodes.length === 0 ? Object.keys(byNodeKib) : part.nodes;
  const available = nodes.map((one) => `${mib(byNodeKib[one] ?? 0)}${onNode(String(one))}`).join(", ");
  const size = pageSizeText(sizeKib);
  const reason = `not enough memory in pieces of ${size}: ${mib(needsKib)} are needed, available are ${available}`;
  return { kind: "refused", reason, hint: MEMORY_HINT };
}

function mib(kib: number): string {
  return `${Math.floor(kib / KIB)} MiB`;
}
