import * as v from "valibot";
import { hugepagesSchema } from "../../lib/actions/hugepages.ts";
import { type HookCall, makeCall } from "../../lib/libvirt/call.ts";
import { drivers } from "../../lib/libvirt/drivers.ts";
import { parseInvocation } from "../../lib/libvirt/invocation.ts";
import type { Intent } from "../../lib/plan/intent.ts";
import { renderIntent } from "../../lib/plan/render.ts";
import { parseDocument } from "../../lib/xml/document.ts";
import { assertEquals } from "../support/assert.ts";

const RULE = { name: "large", while: "guest", namespaces: {} } as const;

function prepare(xml: string): HookCall {
  const invocation = parseInvocation(drivers.qemu, ["web-1", "prepare", "begin", "-"]);
  const document = new TextEncoder().encode(`<domain type='kvm'><name>web-1</name>${xml}</domain>`);
  return makeCall(invocation, drivers.qemu.operations.prepare, { host: "hv-01", document, parse: parseDocument });
}

const GIB_2 = "<memory unit='GiB'>2</memory>";
const CELLS = `<cpu><numa><cell id='0' cpus='0' memory='1' unit='GiB'/><cell id='1' cpus='1' memory='512' unit='MiB'/>
  </numa></cpu>`;
const NODES =
  `<numatune><memory mode='strict' nodeset='0-1'/><memnode cellid='0' mode='strict' nodeset='1'/></numatune>`;

function backing(pages = ""): string {
  return `<memoryBacking><hugepages>${pages}</hugepages></memoryBacking>`;
}

interface Case {
  readonly name: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly xml: string;
  /** The plan as `explain` shows it. */
  readonly plan: readonly string[];
}

const ENDING = ", until the guest is gone; a failure fails the call";

const PLANNED: readonly Case[] = [
  {
    name: "nothing said: what the guest takes, in pages of the host's default size",
    config: {},
    xml: GIB_2 + backing(),
    plan: ["hold  huge pages of the default size: 2048 MiB"],
  },
  {
    name: "nothing said: in the pages that the guest names",
    config: {},
    xml: GIB_2 + backing("<page size='1' unit='GiB'/>"),
    plan: ["hold  huge pages of 1G: 2048 MiB"],
  },
  {
    name: "pages of two sizes are two holds",
    config: {},
    xml: CELLS + backing("<page size='1' unit='GiB' nodeset='0'/><page size='2' unit='MiB' nodeset='1'/>"),
    plan: ["hold  huge pages of 1G: 1024 MiB", "hold  huge pages of 2M: 512 MiB"],
  },
  {
    name: "a size is said: only that part",
    config: { size: "2M" },
    xml: CELLS + backing("<page size='1' unit='GiB' nodeset='0'/><page size='2' unit='MiB' nodeset='1'/>"),
    plan: ["hold  huge pages of 2M: 512 MiB"],
  },
  {
    name: "a size is said, the guest names none",
    config: { size: "2048K" },
    xml: GIB_2 + backing(),
    plan: ["hold  huge pages of 2M: 2048 MiB"],
  },
  {
    name: "the guest asks for none: all its memory, by its cells and their nodes",
    config: { size: "1G" },
    xml: CELLS + NODES,
    plan: ["hold  huge pages of 1G: 1024 MiB on node 1 and 512 MiB on nodes 0, 1"],
  },
  {
    name: "the guest asks for none: its memory modules too, but not those that are files",
    config: {},
    xml: `<memory unit='GiB'>5</memory><devices>
      <memory model='dimm'><target><size unit='GiB'>1</size></target></memory>
      <memory model='nvdimm'><target><size unit='GiB'>2</size></target></memory></devices>`,
    plan: ["hold  huge pages of the default size: 2048 MiB and 1024 MiB"],
  },
  {
    name: "cells of ordinary memory count for nothing",
    config: {},
    xml: CELLS + backing("<page size='4' unit='KiB' nodeset='0'/><page size='2' unit='MiB' nodeset='1'/>"),
    plan: ["hold  huge pages of 2M: 512 MiB"],
  },
  {
    name: "a number is said",
    config: { pages: 1 },
    xml: GIB_2 + backing("<page size='1' unit='GiB'/>"),
    plan: ["hold  huge pages of 1G: 1 page"],
  },
  {
    name: "a number is said, and the guest its nodes",
    config: { size: "default", pages: 512 },
    xml: GIB_2 + NODES,
    plan: ["hold  huge pages of the default size: 512 pages on nodes 0, 1"],
  },
];
for (const { name, config, xml, plan } of PLANNED) {
  Deno.test(`hugepages: ${name}`, () => {
    const intents: readonly Intent[] = v.parse(hugepagesSchema(), config).plan(RULE, prepare(xml));
    assertEquals(intents.map(renderIntent), plan.map((line) => `${line}${ENDING}`));
    assertEquals(intents.every((intent) => intent.kind === "hold" && intent.lifetime === "domain"), true);
  });
}

Deno.test("hugepages: an unknown amount is a fault", () => {
  for (
    const { config, xml, message } of [
      {
        config: { size: "1G" },
        xml: GIB_2 + backing("<page size='2' unit='MiB'/>"),
        message: "the guest takes huge pages of 2M, and the rule gives 1G",
      },
      {
        config: {},
        xml: backing(),
        message: "the guest's XML does not say how much memory it takes, or says 8 PiB or more",
      },
      {
        config: {},
        xml: "<memory unit='PiB'>8</memory>" + backing(),
        message: "the guest's XML does not say how much memory it takes, or says 8 PiB or more",
      },
    ]
  ) {
    const plan = v.parse(hugepagesSchema(), config).plan(RULE, prepare(xml));
    assertEquals(plan, [{ kind: "fault", rule: "large", action: "hugepages", message, onError: "fail" }]);
  }
});

Deno.test("hugepages: on_error sets what a failure means", () => {
  const [intent] = v.parse(hugepagesSchema(), { on_error: "continue" }).plan(RULE, prepare(GIB_2));
  assertEquals(intent?.kind === "hold" && intent.onError, "continue");
});

const REFUSED = [
  { size: "2MB" },
  { size: "0M" },
  { size: "2m" },
  { size: 2048 },
  { pages: 0 },
  { pages: 1.5 },
  { pages: 2 ** 31 },
  { nodes: [0] },
  "2M",
];
for (const config of REFUSED) {
  Deno.test(`hugepages: ${JSON.stringify(config)} is refused`, () => {
    assertEquals(v.safeParse(hugepagesSchema(), config).success, false);
  });
}

Deno.test("hugepages: only for a guest's lifetime, and not on Xen", async () => {
  const action = v.parse(hugepagesSchema(), {});
  const hookPoint = { operation: "prepare", facts: drivers.libxl.operations.prepare, budgetMs: 1000 };
  const found = async (life: "guest" | "network", driver: "libxl" | "qemu"): Promise<readonly string[]> =>
    (await action.findProblems({ ...RULE, while: life }, [{ ...hookPoint, driver: drivers[driver] }])).map((one) =>
      one.found
    );
  assertEquals(await found("guest", "qemu"), []);
  assertEquals(await found("guest", "libxl"), ["hugepages of libxl"]);
  assertEquals(await found("network", "qemu"), ["hugepages in a rule for a network"]);
});
