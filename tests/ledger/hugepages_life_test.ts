/**
 * Huge pages over the lives of guests, on a host in memory.
 * @module
 */
import { assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { type PoolHost, poolHost, type Pools } from "../support/hugepage_host.ts";
import { killable } from "../support/killing_sys.ts";
import { type LedgerHost, ledgerHost, statesOf } from "../support/ledger_host.ts";

const OTHER = { name: "db-1", uuid: "99999999-2222-4333-8444-555555555555" };
const THIRD = { name: "db-2", uuid: "88888888-2222-4333-8444-555555555555" };

function rules(config: string): string {
  return `[[rule]]\nname = "large"\nwhen = { domain = "*" }\nhugepages = { ${config} }\n`;
}

interface Stage extends Pools {
  readonly on: LedgerHost;
  readonly now: () => readonly number[];
}

function stage(config: string, options: PoolHost = {}): Stage {
  const pools = poolHost(options);
  const on = ledgerHost(rules(config), pools.host);
  return { ...pools, on, now: () => pools.pages(on) };
}

Deno.test("huge pages: two guests overlap, and each takes away only its own", async () => {
  const { on, now } = stage("pages = 64", { nodes: [{ pages: 10 }] });
  assertEquals((await on.call("qemu", "prepare")).code, 0);
  assertEquals(now(), [74]);
  await on.call("qemu", "prepare", OTHER);
  assertEquals(now(), [138]);
  await on.call("qemu", "release");
  assertEquals(now(), [74]);
  await on.call("qemu", "release", OTHER);
  assertEquals([now(), on.ledgerFiles()], [[10], []]);
});

Deno.test("huge pages: the guest's memory says how many, and where", async () => {
  const { on, now } = stage("", { nodes: [{}, {}] });
  const xml = `<memory unit='MiB'>1025</memory><memoryBacking><hugepages/></memoryBacking>
    <cpu><numa><cell id='0' cpus='0' memory='1024' unit='MiB'/><cell id='1' cpus='1' memory='1' unit='MiB'/></numa></cpu>
    <numatune><memnode cellid='0' mode='strict' nodeset='1'/><memnode cellid='1' mode='strict' nodeset='0'/></numatune>`;
  await on.call("qemu", "prepare", { xml });
  assertEquals(now(), [1, 512]);
  await on.call("qemu", "release", { xml });
  assertEquals(now(), [0, 0]);
});

Deno.test("huge pages: without a node they are spread, as far as each has room", async () => {
  const { on, now } = stage("pages = 300", { nodes: [{ freeMib: 200 }, {}] });
  await on.call("qemu", "prepare");
  assertEquals(now(), [100, 200]);
});

Deno.test("huge pages: preparing twice is preparing once", async () => {
  const { on, now } = stage("pages = 64");
  await on.call("qemu", "prepare");
  await on.call("qemu", "prepare");
  assertEquals(now(), [64]);
  await on.call("qemu", "release");
  assertEquals(now(), [0]);
});

Deno.test("huge pages: a start that finds too few takes back all, and says how many there were", async () => {
  const { on, now, writes } = stage("pages = 64", { nodes: [{ pages: 10, findable: 100 }] });
  await on.call("qemu", "prepare");
  const refused = await on.call("qemu", "prepare", OTHER);
  assertEquals(refused.code, 4);
  assertStringIncludes(refused.stderr, "the kernel found memory for only 36 of 64 huge pages of 2M on node 0");
  assertStringIncludes(refused.stderr, "hugepages=");
  assertEquals(now(), [74]);
  assertEquals(writes, ["node0 74", "node0 138", "compact 1", "node0 138", "compact 1", "node0 138", "node0 74"]);
  await on.call("qemu", "release", OTHER);
  await on.call("qemu", "release");
  assertEquals([now(), on.ledgerFiles()], [[10], []]);
});

Deno.test("huge pages: compaction finds the rest", async () => {
  const { on, now, writes } = stage("pages = 64", { nodes: [{ findable: 10, afterCompaction: 1000 }] });
  assertEquals((await on.call("qemu", "prepare")).code, 0);
  assertEquals([now(), writes], [[64], ["node0 64", "compact 1", "node0 64"]]);
});

Deno.test("huge pages: a kernel that refuses the number is not asked again", async () => {
  const { host, pages } = poolHost({ nodes: [{ pages: 10 }] });
  const file = "/sys/devices/system/node/node0/hugepages/hugepages-2048kB/nr_hugepages";
  const refused = { kind: "refused", reason: "Invalid argument" } as const;
  const asked: string[] = [];
  const on = ledgerHost(rules("pages = 64"), {
    ...host,
    reactions: {
      ...host.reactions,
      [file]: (text) => {
        asked.push(text);
        return refused;
      },
    },
  });
  const answer = await on.call("qemu", "prepare");
  assertEquals([answer.code, asked, pages(on), on.ledgerFiles()], [4, ["74"], [10], []]);
  assertStringIncludes(answer.stderr, "the kernel refuses on node 0: Invalid argument");
});

Deno.test("huge pages of 1G are not looked for by compaction", async () => {
  const { on, writes } = stage("pages = 2", { sizeKib: 1_048_576, nodes: [{ findable: 1 }] });
  assertEquals((await on.call("qemu", "prepare")).code, 4);
  assertEquals(writes, ["node0 2", "node0 2", "node0 2", "node0 0"]);
});

Deno.test("huge pages: more than the host has is refused before anything is touched", async () => {
  const { on, writes } = stage("pages = 1000", { availableMib: 2100 });
  const refused = await on.call("qemu", "prepare");
  assertEquals([refused.code, writes], [4, []]);
  assertStringIncludes(
    refused.stderr,
    "not enough memory: 2000 MiB are needed, 2100 MiB are available, of which 256 MiB are reserved for the host",
  );
});

Deno.test("huge pages: more than the guest's node has is refused, whatever the others have", async () => {
  const { on, writes } = stage("pages = 1000", { nodes: [{}, { freeMib: 2100 }] });
  const xml = "<numatune><memory mode='strict' nodeset='1'/></numatune>";
  const refused = await on.call("qemu", "prepare", { xml });
  assertEquals([refused.code, writes], [4, []]);
  assertStringIncludes(
    refused.stderr,
    "not enough memory on node 1: 2000 MiB are needed, 2100 MiB are available, of which 256 MiB",
  );
});

Deno.test("huge pages: what caches of files would give back is room on the guest's node", async () => {
  const { on, now } = stage("pages = 64", { nodes: [{}, {}] });
  const mibs = { "MemFree": 10, "Active(file)": 100, "Inactive(file)": 200, "SReclaimable": 100, "AnonPages": 9000 };
  const lines = Object.entries(mibs).map(([name, mib]) => `Node 1 ${name}: ${mib * 1024} kB\n`);
  on.write("/sys/devices/system/node/node1/meminfo", lines.join(""));
  const xml = "<numatune><memory mode='strict' nodeset='1'/></numatune>";
  assertEquals((await on.call("qemu", "prepare", { xml })).stderr, "");
  assertEquals(now(), [0, 64]);
});

Deno.test("huge pages: large pages that no node has room for are refused with what each has", async () => {
  const { on, writes } = stage("pages = 2", { sizeKib: 1_048_576, nodes: [{ freeMib: 1000 }, { freeMib: 2000 }] });
  const refused = await on.call("qemu", "prepare");
  assertEquals([refused.code, writes], [4, []]);
  const said =
    "not enough memory in pieces of 1G: 2048 MiB are needed, available are 1000 MiB on node 0, 2000 MiB on node 1";
  assertStringIncludes(refused.stderr, said);
});

Deno.test("huge pages: what an earlier life of the guest still has counts as memory for the next", async () => {
  const { on, now, writes } = stage("pages = 1000", { nodes: [{}, { freeMib: 2300 }], availableMib: 2300 });
  const xml = "<numatune><memory mode='strict' nodeset='1'/></numatune>";
  assertEquals((await on.call("qemu", "prepare", { xml })).stderr, "");
  assertEquals((await on.call("qemu", "prepare", { xml })).stderr, "");
  assertEquals([now(), writes], [[0, 1000], ["node1 1000"]]);
  const refused = await on.call("qemu", "prepare", { ...OTHER, xml });
  assertStringIncludes(refused.stderr, "not enough memory: 2000 MiB are needed, 300 MiB are available");
});

for (
  const { config, xml, said } of [
    { config: 'size = "16M", pages = 1', xml: "", said: "this kernel has no huge pages of 16M, it has 2M and 1G" },
    {
      config: "pages = 1",
      xml: "<numatune><memory mode='strict' nodeset='3'/></numatune>",
      said: "this host has no node 3 with memory: there are 0",
    },
    { config: "", xml: "", said: "the guest's XML does not say how much memory it takes" },
    {
      config: 'size = "2M"',
      xml:
        "<memory unit='GiB'>1</memory><memoryBacking><hugepages><page size='1' unit='GiB'/></hugepages></memoryBacking>",
      said: "the guest takes huge pages of 1G, and the rule gives 2M",
    },
  ] as const
) {
  Deno.test(`huge pages: refused before: ${said}`, async () => {
    const { on, writes } = stage(config, { otherSizesKib: [1_048_576] });
    const refused = await on.call("qemu", "prepare", { xml });
    assertEquals([refused.code, writes], [4, []]);
    assertStringIncludes(refused.stderr, said);
  });
}

Deno.test("huge pages: a kernel without nodes has one pool", async () => {
  const { on, now } = stage("pages = 64", { knowsNodes: false, nodes: [{ pages: 3 }] });
  const xml = "<numatune><memory mode='strict' nodeset='0'/></numatune>";
  assertEquals((await on.call("qemu", "prepare", { xml })).code, 0);
  assertEquals(now(), [67]);
  await on.call("qemu", "release");
  assertEquals(now(), [3]);
});

Deno.test("huge pages: what an administrator adds or takes while guests live stays", async () => {
  for (const { change, left } of [{ change: 50, left: 60 }, { change: -4, left: 6 }, { change: -40, left: 0 }]) {
    const { on, now } = stage("pages = 64", { nodes: [{ pages: 10 }] });
    await on.call("qemu", "prepare");
    const file = "/sys/devices/system/node/node0/hugepages/hugepages-2048kB/nr_hugepages";
    await on.sys().kernel.write(file, String(74 + change), 1000);
    await on.call("qemu", "prepare", OTHER);
    await on.call("qemu", "reconnect");
    assertEquals(now(), [left + 128], `both live, ${change}`);
    await on.call("qemu", "release");
    await on.call("qemu", "release", OTHER);
    assertEquals([now(), on.ledgerFiles()], [[left], []], `both gone, ${change}`);
  }
});

/** Plays a call whose process is killed when it has written so many pages of those that it wants. */
async function killedInWrite(on: LedgerHost, file: string, pages: string): Promise<void> {
  await on.call(
    "qemu",
    "prepare",
    OTHER,
    (sys) => killable(sys, { at: `kernel.write ${file}`, moment: "half", partOf: () => pages }).sys,
  );
}

for (const after of ["release", "prepare"] as const) {
  Deno.test(`huge pages: a hook killed in the middle of its write is mended by ${after}`, async () => {
    const { on, now } = stage("pages = 64", { nodes: [{ pages: 10 }] });
    const file = "/sys/devices/system/node/node0/hugepages/hugepages-2048kB/nr_hugepages";
    await on.call("qemu", "prepare");
    await killedInWrite(on, file, "100");
    assertEquals(now(), [100], "the kernel was at it");
    await on.call("qemu", after, OTHER);
    assertEquals(now(), [after === "release" ? 74 : 138]);
    await on.call("qemu", "release", OTHER);
    await on.call("qemu", "release");
    assertEquals([now(), on.ledgerFiles()], [[10], []]);
  });
}

Deno.test("huge pages that stay in use are told, and stay in sight", async () => {
  const { on, now, use } = stage("pages = 64");
  await on.call("qemu", "prepare");
  use(0, 20, on);
  const released = await on.call("qemu", "release");
  assertEquals([released.code, now()], [0, [20]]);
  assertMatch(JSON.stringify(released.history), /20 huge pages of 2M are still in use/);
  assertEquals(statesOf(on).length, 1, "the state stays");
  use(0, 0, on);
  assertEquals(now(), [0], "the kernel frees them");
  await on.call("daemon", "start");
  assertEquals(on.ledgerFiles(), []);
});

for (const addsSurplus of [false, true]) {
  const kernel = addsSurplus ? "Linux before 6.3" : "a later kernel";
  Deno.test(`huge pages: a guest that took its pages from another node is no failure on ${kernel}`, async () => {
    const { on, now, use } = stage("pages = 64", { nodes: [{}, {}], addsSurplus });
    await on.call("qemu", "prepare");
    await on.call("qemu", "prepare", OTHER);
    assertEquals(now(), [64, 64]);
    use(1, 64, on);
    const released = await on.call("qemu", "release");
    assertEquals([released.code, released.history["outcome"], now()], [0, "done", [32, 64]]);
    assertEquals((await on.call("qemu", "prepare", THIRD)).stderr, "");
    assertEquals(now(), [64, 64], "64 of them are free");
    await on.call("qemu", "release", THIRD);
    use(1, 0, on);
    await on.call("qemu", "release", OTHER);
    assertEquals([now(), on.ledgerFiles()], [[0, 0], []]);
  });

  Deno.test(`huge pages: what is in use on one node keeps no other from shrinking or growing on ${kernel}`, async () => {
    const { on, now, use } = stage("", { nodes: [{}, {}], addsSurplus });
    const xml = "<memory unit='MiB'>40</memory>";
    await on.call("qemu", "prepare", { xml });
    use(0, 10, on);
    const released = await on.call("qemu", "release", { xml });
    assertMatch(JSON.stringify(released.history), /10 huge pages of 2M are still in use/);
    assertEquals(now(), [10, 0]);
    const bound = `${xml}<numatune><memory mode='strict' nodeset='1'/></numatune>`;
    assertEquals((await on.call("qemu", "prepare", { ...OTHER, xml: bound })).stderr, "");
    assertEquals(now(), [10, 20]);
    use(0, 0, on);
    await on.call("qemu", "release", { ...OTHER, xml: bound });
    assertEquals([now(), on.ledgerFiles()], [[0, 0], []]);
  });
}
