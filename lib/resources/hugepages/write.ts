/**
 * Allocates and frees huge pages. The kernel allocates as many as it can without reporting the rest, and keeps pages
 * that are in use, so the result is read back after each write.
 * @module
 */
import { pageSizeText } from "../../config/page_size.ts";
import type { Sys } from "../../sys/sys.ts";
import { onNode, type Pages, sumPages } from "./count.ts";
import { pagesOf, type Pool, type Pools, readPools, readUse } from "./pools.ts";
import { type ResourceChange, sameValue, type WriteEnd } from "../resource.ts";

/** How often allocation is attempted. */
const ATTEMPTS_MAX = 3;
/** With less time left, allocation is not attempted again. */
const RETRY_MS = 500;
/**
 * Minimum time for a write, even after the deadline: the kernel takes a moment for it, and stops when the writer is
 * killed.
 */
const WRITE_MS_MIN = 1_000;
/** Compacts memory to free larger contiguous ranges. This takes long on a host with much memory. */
const COMPACT_FILE = "/proc/sys/vm/compact_memory";
const COMPACT_MS_MAX = 5_000;
/** Compaction does not help with larger pages: the kernel clears whole ranges for them. */
const COMPACTED_KIB_MAX = 512 * 1024;
/** How long to wait for pages in use: the kernel frees those of an ended process a moment later. */
const FREED_WITHIN_MS = 2_000;
const POLL_MS = 50;

type PagesChange = Pick<ResourceChange<Pages>, "from" | "to" | "deadlineMs"> & { readonly sizeKib: number };

/** Sets the pools to the target sizes, with up to {@linkcode ATTEMPTS_MAX} attempts. */
export async function writePages(change: PagesChange, sys: Sys): Promise<WriteEnd<Pages>> {
  const { to, deadlineMs, sizeKib } = change;
  for (let attempt = 1;; attempt++) {
    const end = await writePools(change, { again: attempt > 1 }, sys);
    if (end.kind === "stuck") return end;
    const current = pagesOf(await readPools(Object.keys(to), sizeKib, sys.kernel) ?? {});
    // A write that ran into the deadline may have succeeded all the same.
    if (sameValue(current, to)) return await awaitFreed(change, sys);
    if (end.kind === "failed") return end;
    const short = Object.keys(to).filter((node) => countOf(current, node) < countOf(to, node));
    const leftMs = deadlineMs - sys.elapsedMs();
    if (attempt === ATTEMPTS_MAX || leftMs < RETRY_MS) {
      return short.length === 0 ? end : shortfall(current, short, change);
    }
    const canCompact = short.length > 0 && sizeKib <= COMPACTED_KIB_MAX;
    if (canCompact && !await compactMemory(leftMs / 2, sys)) {
      return { kind: "stuck", reason: `the write to ${COMPACT_FILE} hangs in the kernel` };
    }
  }
}

function countOf(pages: Pages, node: string): number {
  return pages[node] ?? 0;
}

/** Writes each pool whose size differs from the target. */
async function writePools(
  { to, deadlineMs, sizeKib }: PagesChange,
  { again }: { readonly again: boolean },
  sys: Sys,
): Promise<WriteEnd<Pages>> {
  const pools = await readPools(Object.keys(to), sizeKib, sys.kernel) ?? {};
  const surplus = Object.values(pools).reduce((sum, pool) => sum + pool.surplus, 0);
  for (const [node, pool] of writeOrder(pools, to)) {
    // Before Linux 6.3, the kernel added the surplus of other nodes to the count written for one.
    const exceedsTarget = again && pool.pages > countOf(to, node);
    const count = Math.max(countOf(to, node) - (exceedsTarget ? surplus - pool.surplus : 0), 0);
    const timeoutMs = Math.max(deadlineMs - sys.elapsedMs(), WRITE_MS_MIN);
    const write = await sys.kernel.write(pool.file, String(count), timeoutMs);
    if (write.kind === "stuck") return { kind: "stuck", reason: `the write${onNode(node)} hangs in the kernel` };
    if (write.kind === "refused") {
      return { kind: "failed", reason: `the kernel refuses${onNode(node)}: ${write.reason}` };
    }
  }
  return { kind: "written" };
}

/**
 * Returns the pools in the order of writing: first those that shrink, starting with the one that keeps the fewest
 * pages in use, then those that grow.
 */
function writeOrder(pools: Pools, to: Pages): readonly (readonly [string, Pool])[] {
  const known = Object.entries(pools);
  const keeps = ([node, { pages, free }]: readonly [string, Pool]): number => pages - free - countOf(to, node);
  const shrinking = known.filter(([node, { pages }]) => pages > countOf(to, node));
  const growing = known.filter(([node, { pages }]) => pages < countOf(to, node));
  return [...shrinking.sort((a, b) => keeps(a) - keeps(b)), ...growing];
}

/** Compacts memory. Returns false if the write hangs; whether it helped shows at the next attempt. */
async function compactMemory(timeLeftMs: number, sys: Sys): Promise<boolean> {
  const end = await sys.kernel.write(COMPACT_FILE, "1", Math.min(timeLeftMs, COMPACT_MS_MAX));
  return end.kind !== "stuck";
}

function shortfall(current: Pages, short: readonly string[], { from, to, sizeKib }: PagesChange): WriteEnd<Pages> {
  const given = short.map((node) => {
    const got = countOf(current, node) - countOf(from, node);
    return `${got} of ${countOf(to, node) - countOf(from, node)} huge pages of ${pageSizeText(sizeKib)}${onNode(node)}`;
  });
  return {
    kind: "failed",
    reason: `the kernel found memory for only ${given.join(" and ")}`,
    hint: "memory is too fragmented: start this guest sooner after boot, or have pages made at boot (hugepages=)",
  };
}

/**
 * Waits until pages in use become free. Surplus pages within the target of all nodes count as moved from another
 * node, not as too many.
 */
async function awaitFreed({ from, to, deadlineMs, sizeKib }: PagesChange, sys: Sys): Promise<WriteEnd<Pages>> {
  if (Object.keys(to).every((node) => countOf(to, node) >= countOf(from, node))) return { kind: "written" };
  const untilMs = Math.min(sys.elapsedMs() + FREED_WITHIN_MS, deadlineMs);
  while (true) {
    const { used, surplus } = await readUse(sizeKib, sys.kernel);
    const excess = Math.min(used - sumPages(to), surplus);
    if (excess <= 0) return { kind: "written" };
    if (sys.elapsedMs() + POLL_MS > untilMs) {
      return {
        kind: "failed",
        reason: `${excess} huge pages of ${
          pageSizeText(sizeKib)
        } are still in use: the kernel frees them when they are unused`,
        hint: "grep -l huge /proc/[0-9]*/numa_maps tells which processes use huge pages",
      };
    }
    await sys.sleep(POLL_MS);
  }
}
