/**
 * Demands → the text of our table → the real packet filter → the same table again.
 * @module
 */
import { assertEquals, assertStringIncludes } from "../../support/assert.ts";
import { parseListing, ruleText, tableOfListing } from "../../../lib/resources/nft/listing.ts";
import { wantedTable } from "../../../lib/resources/nft/rules.ts";
import { changeScript, type Table } from "../../../lib/resources/nft/table.ts";
import { forward, guestAt, heldBy, SAMPLES } from "./demands.ts";
import { filterTest, type Namespace } from "./namespace.ts";

const NFT = "/usr/sbin/nft";

async function load(script: string, { must }: Namespace): Promise<void> {
  await must([NFT, "-f", "-"], script);
}

async function listed({ must }: Namespace): Promise<Table> {
  const objects = parseListing(await must([NFT, "-j", "list", "table", "inet", "virt_hooks"]));
  if (objects === undefined) throw new Error("Cannot read what nft listed");
  return tableOfListing(objects);
}

function golden(name: string): string {
  return new URL(`golden/${name}.nft`, import.meta.url).pathname;
}

for (const [name, held] of Object.entries(SAMPLES)) {
  filterTest(`the table of "${name}" is the golden text, loads, and reads back as itself`, async (namespace) => {
    const table = wantedTable(held);
    const script = changeScript(null, table);
    assertEquals(script, await Deno.readTextFile(golden(name)));
    await load(script, namespace);
    assertEquals(await listed(namespace), table);
    assertEquals(changeScript(await listed(namespace), table), "");
    await load(changeScript(table, null), namespace);
    assertEquals(await namespace.must([NFT, "list", "ruleset"]), "");
  });
}

filterTest("without /etc/protocols nft prints numbers, which give the same table", async (namespace) => {
  const table = wantedTable(heldBy("a", forward(80, { protocol: "both" })));
  await load(changeScript(null, table), namespace);
  const text = await namespace.must([NFT, "-j", "list", "table", "inet", "virt_hooks"]);
  const numbers = text.replaceAll('"right": "tcp"', '"right": 6').replaceAll('"right": "udp"', '"right": 17');
  assertEquals(numbers === text, false);
  assertEquals(tableOfListing(parseListing(numbers) ?? []), table);
});

Deno.test("adding rules deletes and flushes nothing", () => {
  const one = heldBy("a", forward(80));
  const two = [...one, ...heldBy("b", forward(81, { guest: guestAt("192.168.122.12") }))];
  assertEquals(changeScript(wantedTable(one), wantedTable(two)).split("\n").slice(0, -1), [
    "add counter inet virt_hooks f_tcp_81",
    "add counter inet virt_hooks new_tcp_81",
    'add rule inet virt_hooks to_guest meta nfproto ipv4 tcp dport 81 counter name new_tcp_81 dnat ip to 192.168.122.12 comment "guest b (rule web)"',
    "add rule inet virt_hooks forward ct status dnat ct reply ip saddr 192.168.122.12 meta l4proto tcp " +
    "ct original proto-dst 81 counter name f_tcp_81 meta mark set meta mark | 0x10000000",
  ]);
});

Deno.test("removing rules flushes and refills the table in one transaction, without deleting it", () => {
  const both = heldBy("a", forward(80), forward(81));
  const script = changeScript(wantedTable(both), wantedTable(both.slice(1)));
  assertEquals(script.includes("delete table"), false);
  assertEquals(script.split("\n").slice(0, 4), [
    "add table inet virt_hooks",
    "flush table inet virt_hooks",
    "delete counter inet virt_hooks f_tcp_80",
    "delete counter inet virt_hooks new_tcp_80",
  ]);
  assertEquals(changeScript(wantedTable(both), null), "delete table inet virt_hooks\n");
});

Deno.test("demands without an address need no table yet", () => {
  assertEquals(wantedTable(heldBy("a", forward(80, { guest: null }))), null);
});

filterTest("counters keep their values while other guests start and stop", async (namespace) => {
  const [one, two] = [heldBy("a", forward(80)), heldBy("b", forward(81))];
  const counted = changeScript(null, wantedTable(one)).replace("f_tcp_80\n", "f_tcp_80 { packets 3 bytes 9 ; }\n")
    .replace("new_tcp_80\n", "new_tcp_80 { packets 2 bytes 4 ; }\n");
  await load(counted, namespace);
  await load(changeScript(await listed(namespace), wantedTable([...one, ...two])), namespace);
  await load(changeScript(await listed(namespace), wantedTable(one)), namespace);
  const counters = await namespace.must([NFT, "list", "counters", "table", "inet", "virt_hooks"]);
  assertStringIncludes(counters, "packets 3 bytes 9");
  assertStringIncludes(counters, "packets 2 bytes 4");
  assertEquals((await listed(namespace)).counters, ["f_tcp_80", "new_tcp_80"]);
});

Deno.test("a rule is the same on a host that has no names for protocols", () => {
  for (const [number, name] of [[6, "tcp"], [17, "udp"]] as const) {
    const match = (right: unknown): unknown => ({ match: { op: "==", left: { meta: { key: "l4proto" } }, right } });
    assertEquals(ruleText({ expr: [match(number)] }), `meta l4proto ${name}`);
    assertEquals(ruleText({ expr: [match(name)] }), `meta l4proto ${name}`);
  }
});
