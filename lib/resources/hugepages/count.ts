/**
 * Huge pages as numbers: how demands add up, what others changed meanwhile, which node gives how many. Pure.
 * @module
 */
import type { HugepagesDemand, HugepagesPart } from "../../plan/demand.ts";
import type { HeldDemand, SavedState, Wanted } from "../resource.ts";

/** Pages by node of the host, nodes in order; under {@linkcode WHOLE_HOST} on a kernel that knows no nodes. */
export type Pages = Readonly<Record<string, number>>;

/** Stands for the node where the kernel knows none. */
export const WHOLE_HOST = "host";

const KIB = 1024;

/** The pages of a part. */
export function pagesIn({ amount }: HugepagesPart, sizeKib: number): number {
  return amount.unit === "pages" ? amount.pages : Math.ceil(amount.bytes / (sizeKib * KIB));
}

/** The original and all demands, node by node. */
export function wantedPages(original: Pages, held: readonly HeldDemand<HugepagesDemand>[]): Wanted<Pages> {
  const wanted = { ...original };
  for (const { who, demand: { sizeKib, parts } } of held) {
    if (sizeKib === "default") return { kind: "conflict", reason: `${who} has huge pages of a size that is not said` };
    for (const part of parts) {
      const node = String(part.nodes[0] ?? WHOLE_HOST);
      const before = wanted[node];
      if (before === undefined) {
        return { kind: "conflict", reason: `${who} has pages on node ${node}, which this host does not have any more` };
      }
      wanted[node] = before + pagesIn(part, sizeKib);
    }
  }
  return { kind: "value", value: wanted };
}

/**
 * The original, moved by what others added or took. What a killed or failed write left lies between what stood before it and
 * what it was to write: nobody else did that. Nobody can take more than was there without us.
 */
export function rebasePages({ original, written, pending }: SavedState<Pages>, actual: Pages): Pages {
  return Object.fromEntries(
    Object.entries(actual).map(([node, pages]) => {
      const ours = original[node];
      if (ours === undefined) return [node, pages];
      const stood = written?.[node] ?? ours;
      const due = pending?.[node] ?? stood;
      const explained = Math.min(Math.max(pages, Math.min(stood, due)), Math.max(stood, due));
      return [node, Math.max(ours + pages - explained, 0)];
    }),
  );
}

/** Parts with the node that gives them, or the first that does not fit. */
export type Placement =
  | { readonly kind: "placed"; readonly pages: Pages }
  | { readonly kind: "short"; readonly part: HugepagesPart };

/**
 * Gives each part its nodes: those that name some first, then the rest, each spread evenly as far as there is room.
 *
 * @param room the pages that each node has room for
 */
export function placePages(parts: readonly HugepagesPart[], sizeKib: number, room: Pages): Placement {
  const left = { ...room };
  const placed: Record<string, number> = {};
  const bound = parts.filter(({ nodes }) => nodes.length > 0);
  for (const part of [...bound, ...parts.filter(({ nodes }) => nodes.length === 0)]) {
    const nodes = part.nodes.length === 0 ? Object.keys(room) : part.nodes.map(String);
    const shares = spread(pagesIn(part, sizeKib), nodes.map((node) => left[node] ?? 0));
    if (shares === undefined) return { kind: "short", part };
    for (const [index, node] of nodes.entries()) {
      const share = shares[index] ?? 0;
      left[node] = (left[node] ?? 0) - share;
      placed[node] = (placed[node] ?? 0) + share;
    }
  }
  return { kind: "placed", pages: placed };
}

/** Even shares, none larger than its room; `undefined` where there is not room enough. */
function spread(pages: number, rooms: readonly number[]): readonly number[] | undefined {
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

/** The pages of all nodes. */
export function sumPages(pages: Pages): number {
  return Object.values(pages).reduce((sum, count) => sum + count, 0);
}

/** Where a node is, for people, as the end of a phrase. */
export function onNode(node: string): string {
  return node === WHOLE_HOST ? "" : ` on node ${node}`;
}
