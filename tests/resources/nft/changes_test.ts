/** The ports that a change of the packet filter opens and closes. */
import { assertEquals } from "../../support/assert.ts";
import type { NftDemand } from "../../../lib/plan/nft_demand.ts";
import { filterChanges } from "../../../lib/resources/nft/changes.ts";
import type { Filter } from "../../../lib/resources/nft/filter.ts";
import { wantedTable } from "../../../lib/resources/nft/rules.ts";
import type { HeldDemand } from "../../../lib/resources/resource.ts";
import { forward, guestAt, heldBy, open } from "./demands.ts";

const NONE: readonly HeldDemand<NftDemand>[] = [];

function filterOf(held: readonly HeldDemand<NftDemand>[]): Filter {
  return { table: wantedTable(held), gates: "open" };
}

function told(before: readonly HeldDemand<NftDemand>[], after: readonly HeldDemand<NftDemand>[]): readonly string[] {
  return filterChanges(filterOf(before), filterOf(after), after).map(({ guest, rule, text, ports }) =>
    `${guest} [${rule}] ${text} (${ports.join(" ")})`
  );
}

const WEB = heldBy("web-1", forward(8080, { guestPort: 80 }));
const LEASED = { ...guestAt("192.168.122.34"), source: "lease" } as const;

const CASES: Readonly<
  Record<
    string,
    {
      readonly before?: readonly HeldDemand<NftDemand>[];
      readonly after?: readonly HeldDemand<NftDemand>[];
      readonly lines: readonly string[];
    }
  >
> = {
  "a port that is opened": {
    after: WEB,
    lines: ["web-1 [web] opened tcp 8080 → 192.168.122.11:80 (document) (8080)"],
  },
  "a port that is closed": { before: WEB, lines: ["web-1 [web] closed tcp 8080 → 192.168.122.11:80 (8080)"] },
  "nothing": { before: WEB, after: WEB, lines: [] },
  "a lease that moved": {
    before: WEB,
    after: heldBy("web-1", forward(8080, { guestPort: 80, guest: LEASED })),
    lines: [
      "web-1 [web] closed tcp 8080 → 192.168.122.11:80 (8080)",
      "web-1 [web] opened tcp 8080 → 192.168.122.34:80 (lease) (8080)",
    ],
  },
  "another guest's port beside": {
    before: WEB,
    after: [...WEB, ...heldBy("web-2", forward(8081, { guest: guestAt("192.168.122.28") }))],
    lines: ["web-2 [web] opened tcp 8081 → 192.168.122.28 (document) (8081)"],
  },
  "both protocols": {
    after: heldBy("web-1", forward(5000, { protocol: "both" })),
    lines: [
      "web-1 [web] opened tcp 5000 → 192.168.122.11 (document) (5000)",
      "web-1 [web] opened udp 5000 → 192.168.122.11 (document) (5000)",
    ],
  },
  "a range that moves": {
    after: heldBy("web-1", forward([6000, 6003], { guestPort: 5000 })),
    lines: ["web-1 [web] opened tcp 6000-6003 → 192.168.122.11:5000-5003 (document) (6000-6003)"],
  },
  "some clients": {
    after: heldBy("web-1", forward(8080, { from: ["203.0.113.3/32", "198.51.100.0/24"] })),
    lines: ["web-1 [web] opened tcp 8080 → 192.168.122.11 from 198.51.100.0/24, 203.0.113.3 (document) (8080)"],
  },
  "IPv6": {
    after: heldBy("web-1", forward(8080, { guestPort: 80, guest: guestAt("fd00:122::1") })),
    lines: ["web-1 [web] opened tcp 8080 → [fd00:122::1]:80 (document) (8080)"],
  },
  "a network": { after: heldBy("net", open()), lines: ["net [web] opened 192.168.122.0/24 ()"] },
  "ports of a network": {
    after: heldBy("net", open({ ports: [{ first: 22, last: 22 }, { first: 80, last: 90 }] })),
    lines: ["net [web] opened 192.168.122.0/24 tcp 22, 80-90 (22 80-90)"],
  },
  "a guest whose name looks like a rule": {
    after: heldBy("x (rule y)", forward(80)),
    lines: ["x (rule y) [web] opened tcp 80 → 192.168.122.11 (document) (80)"],
  },
};

for (const [what, { before = NONE, after = NONE, lines }] of Object.entries(CASES)) {
  Deno.test(`a change of the packet filter is described: ${what}`, () => assertEquals(told(before, after), lines));
}
