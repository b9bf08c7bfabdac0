/**
 * Making huge pages and freeing them. The kernel gives as many as it finds and says nothing about the rest, and keeps those
 * that are in use: so what stands is looked at after each write.
 * @module
 */
import { pageSizeText } from "../../config/page_size.ts";
import type { Sys } from "../../sys/sys.ts";
import { onNode, type Pages, sumPages } from "./count.ts";
import { pagesOf, type Pool, type Pools, readPools, readUse } from "./pools.ts";
import { type ResourceChange, sameValue, type WriteEnd } from "../resource.ts";

/** How often the kernel is asked for pages that it did not find. */
const ATTEMPTS_MAX = 3;
/** With less time left nothing is tried again. */
const RETRY_MS = 500;
/** A write has this long even when time is up: the kernel takes a moment for it, and gives up when it is told to. */
const WRITE_MS_MIN = 1_000;
/** Moves what is in use together, so that larger pieces are free. All of a large host takes long. */
const COMPACT_FILE = "/proc/sys/vm/compact_memory";
const COMPACT_MS_MAX = 5_000;
/** Larger pages are not made of what compaction frees: the kernel clears whole ranges for them. */
const COMPACTED_KIB_MAX = 512 * 1024;
/** A process that has ended gives its pages back a moment later. */
const FREED_WITHIN_MS = 2_000;
const LOOK_AGAIN_MS = 50;

type Writing = Pick<ResourceChange<Pages>, "from" | "to" | "deadlineMs"> & { readonly sizeKib: number };

/** Sets the pools. */
export async function writePages(writing: Writing, sys: Sys): Promise<WriteEnd<Pages>> {
  const { to, deadlineMs, sizeKib } = writing;
  for (let attempt = 1;; attempt++) {
    const end = await writePools(writing, { again: attempt > 1 }, sys);
    if (end.kind === "stuck") return end;
    const stands = pagesOf(await readPools(Object.keys(to), sizeKib, sys.kernel) ?? {});
    // A write that ran out of time may have got there all the same.
    if (sameValue(stands, to)) return await awaitFreed(writing, sys);
    if (end.kind === "failed") return end;
    const short = Object.keys(to).filter((node) => countOf(stands, node) < countOf(to, node));
    const leftMs = deadlineMs - sys.elapsedMs();
    if (attempt === ATTEMPTS_MAX || leftMs < RETRY_MS) return short.length === 0 ? end : tooFew(stands, short, writing);
    const mayHelp = short.length > 0 && sizeKib <= COMPACTED_KIB_MAX;
    if (mayHelp && !await comesBackFromCompaction(leftMs / 2, sys)) {
      return { kind: "stuck", reason: `the kernel does not come back from ${COMPACT_FILE}` };
    }
  }
}

function countOf(pages: Pages, node: string): number {
  return pages[node] ?? 0;
}

/** Writes each pool that is not as it shall be. */
async function writePools(
  { to, deadlineMs, sizeKib }: Writing,
  { again }: { readonly again: boolean },
  sys: Sys,
): Promise<WriteEnd<Pages>> {
  const pools = await readPools(Object.keys(to), sizeKib, sys.kernel) ?? {};
  const surplus = Object.values(pools).reduce((sum, pool) => sum + pool.surplus, 0);
  for (const [node, pool] of inOrder(pools, to)) {
    // Until Linux 6.3 the surplus of other nodes was added to what is written for one.
    const isTooMany = again && pool.pages > countOf(to, node);
    const count = Math.max(countOf(to, node) - (isTooMany ? surplus - pool.surplus : 0), 0);
    const timeoutMs = Math.max(deadlineMs - sys.elapsedMs(), WRITE_MS_MIN);
    const write = await sys.kernel.write(pool.file, String(count), timeoutMs);
    if (write.kind === "stuck") return { kind: "stuck", reason: `the kernel does not come back${onNode(node)}` };
    if (write.kind === "refused") {
      return { kind: "failed", reason: `the kernel refuses${onNode(node)}: ${write.reason}` };
    }
  }
  return { kind: "written" };
}

/** First those that shrink, and of these the ones that keep the fewest in use; then those that grow. */
function inOrder(pools: Pools, to: Pages): readonly (readonly [string, Pool])[] {
  const known = Object.entries(pools);
  const keeps = ([node, { pages, free }]: readonly [string, Pool]): number => pages - free - countOf(to, node);
  const shrinking = known.filter(([node, { pages }]) => pages > countOf(to, node));
  const growing = known.filter(([node, { pages }]) => pages < countOf(to, node));
  return [...shrinking.sort((a, b) => keeps(a) - keeps(b)), ...growing];
}

/** Tells whether the kernel comes back from it. Whatever else becomes of it, the next count tells. */
async function comesBackFromCompaction(timeLeftMs: number, sys: Sys): Promise<boolean> {
  const end = await sys.kernel.write(COMPACT_FILE, "1", Math.min(timeLeftMs, COMPACT_MS_MAX));
  return end.kind !== "stuck";
}

function tooFew(stands: Pages, short: readonly string[], { from, to, sizeKib }: Writing): WriteEnd<Pages> {
  const given = short.map((node) => {
    const got = countOf(stands, node) - countOf(from, node);
    return `${got} of ${countOf(to, node) - countOf(from, node)} huge pages of ${pageSizeText(sizeKib)}${onNode(node)}`;
  });
  return {
    kind: "failed",
    reason: `the kernel found memory for only ${given.join(" and ")}`,
    hint: "memory is in too small pieces: start this guest sooner after boot, or have pages made at boot (hugepages=)",
  };
}

/**
 * Pages that shrinking left in use become free when their user ends. Where others may use as many as there are by right, it
 * is only that they took them from another node.
 */
async function awaitFreed({ from, to, deadlineMs, sizeKib }: Writing, sys: Sys): Promise<WriteEnd<Pages>> {
  if (Object.keys(to).every((node) => countOf(to, node) >= countOf(from, node))) return { kind: "written" };
  const untilMs = Math.min(sys.elapsedMs() + FREED_WITHIN_MS, deadlineMs);
  while (true) {
    const { used, surplus } = await readUse(sizeKib, sys.kernel);
    const tooMany = Math.min(used - sumPages(to), surplus);
    if (tooMany <= 0) return { kind: "written" };
    if (sys.elapsedMs() + LOOK_AGAIN_MS > untilMs) {
      return {
        kind: "failed",
        reason: `${tooMany} huge pages of ${
          pageSizeText(sizeKib)
        } are still in use: the kernel frees them when they are not`,
        hint: "grep -l huge /proc/[0-9]*/numa_maps tells which processes use huge pages",
      };
    }
    await sys.sleep(LOOK_AGAIN_MS);
  }
}
