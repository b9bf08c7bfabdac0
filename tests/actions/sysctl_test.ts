import * as v from "valibot";
import { sysctlSchema } from "../../lib/actions/sysctl.ts";
import { makeCall } from "../../lib/libvirt/call.ts";
import { drivers } from "../../lib/libvirt/drivers.ts";
import { parseInvocation } from "../../lib/libvirt/invocation.ts";
import { parseDocument } from "../../lib/xml/document.ts";
import { assertEquals, assertThrows } from "../support/assert.ts";

const RULE = { name: "r", while: "guest", namespaces: {} } as const;

for (
  const { key, value, want } of [
    { key: "vm.swappiness", value: 1, want: { name: "vm/swappiness", value: "1" } },
    { key: "net.ipv4.ip_forward", value: true, want: { name: "net/ipv4/ip_forward", value: "1" } },
    {
      key: "net.ipv4.conf.eth0/100.forwarding",
      value: false,
      want: { name: "net/ipv4/conf/eth0.100/forwarding", value: "0" },
    },
    {
      key: "net/ipv4/conf/eth0.100/forwarding",
      value: "0",
      want: { name: "net/ipv4/conf/eth0.100/forwarding", value: "0" },
    },
  ]
) {
  Deno.test(`sysctl: ${key} = ${value} is ${want.name} = ${want.value}`, () => {
    const invocation = parseInvocation(drivers.qemu, ["web-1", "prepare", "begin", "-"]);
    const options = { host: "hv-01", document: new Uint8Array(), parse: parseDocument };
    const call = makeCall(invocation, drivers.qemu.operations.prepare, options);
    const plan = v.parse(sysctlSchema(), { [key]: value }).plan(RULE, call);
    assertEquals(plan.map((intent) => intent.kind === "hold" && intent.demand), [want]);
  });
}

const KEY = 'a key such as "vm.swappiness"';
const PROGRAM = "the value of this one is a program";

for (
  const { key, expected } of [
    { key: "/proc/sys/vm/swappiness", expected: KEY },
    { key: "vm/../kernel/hostname", expected: KEY },
    { key: "vm..swappiness", expected: KEY },
    { key: "../vm/swappiness", expected: KEY },
    { key: "net.ipv4.conf.*.rp_filter", expected: KEY },
    { key: "-vm.swappiness", expected: KEY },
    { key: "swappiness", expected: KEY },
    { key: "kernel.core_pattern", expected: PROGRAM },
    { key: "kernel/core_pattern", expected: PROGRAM },
    { key: "kernel.modprobe", expected: PROGRAM },
    { key: "kernel.hotplug", expected: PROGRAM },
    { key: "kernel.poweroff_cmd", expected: PROGRAM },
    { key: "fs.binfmt_misc.register", expected: PROGRAM },
  ]
) {
  Deno.test(`sysctl: the key ${key} is refused when read`, () => {
    assertThrows(() => v.parse(sysctlSchema(), { [key]: "1" }), v.ValiError, expected);
  });
}
