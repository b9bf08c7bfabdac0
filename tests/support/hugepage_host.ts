/**
 * The kernel's pools of huge pages on a host in memory: they give what they find, keep what is in use, and count as the
 * kernel does.
 * @module
 */
import type { Reaction } from "../../lib/sys/memory_kernel.ts";
import type { MemoryHost } from "../../lib/sys/memory_sys.ts";
import type { LedgerHost } from "./ledger_host.ts";

const MIB_KIB = 1024;

/** One node. */
export interface PoolNode {
  /** Pages that stand there when the test begins. */
  readonly pages?: number;
  /** Pages that the kernel can find beyond these; without end unless said. */
  readonly findable?: number;
  /** Pages that it finds once memory was compacted. */
  readonly afterCompaction?: number;
  readonly freeMib?: number;
}

/** What the pools are when the test begins. */
export interface PoolHost {
  readonly sizeKib?: number;
  readonly otherSizesKib?: readonly number[];
  readonly nodes?: readonly PoolNode[];
  readonly availableMib?: number;
  /** Linux before 6.3 adds other nodes' surplus pages to what is written for a node. */
  readonly addsSurplus?: boolean;
  /** A kernel that knows no nodes has its one pool elsewhere. */
  readonly knowsNodes?: false;
}

/** A host's files, with what a test does to its pools. */
export interface Pools {
  readonly host: Pick<MemoryHost, "files" | "reactions">;
  /** What each pool holds now, surplus pages too. */
  pages(host: LedgerHost): readonly number[];
  /** Processes use so many pages of a node from now on. */
  use(node: number, pages: number, host: LedgerHost): void;
  /** What was written, in order: `node0 512`. */
  readonly writes: readonly string[];
}

interface Pool {
  readonly node: number;
  readonly folder: string;
  all: number;
  surplus: number;
  used: number;
  findable: number;
}

type Files = LedgerHost["nodes"];

/** Makes a host with pools of one size. */
export function poolHost(options: PoolHost = {}): Pools {
  const { sizeKib = 2048, nodes = [{}], knowsNodes = true } = options;
  const name = `hugepages-${sizeKib}kB`;
  const whole = `/sys/kernel/mm/hugepages/${name}`;
  const pools = nodes.map((node, index): Pool => ({
    node: index,
    folder: knowsNodes ? `/sys/devices/system/node/node${index}/hugepages/${name}` : whole,
    all: node.pages ?? 0,
    surplus: 0,
    used: 0,
    findable: node.findable ?? Infinity,
  }));
  const writes: string[] = [];
  const texts = (): Record<string, string> => ({
    ...poolTexts(whole, pools),
    ...memoryTexts(options, pools.map(({ all }, index) => all - (nodes[index]?.pages ?? 0))),
  });
  const show = (files: Files): void => {
    for (const [path, text] of Object.entries(texts())) put(files, path, text);
  };
  const reactions = Object.fromEntries(pools.map((pool): [string, Reaction] => [
    `${pool.folder}/nr_hugepages`,
    (text, files) => {
      writes.push(`node${pool.node} ${text}`);
      const others = pools.reduce((sum, other) => sum + (other === pool ? 0 : other.surplus), 0);
      resize(pool, Number(text) + (options.addsSurplus === true ? others : 0));
      show(files);
      return `${pool.all}\n`;
    },
  ]));
  const compaction: Reaction = (text) => {
    writes.push(`compact ${text}`);
    for (const pool of pools) pool.findable = Math.max(pool.findable, nodes[pool.node]?.afterCompaction ?? 0);
    return text;
  };
  return {
    host: {
      files: { "/proc/sys/vm/compact_memory": "", ...otherPools(options), ...texts() },
      reactions: { ...reactions, "/proc/sys/vm/compact_memory": compaction },
    },
    pages: (host) => pools.map(({ folder }) => Number(host.text(`${folder}/nr_hugepages`))),
    use: (node, pages, host) => {
      const pool = pools[node];
      if (pool === undefined) throw new Error(`Cannot use pages of node ${node}: there is none`);
      pool.used = pages;
      // Pages of no pool go as soon as they are not in use.
      const kept = Math.max(pool.all - pool.surplus, pages);
      pool.surplus -= pool.all - kept;
      pool.all = kept;
      show(host.nodes);
    },
    writes,
  };
}

/** As the kernel: surplus pages count first, then as many as it finds; what is in use stays, as surplus. */
function resize(pool: Pool, pages: number): void {
  const observation = pool.all - pool.surplus;
  if (pages < observation) {
    pool.findable += pool.all - Math.max(pages, pool.used);
    pool.all = Math.max(pages, pool.used);
    pool.surplus = pool.all - pages;
    return;
  }
  pool.surplus = Math.max(pool.surplus - (pages - observation), 0);
  const found = Math.min(pages - (pool.all - pool.surplus), pool.findable);
  pool.all += found;
  pool.findable -= found;
}

function poolTexts(whole: string, pools: readonly Pool[]): Record<string, string> {
  const sum = (of: (pool: Pool) => number): string => `${pools.reduce((total, pool) => total + of(pool), 0)}\n`;
  const texts: Record<string, string> = {
    [`${whole}/nr_hugepages`]: sum(({ all }) => all),
    [`${whole}/free_hugepages`]: sum(({ all, used }) => all - used),
    [`${whole}/resv_hugepages`]: "0\n",
    [`${whole}/surplus_hugepages`]: sum(({ surplus }) => surplus),
  };
  for (const { folder, all, surplus, used } of pools) {
    texts[`${folder}/free_hugepages`] = `${all - used}\n`;
    texts[`${folder}/nr_hugepages`] = `${all}\n`;
    texts[`${folder}/surplus_hugepages`] = `${surplus}\n`;
  }
  return texts;
}

function otherPools({ otherSizesKib = [] }: PoolHost): Record<string, string> {
  return Object.fromEntries(
    otherSizesKib.map((kib) => [`/sys/kernel/mm/hugepages/hugepages-${kib}kB/nr_hugepages`, "0\n"]),
  );
}

/** What is left of the memory when each node's pool has taken so many pages of it. */
function memoryTexts(options: PoolHost, taken: readonly number[]): Record<string, string> {
  const { sizeKib = 2048, nodes = [{}], availableMib = 16_384, knowsNodes = true } = options;
  const availableKib = availableMib * MIB_KIB - taken.reduce((sum, pages) => sum + pages, 0) * sizeKib;
  const texts: Record<string, string> = {
    "/proc/meminfo": `MemTotal: 33554432 kB\nMemAvailable: ${availableKib} kB\nHugepagesize: ${sizeKib} kB\n`,
  };
  if (!knowsNodes) return texts;
  for (const [index, { freeMib = availableMib }] of nodes.entries()) {
    const freeKib = freeMib * MIB_KIB - (taken[index] ?? 0) * sizeKib;
    texts[`/sys/devices/system/node/node${index}/meminfo`] = `Node ${index} MemFree: ${freeKib} kB\n` +
      `Node ${index} Active(file): 0 kB\n`;
  }
  return texts;
}

function put(files: Files, path: string, text: string): void {
  files.set(path, { kind: "file", uid: 0, mode: 0o644, text });
}
