/**
 * Huge pages of the real kernel, under real guests that use them.
 * @module
 */
import { assert, assertEquals, assertMatch } from "../support/assert.ts";
import { define, qemuDomain } from "./guests.ts";
import type { Node } from "./node.ts";
import { type NodeOptions, scene } from "./scene.ts";
import { until } from "./until.ts";

/** Guests by the size of their pages: as small as may be. */
const SIZES = [{ sizeKib: 2048, name: "2M", pages: 16 }, { sizeKib: 1024 * 1024, name: "1G", pages: 1 }] as const;
const RULES = `[[rule]]
name = "large"
when = { domain = "big-*" }
hugepages = {}

[[rule]]
name = "absurd"
when = { domain = "absurd" }
hugepages = { pages = 1000000 }
`;

function isOffered(sizeKib: number): boolean {
  try {
    return Deno.statSync(`/sys/kernel/mm/hugepages/hugepages-${sizeKib}kB`).isDirectory;
  } catch {
    return false;
  }
}

/** What the kernel counts of one size: all pages, and those that nobody uses. */
interface Counted {
  readonly all: number;
  readonly free: number;
}

async function count(node: Node, sizeKib: number): Promise<Counted> {
  const folder = `/sys/kernel/mm/hugepages/hugepages-${sizeKib}kB`;
  const [all, free] = (await node.sh(["cat", `${folder}/nr_hugepages`, `${folder}/free_hugepages`])).split("\n");
  return { all: Number(all), free: Number(free) };
}

const STAGE: NodeOptions = { hooks: ["qemu", "daemon"], rules: RULES };

function playOverlap({ sizeKib, name, pages }: (typeof SIZES)[number]): void {
  scene(`huge pages of ${name}: as many as the living guests take`, async ({ nodeWith, step }) => {
    const node = await nodeWith(`hugepages-${name.toLowerCase()}`, STAGE);
    const memoryMib = pages * sizeKib / 1024;
    const guest = (domain: string): string => qemuDomain(domain, { memoryMib, hugepagesKib: sizeKib });
    for (const domain of ["big-1", "big-2", "absurd"]) await define(node, "qemu", guest(domain));
    const before = await count(node, sizeKib);

    await step("one guest, then two: pages are made for each, and used by it", async () => {
      await node.mustVirsh(["start", "big-1"]);
      assertEquals(await count(node, sizeKib), { all: before.all + pages, free: before.free });
      await node.mustVirsh(["start", "big-2"]);
      assertEquals(await count(node, sizeKib), { all: before.all + 2 * pages, free: before.free });
    });
    await step("the first guest ends: its pages go, the second lives on", async () => {
      await node.mustVirsh(["destroy", "big-1"]);
      assertEquals(await count(node, sizeKib), { all: before.all + pages, free: before.free });
      assertEquals((await node.mustVirsh(["domstate", "big-2"])).trim(), "running");
    });
    await step("a guest that asks for more than there is does not start, and nothing else changes", async () => {
      const refused = await node.virshFails(["start", "absurd"]);
      assertMatch(refused.stderr, /rule "absurd": cannot hold .*not enough memory: \d+ MiB are needed, \d+ MiB are/);
      assertEquals(await count(node, sizeKib), { all: before.all + pages, free: before.free });
      assertEquals((await node.mustVirsh(["domstate", "big-2"])).trim(), "running");
    });
    await step("the last guest ends: what stood before stands again", async () => {
      await node.mustVirsh(["destroy", "big-2"]);
      assertEquals(await count(node, sizeKib), before);
      const failed = (await node.history()).filter((line) => line.exitCode !== 0);
      assertEquals(failed.map((line) => `${line.object} ${line.operation}`), ["absurd prepare"]);
    });
  });
}

for (const size of SIZES) {
  // A processor without pages of this size cannot show them.
  if (isOffered(size.sizeKib)) playOverlap(size);
}

const [{ sizeKib: SIZE_KIB, pages: PAGES }] = SIZES;

/** Waits at `prepare` of a guest, behind our hook, until it is let go; a minute at most. */
const SLOW_HOOK = `#!/bin/sh
[ "$2" = prepare ] || exit 0
touch /run/prepared
for _ in $(seq 600); do
  [ -e /run/let-go ] && exit 0
  sleep 0.1
done
exit 1
`;

scene("huge pages: libvirtd is killed while a guest is being prepared", async ({ nodeWith, step }) => {
  const node = await nodeWith("hugepages-killed", STAGE);
  await node.writeHook("qemu.d/90-slow", SLOW_HOOK);
  await define(node, "qemu", qemuDomain("big-1", { hugepagesKib: SIZE_KIB }));
  const before = await count(node, SIZE_KIB);
  const start = node.virsh(["start", "big-1"]);

  await step("its pages are there when libvirtd is killed, and nobody is told of the guest any more", async () => {
    await until("the guest's prepare", async () => (await node.run(["test", "-e", "/run/prepared"])).code === 0);
    await node.killLibvirtd();
    assert((await start).code !== 0, "virsh was told that the guest started");
    assertEquals(await count(node, SIZE_KIB), { all: before.all + PAGES, free: before.free + PAGES });
  });
  await step("the next libvirtd's start takes them back", async () => {
    await node.startLibvirtd();
    assertEquals(await count(node, SIZE_KIB), before);
    await node.sh(["touch", "/run/let-go"]);
  });
  await step("the guest can start, and end", async () => {
    await node.mustVirsh(["start", "big-1"]);
    assertEquals(await count(node, SIZE_KIB), { all: before.all + PAGES, free: before.free });
    await node.mustVirsh(["destroy", "big-1"]);
    assertEquals(await count(node, SIZE_KIB), before);
  });
});

scene(
  "huge pages: libvirtd is killed while guests live, and an administrator adds some",
  async ({ nodeWith, step }) => {
    const node = await nodeWith("hugepages-reconnect", STAGE);
    await define(node, "qemu", qemuDomain("big-1", { hugepagesKib: SIZE_KIB }));
    const before = await count(node, SIZE_KIB);
    const file = `/sys/kernel/mm/hugepages/hugepages-${SIZE_KIB}kB/nr_hugepages`;
    const set = async (pages: number): Promise<void> => void await node.sh(["sh", "-c", `echo ${pages} >${file}`]);
    await node.mustVirsh(["start", "big-1"]);
    try {
      await step("at reconnect the guest keeps its pages, and the administrator's stay", async () => {
        await set(before.all + PAGES + 4);
        await node.killLibvirtd();
        await node.startLibvirtd();
        await until("reconnect", async () => (await node.history()).some(({ operation }) => operation === "reconnect"));
        assertEquals(await count(node, SIZE_KIB), { all: before.all + PAGES + 4, free: before.free + 4 });
      });
      await step("when the guest ends, the administrator's are left", async () => {
        await node.mustVirsh(["destroy", "big-1"]);
        assertEquals(await count(node, SIZE_KIB), { all: before.all + 4, free: before.free + 4 });
      });
    } finally {
      await set(before.all);
    }
  },
);
