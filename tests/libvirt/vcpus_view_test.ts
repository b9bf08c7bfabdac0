import { parseCpuSet } from "../../lib/libvirt/cpu_set.ts";
import { domainVcpus, emulatorCpus, iothreadCount, iothreadPins, vcpuPins } from "../../lib/libvirt/vcpus.ts";
import { parseDocument } from "../../lib/xml/document.ts";
import { assertEquals } from "../support/assert.ts";
import { capturedDomain, domainOf, LIBXL_DOMAIN } from "./documents.ts";

const SETS = [
  { text: "0", want: [0] },
  { text: "0-3,^2,8", want: [0, 1, 3, 8] },
  { text: " 4 , 1 - 2 ", want: [1, 2, 4] },
  { text: "^2,0-3", want: [0, 1, 2, 3] },
  { text: "3,3,3", want: [3] },
  { text: "16383", want: [16383] },
  { text: "16384", want: undefined },
  { text: "0-4294967295", want: undefined },
  { text: "3-1", want: undefined },
  { text: "1,^1", want: undefined },
  { text: "1,", want: [1] },
  { text: "^1-2", want: undefined },
  { text: "a", want: undefined },
  { text: "", want: undefined },
  { text: undefined, want: undefined },
  { text: "1,".repeat(20_000) + "1", want: undefined },
];
for (const { text, want } of SETS) {
  Deno.test(`parseCpuSet() reads ${JSON.stringify(text)?.slice(0, 20)}`, () => assertEquals(parseCpuSet(text), want));
}

Deno.test("domainVcpus() reads real guests", () => {
  const { count, current, placement, hostCpus } = domainVcpus(capturedDomain("qemu-started-bigvm.xml")) ?? {};
  assertEquals([count, current, placement, hostCpus], [4, 2, "static", undefined]);
});

Deno.test("domainVcpus() tells the CPUs of a guest of libxl", () => {
  const want = { count: 2, current: 2, placement: "static" as const, hostCpus: [0, 1, 3] };
  assertEquals(domainVcpus(parseDocument(LIBXL_DOMAIN).root), want);
});

Deno.test("domainVcpus() ignores the CPUs where numad is to choose", () => {
  const domain = domainOf("<vcpu placement='auto' cpuset='0-3'>4</vcpu>");
  assertEquals(domainVcpus(domain), { count: 4, current: 4, placement: "auto", hostCpus: undefined });
});

Deno.test("domainVcpus() is one without the element, and not known when it says nonsense", () => {
  assertEquals(domainVcpus(domainOf(""))?.count, 1);
  assertEquals(domainVcpus(domainOf("<vcpu>many</vcpu>")), undefined);
  assertEquals(domainVcpus(domainOf("<vcpu>2 </vcpu>")), undefined);
  assertEquals(domainVcpus(domainOf("<vcpu>\n+2</vcpu>"))?.count, 2);
});

const PINNED = `<iothreads>2</iothreads><cputune>
  <vcpupin vcpu='0' cpuset='2-3'/>
  <vcpupin vcpu='1' cpuset='4,^5'/>
  <vcpupin vcpu='2' cpuset='nonsense'/>
  <vcpupin cpuset='1'/>
  <emulatorpin cpuset='0-1'/>
  <iothreadpin iothread='1' cpuset='6'/>
</cputune>`;

Deno.test("vcpuPins(), emulatorCpus() and iothreadPins() tell what is pinned", () => {
  const domain = domainOf(PINNED);
  assertEquals(vcpuPins(domain), [{ id: 0, hostCpus: [2, 3] }, { id: 1, hostCpus: [4] }]);
  assertEquals(emulatorCpus(domain), [0, 1]);
  assertEquals(iothreadPins(domain), [{ id: 1, hostCpus: [6] }]);
  assertEquals(iothreadCount(domain), 2);
});

Deno.test("a guest that pins nothing has no pins", () => {
  const domain = capturedDomain("qemu-started.xml");
  assertEquals([vcpuPins(domain), iothreadPins(domain)], [[], []]);
  assertEquals([emulatorCpus(domain), iothreadCount(domain)], [undefined, 0]);
});
