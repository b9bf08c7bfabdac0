/**
 * Converging from any content of our table gives the same table as one created from nothing, in the real packet
 * filter.
 * @module
 */
import * as fc from "fast-check";
import { assertEquals } from "../../support/assert.ts";
import type { NftDemand } from "../../../lib/plan/nft_demand.ts";
import { parseListing, tableOfListing } from "../../../lib/resources/nft/listing.ts";
import { wantedTable } from "../../../lib/resources/nft/rules.ts";
import { changeScript, TABLE, type Table } from "../../../lib/resources/nft/table.ts";
import { forward, guestAt, heldBy, open } from "./demands.ts";
import { filterTest, type Namespace } from "./namespace.ts";

const NFT = "/usr/sbin/nft";
const RUNS = 24;

const guests = fc.constantFrom("192.168.122.11", "192.168.122.28", "10.7.0.3", "fd00:122::11").map(guestAt);
const clients = fc.subarray(["10.0.0.0/8", "10.128.0.0/9", "198.51.100.7", "2001:db8::/32", "0.0.0.0/0"], {
  maxLength: 3,
});

const forwards = fc.record({
  first: fc.integer({ min: 1, max: 40 }),
  size: fc.integer({ min: 0, max: 6 }),
  guestPort: fc.option(fc.integer({ min: 1, max: 60_000 }), { nil: undefined }),
  protocol: fc.constantFrom("tcp" as const, "udp" as const, "both" as const),
  guest: fc.option(guests, { nil: null, freq: 8 }),
  hostAddresses: fc.subarray(["203.0.113.1", "203.0.113.10", "2001:db8:1::1"], { maxLength: 2 }),
  from: clients,
  isolated: fc.boolean(),
}).map(({ first, size, guestPort = first, guest, isolated, ...rest }): NftDemand =>
  forward([first, first + size], { ...rest, guestPort, guest: guest && { ...guest, isolated } })
);

const openings = fc.record({ from: clients, protocol: fc.constantFrom("tcp" as const, "both" as const) })
  .map((given): NftDemand => open({ ...given, ports: [{ first: 22, last: 22 }] }));

const demands = fc.array(fc.oneof({ weight: 5, arbitrary: forwards }, { weight: 1, arbitrary: openings }), {
  maxLength: 8,
});

/** Changes that another program may have made to our table. */
const MEDDLING = [
  "",
  "delete table inet virt_hooks\n",
  "flush table inet virt_hooks\n",
  "add rule inet virt_hooks to_guest drop\n",
  "add rule inet virt_hooks forward ip saddr 10.0.0.1 accept\n",
  "insert rule inet virt_hooks output tcp dport 80 accept\n",
  "add chain inet virt_hooks theirs\nadd rule inet virt_hooks theirs accept\nadd rule inet virt_hooks forward jump theirs\n",
  "add set inet virt_hooks theirs { type ipv4_addr ; }\nadd rule inet virt_hooks forward ip saddr @theirs drop\n",
  "add chain inet virt_hooks x\nadd map inet virt_hooks m { type ipv4_addr : verdict ; elements = { 10.0.0.1 : jump x } ; }\n",
  "add counter inet virt_hooks f_tcp_1\nadd quota inet virt_hooks q { over 10 mbytes ; }\n",
  "flush table inet virt_hooks\ndelete chain inet virt_hooks forward\n" +
  "add chain inet virt_hooks forward { type filter hook forward priority 7 ; policy drop ; }\n",
];

async function listed({ must }: Namespace): Promise<Table | null> {
  if (await must([NFT, "list", "tables"]) === "") return null;
  const objects = parseListing(await must([NFT, "-j", "list", "table", ...TABLE.split(" ")]));
  if (objects === undefined) throw new Error("Cannot read what nft listed");
  return tableOfListing(objects);
}

filterTest("converging from any table gives the table for the demands", async (namespace) => {
  const load = (script: string): Promise<string> => namespace.must([NFT, "-f", "-"], script);
  const cases = fc.record({ before: demands, after: demands, meddling: fc.constantFrom(...MEDDLING) });
  await fc.assert(
    fc.asyncProperty(cases, async ({ before, after, meddling }) => {
      await load(changeScript(await listed(namespace), wantedTable(heldBy("a", ...before))));
      if (wantedTable(heldBy("a", ...before)) !== null) await load(meddling);
      const wanted = wantedTable(heldBy("b", ...after));
      const script = changeScript(await listed(namespace), wanted);
      assertEquals(wanted !== null && script.includes("delete table"), false);
      await load(script);
      assertEquals(await listed(namespace), wanted);
    }),
    { numRuns: RUNS },
  );
});

filterTest("adding demand by demand only adds rules, and gives the same table", async (namespace) => {
  await fc.assert(
    fc.asyncProperty(demands, async (all) => {
      let table = await listed(namespace);
      await namespace.must([NFT, "-f", "-"], changeScript(table, null));
      table = null;
      for (const count of all.keys()) {
        const wanted = wantedTable(heldBy("a", ...all.slice(0, count + 1)));
        const script = changeScript(table, wanted);
        assertEquals(/^(delete|flush)/m.test(script), false);
        await namespace.must([NFT, "-f", "-"], script);
        table = wanted;
      }
      assertEquals(await listed(namespace), wantedTable(heldBy("a", ...all)));
    }),
    { numRuns: RUNS / 3 },
  );
});
