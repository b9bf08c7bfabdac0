import * as v from "valibot";
import { modulesSchema } from "../../lib/actions/modules.ts";
import { makeCall } from "../../lib/libvirt/call.ts";
import { drivers } from "../../lib/libvirt/drivers.ts";
import { parseInvocation } from "../../lib/libvirt/invocation.ts";
import { parseDocument } from "../../lib/xml/document.ts";
import { assertEquals, assertThrows } from "../support/assert.ts";

const RULE = { name: "gpu", while: "guest", namespaces: {} } as const;

Deno.test("modules: modules are unloaded before others are loaded, with the kernel's names", () => {
  const invocation = parseInvocation(drivers.qemu, ["web-1", "prepare", "begin", "-"]);
  const options = { host: "hv-01", document: new Uint8Array(), parse: parseDocument };
  const call = makeCall(invocation, drivers.qemu.operations.prepare, options);
  const plan = v.parse(modulesSchema(), { load: ["vfio-pci", "kvm"], unload: ["nouveau"] }).plan(RULE, call);
  assertEquals(plan.map((intent) => intent.kind === "hold" && [intent.action, intent.demand, intent.text]), [
    ["modules", { name: "nouveau", state: "unloaded" }, "module nouveau unloaded"],
    ["modules", { name: "vfio_pci", state: "loaded" }, "module vfio_pci loaded"],
    ["modules", { name: "kvm", state: "loaded" }, "module kvm loaded"],
  ]);
});

for (
  const { config, expected } of [
    { config: {}, expected: "at least one module" },
    { config: { load: [] }, expected: "at least one module" },
    { config: { load: ["vfio-pci"], unload: ["vfio_pci"] }, expected: "not in both" },
    { config: { load: ["vfio-pci", "vfio_pci"] }, expected: "each module once" },
    { config: { load: ["--remove"] }, expected: "a module's name" },
    { config: { load: ["/lib/modules/x.ko"] }, expected: "a module's name" },
    { config: { load: ["vfio-pci ids=1"] }, expected: "a module's name" },
    { config: { load: "vfio-pci" }, expected: "a list of modules' names" },
    { config: { options: [] }, expected: "one of the keys" },
  ]
) {
  Deno.test(`modules: ${JSON.stringify(config)} is refused`, () => {
    assertThrows(() => v.parse(modulesSchema(), config), v.ValiError, expected);
  });
}
