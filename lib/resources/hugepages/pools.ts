/**
 * The kernel's pools of huge pages: one for each size and node of the host, or one for the whole host where the kernel
 * knows no nodes.
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

/** The host's nodes; without any, a name for the whole. */
export async function readNodes(kernel: Pick<Kernel, "list">): Promise<readonly string[]> {
  const names = await kernel.list(NODES_FOLDER) ?? new Map();
  const nodes = [...names.keys()].flatMap((name) => /^node(\d+)$/.exec(name)?.[1] ?? []);
  return nodes.length === 0 ? [WHOLE_HOST] : nodes;
}

/** One pool. */
export interface Pool {
  /** The file that sets its size. */
  readonly file: string;
  /** What it holds. */
  readonly pages: number;
  /** Pages in use beyond that: they are of no pool, the kernel frees them as soon as nobody uses them. */
  readonly surplus: number;
  /** Pages that nobody uses. */
  readonly free: number;
}

/** The pools of a size by node, nodes in order. A node without memory has none. */
export type Pools = Readonly<Record<string, Pool>>;

const COUNTS = ["nr_hugepages", "surplus_hugepages", "free_hugepages"] as const;

/** Reads the pools of a size on these nodes; `undefined` where there is none. */
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

/** What each pool holds. */
export function pagesOf(pools: Pools): Pages {
  return Object.fromEntries(Object.entries(pools).map(([node, { pages }]) => [node, pages]));
}

/** How the pages of one size are used, over all nodes. */
export interface PoolUse {
  /** In use, or promised to a process. */
  readonly used: number;
  /** In use beyond what the pools hold: the kernel frees them as soon as they are not. */
  readonly surplus: number;
}

/** How the pages of one size are used. */
export async function readUse(sizeKib: number, kernel: Pick<Kernel, "read">): Promise<PoolUse> {
  const folder = poolFolder(WHOLE_HOST, sizeKib);
  const names = ["nr_hugepages", "free_hugepages", "resv_hugepages", "surplus_hugepages"] as const;
  const files = await kernel.read(names.map((name) => `${folder}/${name}`));
  const [all = 0, free = 0, promised = 0, surplus = 0] = names.map((name) => numberIn(files.get(`${folder}/${name}`)));
  return { used: all - free + promised, surplus };
}

/** What the host has, before huge pages are asked for. */
export interface HostMemory {
  readonly defaultSizeKib: number | undefined;
  /** What could be had without swapping. */
  readonly availableKib: number;
  /** The same by node. */
  readonly byNodeKib: Readonly<Record<string, number>>;
}

/** Asks what the host has. */
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

/** The sizes of huge pages that the kernel offers, in KiB. */
export async function readSizesKib(kernel: Pick<Kernel, "list">): Promise<readonly number[]> {
  const names = await kernel.list(SIZES_FOLDER) ?? new Map();
  return [...names.keys()].flatMap((name) => numberIn(/^hugepages-(\d+)kB$/.exec(name)?.[1]) ?? [])
    .sort((a, b) => a - b);
}

/** A node tells nothing like `MemAvailable`: what is free, and what caches of files give back. */
function nodeAvailableKib(meminfo: string): number {
  const names = ["MemFree", "Active(file)", "Inactive(file)", "SReclaimable"] as const;
  return names.reduce((sum, name) => sum + (kibIn(meminfo, name) ?? 0), 0);
}

/** `MemFree:  24419892 kB`, or `Node 0 MemFree:  24419892 kB`. */
function kibIn(meminfo: string, name: string): number | undefined {
  const line = meminfo.split("\n").map((text) => text.replace(/^Node \d+ /, "")).find((text) =>
    text.startsWith(`${name}:`)
  );
  return numberIn(line?.replace(/^[^:]*:|kB$/g, ""));
}

function numberIn(text: string | undefined): number | undefined {
  return text !== undefined && /^\s*\d+\s*$/.test(text) ? Number(text) : undefined;
}
