import {
  type Pages,
  pagesIn,
  type Placement,
  placePages,
  rebasePages,
  wantedPages,
} from "../../lib/resources/hugepages/count.ts";
import type { HugepagesPart } from "../../lib/plan/demand.ts";
import type { SavedState } from "../../lib/resources/resource.ts";
import { assertEquals } from "../support/assert.ts";

const MIB = 1024 * 1024;

function pages(count: number, ...nodes: readonly number[]): HugepagesPart {
  return { nodes, amount: { unit: "pages", pages: count } };
}

function memory(bytes: number): HugepagesPart {
  return { nodes: [], amount: { unit: "memory", bytes } };
}

for (
  const { part, sizeKib, want } of [
    { part: pages(7), sizeKib: 2048, want: 7 },
    { part: memory(4 * MIB), sizeKib: 2048, want: 2 },
    { part: memory(4 * MIB + 1), sizeKib: 2048, want: 3 },
    { part: memory(1), sizeKib: 1024 * 1024, want: 1 },
    { part: memory(0), sizeKib: 2048, want: 0 },
  ]
) {
  Deno.test(`pagesIn() of ${JSON.stringify(part.amount)} in pages of ${sizeKib} KiB is ${want}`, () => {
    assertEquals(pagesIn(part, sizeKib), want);
  });
}

Deno.test("wantedPages() adds all demands to the original, node by node", () => {
  const held = [
    { holder: "a", demand: { sizeKib: 2048, parts: [pages(5, 0), pages(7, 1)] } },
    { holder: "b", demand: { sizeKib: 2048, parts: [pages(11, 1)] } },
  ] as const;
  assertEquals(wantedPages({ 0: 100, 1: 0, 2: 3 }, held), { kind: "value", value: { 0: 105, 1: 18, 2: 3 } });
});

Deno.test("wantedPages() names the holder of pages on a node that was removed", () => {
  const held = [{ holder: 'guest "a"', demand: { sizeKib: 2048, parts: [pages(5, 1)] } }];
  assertEquals(wantedPages({ 0: 1 }, held), {
    kind: "conflict",
    reason: 'guest "a" has pages on node 1, which this host does not have any more',
  });
});

const REBASED: readonly {
  readonly name: string;
  readonly saved: SavedState<Pages>;
  readonly actual: Pages;
  readonly want: Pages;
}[] = [
  {
    name: "nobody changed anything",
    saved: { original: { 0: 10 }, written: { 0: 60 }, pending: undefined },
    actual: { 0: 60 },
    want: { 0: 10 },
  },
  {
    name: "somebody added",
    saved: { original: { 0: 10 }, written: { 0: 60 }, pending: undefined },
    actual: { 0: 65 },
    want: { 0: 15 },
  },
  {
    name: "somebody took",
    saved: { original: { 0: 10 }, written: { 0: 60 }, pending: undefined },
    actual: { 0: 53 },
    want: { 0: 3 },
  },
  {
    name: "somebody took more than there was without us",
    saved: { original: { 0: 10 }, written: { 0: 60 }, pending: undefined },
    actual: { 0: 0 },
    want: { 0: 0 },
  },
  {
    name: "a first write was killed half-way",
    saved: { original: { 0: 10 }, written: undefined, pending: { 0: 60 } },
    actual: { 0: 33 },
    want: { 0: 10 },
  },
  {
    name: "a shrinking write was killed half-way",
    saved: { original: { 0: 10 }, written: { 0: 110 }, pending: { 0: 60 } },
    actual: { 0: 90 },
    want: { 0: 10 },
  },
  {
    name: "a write was killed before it began",
    saved: { original: { 0: 10 }, written: { 0: 60 }, pending: { 0: 110 } },
    actual: { 0: 60 },
    want: { 0: 10 },
  },
  {
    name: "somebody added to what a killed write left",
    saved: { original: { 0: 10 }, written: { 0: 60 }, pending: { 0: 110 } },
    actual: { 0: 120 },
    want: { 0: 20 },
  },
  {
    name: "each node by itself",
    saved: { original: { 0: 10, 1: 20 }, written: { 0: 15, 1: 25 }, pending: undefined },
    actual: { 0: 16, 1: 24 },
    want: { 0: 11, 1: 19 },
  },
  {
    name: "a node came, another went",
    saved: { original: { 0: 10, 1: 20 }, written: { 0: 15, 1: 25 }, pending: undefined },
    actual: { 0: 15, 2: 7 },
    want: { 0: 10, 2: 7 },
  },
];
for (const { name, saved, actual, want } of REBASED) {
  Deno.test(`rebasePages(): ${name}`, () => assertEquals(rebasePages(saved, actual), want));
}

const PLACED: readonly {
  readonly name: string;
  readonly parts: readonly HugepagesPart[];
  readonly room: Pages;
  readonly want: Placement;
}[] = [
  {
    name: "evenly over all nodes",
    parts: [pages(10)],
    room: { 0: 50, 1: 50 },
    want: { kind: "placed", pages: { 0: 5, 1: 5 } },
  },
  {
    name: "what a full node cannot give comes from the others",
    parts: [pages(10)],
    room: { 0: 50, 1: 1, 2: 50 },
    want: { kind: "placed", pages: { 0: 4, 1: 1, 2: 5 } },
  },
  {
    name: "to the last page",
    parts: [pages(10)],
    room: { 0: 3, 1: 7 },
    want: { kind: "placed", pages: { 0: 3, 1: 7 } },
  },
  {
    name: "those with a node first",
    parts: [pages(10), pages(8, 0)],
    room: { 0: 10, 1: 10 },
    want: { kind: "placed", pages: { 0: 10, 1: 8 } },
  },
  {
    name: "over several named nodes",
    parts: [pages(10, 1, 2)],
    room: { 0: 10, 1: 10, 2: 10 },
    want: { kind: "placed", pages: { 1: 5, 2: 5 } },
  },
  {
    name: "more than a node has room for, counting what was placed before",
    parts: [pages(6, 1), pages(5, 1)],
    room: { 0: 99, 1: 10 },
    want: { kind: "short", part: pages(5, 1) },
  },
  {
    name: "more than all have room for",
    parts: [pages(21)],
    room: { 0: 10, 1: 10 },
    want: { kind: "short", part: pages(21) },
  },
];
for (const { name, parts, room, want } of PLACED) {
  Deno.test(`placePages(): ${name}`, () => assertEquals(placePages(parts, 2048, room), want));
}
