/**
 * The kernel's pools of huge pages: one for each size and NUMA node, or one for the whole host on a kernel without
 * NUMA.
 * @module
 */
import type { Kernel } from "../../sys/kernel.ts";
import { type Pages, WHOLE_HOST } from "./count.ts";

const NODES_FOLDER = "/sys/devices/system/node";
const SIZES_FOLDER = "/sys/kernel/mm/hugepages";
const MEMINFO = "/proc/meminfo";

function poolFolder(node: string, sizeKib: number): string {
  const name = `hugepages-${sizeKib}kB`;
  return node === WHOLE_HOST ? `${SIZES_FOLDER}/${name}` : `${NODES_FOLDER}/node${node}/hugepages/${name}`;
}

/** Lists the host's NUMA nodes; {@linkcode WHOLE_HOST} on a kernel without NUMA. */
export async function readNodes(kernel: Pick<Kernel, "list">): Promise<readonly string[]> {
  const names = await kernel.list(NODES_FOLDER) ?? new Map();
  const nodes = [...names.keys()].flatMap((name) => /^node(\d+)$/.exec(name)?.[1] ?? []);
  return nodes.length === 0 ? [WHOLE_HOST] : nodes;
}

/** A pool of huge pages. */
export interface Pool {
  /** The file that sets the pool's size. */
  readonly file: string;
  /** Pages in the pool, without surplus pages. */
  readonly pages: number;
  /** Pages in use beyond the pool's size: the kernel frees them as soon as they are unused. */
  readonly surplus: number;
  /** Unused pages. */
  readonly free: number;
}

/** The pools of one size by node, in order. A node without memory has no pool. */
export type Pools = Readonly<Record<string, Pool>>;

const COUNTS = ["nr_hugepages", "surplus_hugepages", "free_hugepages"] as const;

/** Reads the pools of one size on the given nodes; `undefined` if there is none. */
export async function readPools(
  nodes: readonly string[],
  sizeKib: number,
  kernel: Pick<Kernel, "read">,
): Promise<Pools | undefined> {
  const folders = nodes.map((node) => ({ node, folder: poolFolder(node, sizeKib) }));
  const files = await kernel.read(folders.flatMap(({ folder }) => COUNTS.map((name) => `${folder}/${name}`)));
  const pools = folders.flatMap(({ node, folder }) => {
    const [all, surplus = 0, free = 0] = COUNTS.map((name) => numberIn(files.get(`${folder}/${name}`)));
    if (all === undefined) return [];
    return [[node, { file: `${folder}/nr_hugepages`, pages: all - surplus, surplus, free }] as const];
  });
  return pools.length === 0 ? undefined : Object.fromEntries(pools);
}

/** Returns the pages in each pool. */
export function pagesOf(pools: Pools): Pages {
  return Object.fromEntries(Object.entries(pools).map(([node, { pages }]) => [node, pages]));
}

/** How the pages of one size are used, over all nodes. */
export interface PoolUse {
  /** Pages in use or reserved for a process. */
  readonly used: number;
  /** Pages in use beyond the pools' sizes: the kernel frees them as soon as they are unused. */
  readonly surplus: number;
}

/** Reads how the pages of one size are used. */
export async function readUse(sizeKib: number, kernel: Pick<Kernel, "read">): Promise<PoolUse> {
  const folder = poolFolder(WHOLE_HOST, sizeKib);
  const names = ["nr_hugepages", "free_hugepages", "resv_hugepages", "surplus_hugepages"] as const;
  const files = await kernel.read(names.map((name) => `${folder}/${name}`));
  const [all = 0, free = 0, promised = 0, surplus = 0] = names.map((name) => numberIn(files.get(`${folder}/${name}`)));
  return { used: all - free + promised, surplus };
}

/** The host's memory, without changes for new huge pages. */
export interface HostMemory {
  readonly defaultSizeKib: number | undefined;
  /** Memory that is available without swapping. */
  readonly availableKib: number;
  /** Available memory by node. */
  readonly byNodeKib: Readonly<Record<string, number>>;
}

/** Reads the host's memory. */
export async function readHostMemory(nodes: readonly string[], kernel: Pick<Kernel, "read">): Promise<HostMemory> {
  const nodeFile = (node: string): string => `${NODES_FOLDER}/node${node}/meminfo`;
  const files = await kernel.read([MEMINFO, ...nodes.filter((node) => node !== WHOLE_HOST).map(nodeFile)]);
  const meminfo = files.get(MEMINFO) ?? "";
  const availableKib = kibIn(meminfo, "MemAvailable") ?? kibIn(meminfo, "MemFree") ?? 0;
  const byNode = nodes.map((node) => {
    const own = files.get(nodeFile(node));
    return [node, own === undefined ? availableKib : nodeAvailableKib(own)] as const;
  });
  return {
    defaultSizeKib: kibIn(meminfo, "Hugepagesize"),
    availableKib,
    byNodeKib: Object.fromEntries(byNode),
  };
}

/** Lists the sizes of huge pages that the kernel offers, in KiB. */
export async function readSizesKib(kernel: Pick<Kernel, "list">): Promise<readonly number[]> {
  const names = await kernel.list(SIZES_FOLDER) ?? new Map();
  return [...names.keys()].flatMap((name) => numberIn(/^hugepages-(\d+)kB$/.exec(name)?.[1]) ?? [])
    .sort((a, b) => a - b);
}

/**
 * Computes a node's available memory, since nodes report no `MemAvailable`: free memory, and file caches that can be
 * reclaimed.
 */
function nodeAvailableKib(meminfo: string): number {
  const names = ["MemFree", "Active(file)", "Inactive(file)", "SReclaimable"] as const;
  return names.reduce((sum, name) => sum + (kibIn(meminfo, name) ?? 0), 0);
}

/** Parses `MemFree:  24419892 kB`, or `Node 0 MemFree:  24419892 kB`. */
function kibIn(meminfo: string, name: string): number | undefined {
  const line = meminfo.split("\n").map((text) => text.replace(/^Node \d+ /, "")).find((text) =>
    text.startsWith(`${name}:`)
  );
  return numberIn(line?.replace(/^[^:]*:|kB$/g, ""));
}

function numberIn(text: string | undefined): number | undefined {
  return text !== undefined && /^\s*\d+\s*$/.test(text) ? Number(text) : undefined;
}
