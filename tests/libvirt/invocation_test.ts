import { drivers } from "../../lib/libvirt/drivers.ts";
import { InvocationError, parseInvocation } from "../../lib/libvirt/invocation.ts";
import { assertEquals, assertThrows } from "../support/assert.ts";

const REFUSED = [
  { name: "no arguments", args: [] },
  { name: "three arguments", args: ["web1", "prepare", "begin"] },
  { name: "five arguments", args: ["web1", "prepare", "begin", "-", "-"] },
];

for (const { name, args } of REFUSED) {
  Deno.test(`parseInvocation() refuses ${name}`, () => {
    assertThrows(
      () => parseInvocation(drivers.qemu, args),
      InvocationError,
      `Cannot read the hook call as it must have 4 arguments: got ${args.length}`,
    );
  });
}

const NAMES = ["--version", "-", " ", "a b", "..x", "$(id)", "x".repeat(200), "gäst-ü-客", "", "constructor"];

for (const object of NAMES) {
  Deno.test(`parseInvocation() takes ${JSON.stringify(object.slice(0, 20))} for a guest's name`, () => {
    const invocation = parseInvocation(drivers.qemu, [object, "prepare", "begin", "-"]);
    assertEquals(invocation.object, object);
    assertEquals(invocation.facts, drivers.qemu.operations.prepare);
  });
}

const RENAMED = [
  { given: "plugged", operation: "port-created" },
  { given: "unplugged", operation: "port-deleted" },
  { given: "started", operation: "started" },
];

for (const { given, operation } of RENAMED) {
  Deno.test(`parseInvocation() calls the network's ${given} ${operation}`, () => {
    assertEquals(parseInvocation(drivers.network, ["default", given, "begin", "-"]).operation, operation);
  });
}

for (const operation of ["hibernate", "constructor", "__proto__", "toString", "plugged"]) {
  Deno.test(`parseInvocation() knows nothing of the operation ${operation} of qemu`, () => {
    const invocation = parseInvocation(drivers.qemu, ["web1", operation, "begin", "-"]);
    assertEquals([invocation.operation, invocation.facts], [operation, undefined]);
  });
}
