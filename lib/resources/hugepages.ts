/**
 * Huge pages of one size on all nodes of the host. What stood there before counts for nobody: each demand comes on top, since
 * free pages may be meant for others.
 * @module
 */
import * as v from "valibot";
import type { HugepagesDemand, HugepagesPart } from "../plan/demand.ts";
import { pageSizeText } from "../plan/page_size.ts";
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
} from "./hugepage_count.ts";
import { type HostMemory, readHostMemory, readPages } from "./hugepage_pools.ts";
import { writePages } from "./hugepage_write.ts";
import { type Refused, type Resolution, resource } from "./resource.ts";

/** What stays for the host itself, of its memory and of each node's: a demand that would take it is refused. */
export const RESERVE_KIB = 256 * 1024;

const KIB = 1024;
const PREFIX = "hugepages/";

/** The kind. */
export const hugepages = resource<HugepagesDemand, Pages>({
  name: "hugepages",
  demand: demandSchema(),
  value: v.record(v.string(), v.number()),
  restores: "difference",
  tools: [],
  resolve,
  read: async (key, sys) => {
    const sizeKib = sizeOf(key);
    const value = await readPages(sizeKib, sys.kernel);
    return value === undefined
      ? { kind: "gone", reason: `this kernel has no huge pages of ${pageSizeText(sizeKib)} any more` }
      : { kind: "value", value };
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

/** `hugepages/2048kB` */
function sizeOf(key: string): number {
  return Number.parseInt(key.slice(PREFIX.length), 10);
}

async function resolve(demand: HugepagesDemand, { kernel }: Sys): Promise<Resolution<HugepagesDemand>> {
  const memory = await readHostMemory(kernel);
  const sizeKib = demand.sizeKib === "default" ? memory.defaultSizeKib : demand.sizeKib;
  if (sizeKib === undefined || !memory.sizesKib.includes(sizeKib)) return noSuchSize(sizeKib, memory);
  const pools = await readPages(sizeKib, kernel) ?? {};
  const strange = demand.parts.flatMap(({ nodes }) => nodes).find((node) => pools[nodeName(node, pools)] === undefined);
  if (strange !== undefined) return noSuchNode(strange, pools);
  const parts = demand.parts.map((part) => ({ ...part, nodes: WHOLE_HOST in pools ? [] : part.nodes }));
  const needsKib = parts.reduce((sum, part) => sum + pagesIn(part, sizeKib), 0) * sizeKib;
  if (needsKib + RESERVE_KIB > memory.availableKib) return tooLittle("", needsKib, memory.availableKib);
  const room = Object.fromEntries(
    Object.keys(pools).map((node) => [node, fitting((memory.byNodeKib[node] ?? 0) - RESERVE_KIB, sizeKib)]),
  );
  const placement = placePages(parts, sizeKib, room);
  if (placement.kind === "short") return partTooLarge(placement, sizeKib, memory);
  return { kind: "resolved", key: `${PREFIX}${sizeKib}kB`, demand: { sizeKib, parts: placedParts(placement.pages) } };
}

/** A kernel without nodes has but one, number 0. */
function nodeName(node: number, pools: Pages): string {
  return WHOLE_HOST in pools && node === 0 ? WHOLE_HOST : String(node);
}

function fitting(kib: number, sizeKib: number): number {
  return Math.max(Math.floor(kib / sizeKib), 0);
}

function placedParts(pages: Pages): readonly HugepagesPart[] {
  return Object.entries(pages).filter(([, count]) => count > 0).map(([node, count]) => ({
    nodes: node === WHOLE_HOST ? [] : [Number(node)],
    amount: { unit: "pages", pages: count },
  }));
}

function noSuchSize(sizeKib: number | undefined, { sizesKib }: HostMemory): Refused {
  if (sizesKib.length === 0) return { kind: "refused", reason: "this kernel has no huge pages" };
  const size = sizeKib === undefined ? "the default size" : pageSizeText(sizeKib);
  const offered = sizesKib.map(pageSizeText).join(" and ");
  return { kind: "refused", reason: `this kernel has no huge pages of ${size}, it has ${offered}` };
}

function noSuchNode(node: number, pools: Pages): Refused {
  const known = WHOLE_HOST in pools ? "this kernel knows no NUMA nodes" : `there are ${Object.keys(pools).join(", ")}`;
  return { kind: "refused", reason: `this host has no node ${node} with memory: ${known}` };
}

function tooLittle(where: string, needsKib: number, availableKib: number): Refused {
  const numbers = `${mib(needsKib)} are needed${where}, ${mib(availableKib)} are available`;
  return {
    kind: "refused",
    reason: `not enough memory: ${numbers}, and ${mib(RESERVE_KIB)} of that stay for the host`,
    hint: "end other guests, or give this one less memory",
  };
}

function partTooLarge(
  { part }: { readonly part: HugepagesPart },
  sizeKib: number,
  { byNodeKib }: HostMemory,
): Refused {
  const nodes = part.nodes.length === 0 ? Object.keys(byNodeKib) : part.nodes.map(String);
  const availableKib = nodes.reduce((sum, node) => sum + (byNodeKib[node] ?? 0), 0);
  const where = part.nodes.length === 0 ? "" : ` on node ${part.nodes.join(", ")}`;
  return tooLittle(where, pagesIn(part, sizeKib) * sizeKib, availableKib);
}

function mib(kib: number): string {
  return `${Math.floor(kib / KIB)} MiB`;
}
