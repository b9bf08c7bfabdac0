import * as v from "valibot";
import { pciSchema } from "../../lib/actions/pci.ts";
import { type HookCall, makeCall } from "../../lib/libvirt/call.ts";
import { drivers } from "../../lib/libvirt/drivers.ts";
import { parseInvocation } from "../../lib/libvirt/invocation.ts";
import { allHookPoints } from "../../lib/rules/hook_points.ts";
import { NO_RULES } from "../../lib/rules/rule.ts";
import { parseDocument } from "../../lib/xml/document.ts";
import { assertEquals, assertThrows } from "../support/assert.ts";
import { UUID } from "../support/ledger_host.ts";
import { hostdevXml } from "../support/pci_tree.ts";

const RULE = { name: "gpu", while: "guest", namespaces: {} } as const;
const [GPU, AUDIO] = ["0000:01:00.0", "0000:01:00.1"] as const;

function prepare(devices: string, driver: "qemu" | "libxl" = "qemu"): HookCall {
  const invocation = parseInvocation(drivers[driver], ["web-1", "prepare", "begin", "-"]);
  const document = new TextEncoder().encode(`<domain><name>web-1</name><uuid>${UUID}</uuid>${devices}</domain>`);
  return makeCall(invocation, drivers[driver].operations.prepare, { host: "hv-01", document, parse: parseDocument });
}

interface Case {
  readonly name: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly xml?: string;
  readonly driver?: "libxl";
  readonly texts: string[];
}

const PLANNED: readonly Case[] = [
  {
    name: "all devices of the XML",
    config: { devices: "hostdev" },
    xml: hostdevXml([GPU, AUDIO]),
    texts: [
      "PCI device 0000:01:00.0 with vfio-pci (refused while it is in use)",
      "PCI device 0000:01:00.1 with vfio-pci (refused while it is in use)",
    ],
  },
  {
    name: "what libvirt manages is left to it, also where the rule names it",
    config: { devices: ["01:00.0"], holders: "wait" },
    xml: hostdevXml([GPU], "yes"),
    texts: ["PCI device 0000:01:00.0 free for libvirt, which manages it (once it is unused)"],
  },
  {
    name: "addresses as people write them",
    config: { devices: ["01:00.0", "0000:0A:1F.7", "10000:e1:00.0"], driver: "my_vfio_pci" },
    texts: [
      "PCI device 0000:01:00.0 with my_vfio_pci (refused while it is in use)",
      "PCI device 0000:0a:1f.7 with my_vfio_pci (refused while it is in use)",
      "PCI device 10000:e1:00.0 with my_vfio_pci (refused while it is in use)",
    ],
  },
  {
    name: "consoles go where users are ended",
    config: { devices: "hostdev", holders: "stop" },
    xml: hostdevXml([GPU, AUDIO], "yes"),
    texts: [
      "no text console on 0000:01:00.0, 0000:01:00.1",
      "PCI device 0000:01:00.0 free for libvirt, which manages it (programs that use it are ended)",
      "PCI device 0000:01:00.1 free for libvirt, which manages it (programs that use it are ended)",
    ],
  },
  {
    name: "Xen has a driver of its own",
    config: { devices: "hostdev" },
    xml: hostdevXml([GPU]),
    driver: "libxl",
    texts: ["PCI device 0000:01:00.0 with pciback (refused while it is in use)"],
  },
  { name: "a guest without devices", config: { devices: "hostdev", holders: "stop" }, texts: [] },
];
for (const { name, config, xml = "", driver, texts } of PLANNED) {
  Deno.test(`pci: ${name}`, () => {
    const plan = v.parse(pciSchema(), config).plan(RULE, prepare(xml, driver));
    assertEquals(plan.map((intent) => intent.kind === "hold" && intent.text), texts);
  });
}

Deno.test("pci: demands name the guest and all devices of the action", () => {
  const plan = v.parse(pciSchema(), { devices: "hostdev", holders: "stop", timeout: "3s" }).plan(
    RULE,
    prepare(hostdevXml([GPU, AUDIO])),
  );
  const together = [GPU, AUDIO];
  const rest = { timeoutMs: 3000, managed: false, guest: UUID, together };
  const common = { driver: "vfio-pci", holders: "stop" as const, ...rest };
  assertEquals(plan.map((intent) => intent.kind === "hold" && intent.demand), [
    { devices: together, framebuffers: [], terminals: false },
    { address: GPU, ...common },
    { address: AUDIO, ...common },
  ]);
});

for (
  const { config, expected } of [
    { config: {}, expected: 'the key "devices"' },
    { config: { devices: "all" }, expected: '"hostdev", or a list' },
    { config: { devices: [] }, expected: "at least one address" },
    { config: { devices: ["1:0.0"] }, expected: "a PCI address" },
    { config: { devices: ["0000:01:20.0"] }, expected: "a PCI address" },
    { config: { devices: ["0000:01:00.8"] }, expected: "a PCI address" },
    { config: { devices: ["01:00.0", "0000:01:00.0"] }, expected: "each device once" },
    { config: { devices: "hostdev", driver: "../x" }, expected: "the name of a driver" },
    { config: { devices: "hostdev", holders: "kill" }, expected: '"fail", "wait" or "stop"' },
    { config: { devices: "hostdev", force: true }, expected: "one of the keys" },
  ]
) {
  Deno.test(`pci: ${JSON.stringify(config)} is refused`, () => {
    const result = v.safeParse(pciSchema(), config);
    const messages = (result.issues ?? []).map(({ message, expected: key }) => `${message} the key ${key}`).join();
    assertEquals([result.success, messages.includes(expected)], [false, true], messages);
  });
}

Deno.test("pci: a timeout without waiting, or longer than any call, is refused", async () => {
  const hookPoints = allHookPoints(NO_RULES.settings);
  for (
    const { config, expected } of [
      { config: { devices: "hostdev", timeout: "5s" }, expected: 'no timeout, or holders = "wait" or "stop"' },
      { config: { devices: "hostdev", holders: "wait", timeout: "2m" }, expected: "60 s at most" },
    ]
  ) {
    const [problem] = await v.parse(pciSchema(), config).findProblems(RULE, hookPoints);
    assertEquals([problem?.path, problem?.expected.startsWith(expected)], [["timeout"], true]);
  }
  const fitting = v.parse(pciSchema(), { devices: "hostdev", holders: "stop", timeout: "5s" });
  assertEquals(await fitting.findProblems(RULE, hookPoints), []);
  assertEquals((await fitting.findProblems({ ...RULE, while: "network" }, hookPoints)).length, 1);
});

Deno.test("pci: a document without a UUID cannot be planned for", () => {
  const invocation = parseInvocation(drivers.qemu, ["web-1", "prepare", "begin", "-"]);
  const options = { host: "hv-01", document: new TextEncoder().encode("<domain/>"), parse: parseDocument };
  const call = makeCall(invocation, drivers.qemu.operations.prepare, options);
  const [intent] = v.parse(pciSchema(), { devices: "hostdev" }).plan(RULE, call);
  assertEquals(intent?.kind === "fault" && intent.message, "the document on stdin has no UUID");
  assertThrows(() => v.parse(pciSchema(), "hostdev"), v.ValiError, "a table with devices");
});
