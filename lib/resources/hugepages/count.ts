/**
 * Arithmetic of huge pages: the sum of demands, changes by other programs, and the distribution over nodes. Pure.
 * @module
 */
import type { HugepagesDemand, HugepagesPart } from "../../plan/demand.ts";
import type { HeldDemand, SavedState, Wanted } from "../resource.ts";

/** Pages by NUMA node, in order; under {@linkcode WHOLE_HOST} on a kernel without NUMA. */
export type Pages = Readonly<Record<string, number>>;

/** The name of the node on a kernel without NUMA. */
export const WHOLE_HOST = "host";

const KIB = 1024;

/** Returns the pages of a part. */
export function pagesIn({ amount }: HugepagesPart, sizeKib: number): number {
  return amount.unit === "pages" ? amount.pages : Math.ceil(amount.bytes / (sizeKib * KIB));
}

/** Adds all demands to the original, node by node. */
export function wantedPages(original: Pages, held: readonly HeldDemand<HugepagesDemand>[]): Wanted<Pages> {
  const wanted = { ...original };
  for (const { holder, demand: { sizeKib, parts } } of held) {
    if (sizeKib === "default") {
      return { kind: "conflict", reason: `${holder} has huge pages of an unknown size` };
    }
    for (const part of parts) {
      const node = String(part.nodes[0] ?? WHOLE_HOST);
      const before = wanted[node];
      if (before === undefined) {
        return {
          kind: "conflict",
          reason: `${holder} has pages on node ${node}, which this host does not have any more`,
        };
      }
      wanted[node] = before + pagesIn(part, sizeKib);
    }
  }
  return { kind: "value", value: wanted };
}

/**
 * Updates the original with pages that other programs added or removed. A count between the value before a killed or
 * failed write and the value it was writing is the effect of that write, not of another program. The original never
 * falls below zero.
 */
export function rebasePages({ original, written, pending }: SavedState<Pages>, actual: Pages): Pages {
  return Object.fromEntries(
    Object.entries(actual).map(([node, pages]) => {
      const own = original[node];
      if (own === undefined) return [node, pages];
      const before = written?.[node] ?? own;
      const target = pending?.[node] ?? before;
      const caused = Math.min(Math.max(pages, Math.min(before, target)), Math.max(before, target));
      return [node, Math.max(own + pages - caused, 0)];
    }),
  );
}

/** The pages by node, or the first part that does not fit. */
export type Placement =
  | { readonly kind: "placed"; readonly pages: Pages }
  | { readonly kind: "short"; readonly part: HugepagesPart };

/**
 * Distributes parts over nodes: parts that name nodes first, then the others, each as evenly as the room allows.
 * @param room the pages that each node has room for
 */
export function placePages(parts: readonly HugepagesPart[], sizeKib: number, room: Pages): Placement {
  const left = { ...room };
  const placed: Record<string, number> = {};
  const bound = parts.filter(({ nodes }) => nodes.length > 0);
  for (const part of [...bound, ...parts.filter(({ nodes }) => nodes.length === 0)]) {
    const nodes = part.nodes.length === 0 ? Object.keys(room) : part.nodes.map(String);
    const shares = distribute(pagesIn(part, sizeKib), nodes.map((node) => left[node] ?? 0));
    if (shares === undefined) return { kind: "short", part };
    for (const [index, node] of nodes.entries()) {
      const share = shares[index] ?? 0;
      left[node] = (left[node] ?? 0) - share;
      placed[node] = (placed[node] ?? 0) + share;
    }
  }
  return { kind: "placed", pages: placed };
}

/** Distributes pages evenly, with no share larger than its room. Returns `undefined` if there is not enough room. */
function distribute(pages: number, rooms: readonly number[]): readonly number[] | undefined {
  const shares = rooms.map(() => 0);
  let left = pages;
  const smallestFirst = rooms.map((room, index) => ({ room, index })).sort((a, b) => a.room - b.room);
  for (const [done, { room, index }] of smallestFirst.entries()) {
    const share = Math.min(room, Math.floor(left / (rooms.length - done)));
    shares[index] = share;
    left -= share;
  }
  return left === 0 ? shares : undefined;
}

/** Returns the pages of all nodes. */
export function sumPages(pages: Pages): number {
  return Object.values(pages).reduce((sum, count) => sum + count, 0);
}

/** Describes a node, as the end of a phrase. */
export function onNode(node: string): string {
  return node === WHOLE_HOST ? "" : ` on node ${node}`;
}
