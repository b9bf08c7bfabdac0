import { parseCpuSet } from "../../lib/libvirt/cpu_set.ts";
import { hugepageDemands, wholeMemory } from "../../lib/libvirt/hugepages.ts";
import { currentMemoryBytes, memoryBytes, memoryModules, scaledBytes } from "../../lib/libvirt/memory.ts";
import { numaBinding, numaCells } from "../../lib/libvirt/numa.ts";
import type { XmlElement } from "../../lib/xml/tree.ts";
import { assertEquals } from "../support/assert.ts";
import { capturedDomain, domainOf } from "./documents.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;

const SIZES = [
  { text: "65536", unit: undefined, want: 64 * MIB },
  { text: " \n2", unit: "GiB", want: 2 * GIB },
  { text: "2 ", unit: "GiB", want: undefined },
  { text: "+5", unit: "KiB", want: 5 * KIB },
  { text: " +5", unit: "KiB", want: 5 * KIB },
  { text: "+ 5", unit: "KiB", want: undefined },
  { text: "++5", unit: "KiB", want: undefined },
  { text: "+", unit: "KiB", want: undefined },
  { text: "\u00a05", unit: "KiB", want: undefined },
  { text: "007", unit: "KiB", want: 7 * KIB },
  { text: "9007199254740991", unit: "b", want: Number.MAX_SAFE_INTEGER },
  { text: "9007199254740992", unit: "b", want: undefined },
  { text: "9007199254740993", unit: "b", want: undefined },
  { text: "8796093022207", unit: "KiB", want: 2 ** 53 - KIB },
  { text: "8796093022208", unit: "KiB", want: undefined },
  { text: "1", unit: "b", want: 1 },
  { text: "1", unit: "byte", want: 1 },
  { text: "1", unit: "Bytes", want: 1 },
  { text: "1", unit: "k", want: KIB },
  { text: "1", unit: "K", want: KIB },
  { text: "1", unit: "KB", want: 1000 },
  { text: "1", unit: "kib", want: KIB },
  { text: "3", unit: "M", want: 3 * MIB },
  { text: "3", unit: "MB", want: 3_000_000 },
  { text: "3", unit: "MiB", want: 3 * MIB },
  { text: "2", unit: "T", want: 2 * 1024 * GIB },
  { text: "2", unit: "TB", want: 2e12 },
  { text: "1", unit: "PiB", want: 1024 ** 5 },
  { text: "0", unit: "EiB", want: 0 },
  { text: "1", unit: "EiB", want: undefined },
  { text: "abc", unit: "KiB", want: undefined },
  { text: "-1", unit: "KiB", want: undefined },
  { text: "1.5", unit: "GiB", want: undefined },
  { text: "1e3", unit: "KiB", want: undefined },
  { text: "", unit: "KiB", want: undefined },
  { text: "1", unit: "Kb/s", want: undefined },
  { text: "1", unit: "iB", want: undefined },
  { text: undefined, unit: "KiB", want: undefined },
];
for (const { text, unit, want } of SIZES) {
  Deno.test(`scaledBytes() of ${JSON.stringify(text)} ${unit ?? "without a unit"} is ${want}`, () => {
    assertEquals(scaledBytes(text, unit), want);
  });
}

Deno.test("memoryBytes() and currentMemoryBytes() read real guests", () => {
  assertEquals(memoryBytes(capturedDomain("qemu-started.xml")), 64 * MIB);
  assertEquals(currentMemoryBytes(capturedDomain("qemu-started-bigvm.xml")), 256 * MIB);
});

Deno.test("currentMemoryBytes() is all memory when the guest says nothing else", () => {
  assertEquals(currentMemoryBytes(domainOf("<memory unit='GiB'>2</memory>")), 2 * GIB);
  assertEquals(
    currentMemoryBytes(domainOf("<memory unit='GiB'>2</memory><currentMemory unit='GiB'>1</currentMemory>")),
    GIB,
  );
});

Deno.test("memoryBytes() rounds up to whole KiB", () => {
  assertEquals(memoryBytes(domainOf("<memory unit='b'>1025</memory>")), 2 * KIB);
});

Deno.test("memoryBytes() is not known for a guest that says nonsense or nothing", () => {
  assertEquals(memoryBytes(domainOf("<memory>abc</memory>")), undefined);
  assertEquals(memoryBytes(domainOf("")), undefined);
});

const MODULE =
  "<devices><memory model='dimm'><target><size unit='MiB'>512</size><node>0</node></target></memory></devices>";
const NO_MEMORY = [
  { xml: "<cpu><numa><cell memory='1025' unit='b'/></numa></cpu>", want: 2 * KIB },
  { xml: "<memory>0</memory><cpu><numa><cell memory='+1025'/></numa></cpu>", want: 1025 * KIB },
  { xml: `<cpu><numa><cell memory='1048576'/><cell memory='1' unit='GiB'/></numa></cpu>${MODULE}`, want: 2.5 * GIB },
  { xml: `<memory unit='GiB'>4</memory><cpu><numa><cell memory='1'/></numa></cpu>${MODULE}`, want: 4 * GIB },
  { xml: "<cpu><numa><cell memory='1'/><cell memory='x'/></numa></cpu>", want: undefined },
  { xml: "<cpu><numa><cell memory='4' unit='PiB'/><cell memory='4' unit='PiB'/></numa></cpu>", want: undefined },
  { xml: `<memory>abc</memory><cpu><numa><cell memory='1'/></numa></cpu>`, want: undefined },
  { xml: MODULE, want: undefined },
  { xml: "<memory>0</memory>", want: undefined },
];
for (const { xml, want } of NO_MEMORY) {
  Deno.test(`memoryBytes() of ${xml} is ${want}`, () => {
    assertEquals([memoryBytes(domainOf(xml)), currentMemoryBytes(domainOf(xml))], [want, want]);
  });
}

const CELLS = `<cpu><numa>
  <cell id='0' cpus='0-1' memory='1' unit='GiB'/>
  <cell id='1' cpus='2,3' memory='524288'/>
</numa></cpu>`;

Deno.test("numaCells() tells CPUs and memory of each cell", () => {
  assertEquals(numaCells(domainOf(CELLS)), [
    { id: 0, vcpus: [0, 1], memoryBytes: GIB },
    { id: 1, vcpus: [2, 3], memoryBytes: 512 * MIB },
  ]);
});

Deno.test("numaCells() numbers cells without an id, and takes cells without CPUs", () => {
  assertEquals(numaCells(domainOf("<cpu><numa><cell memory='1024'/><cell memory='x'/></numa></cpu>")), [
    { id: 0, vcpus: [], memoryBytes: MIB },
    { id: 1, vcpus: [], memoryBytes: undefined },
  ]);
});

Deno.test("numaBinding() prefers what is said of the cell", () => {
  const numatune = "<numatune><memory mode='preferred' nodeset='0'/>" +
    "<memnode cellid='+1' mode='strict' nodeset='2-3'/><memnode cellid='7' mode='strict' nodeset='2'/></numatune>";
  const domain = domainOf(numatune + CELLS);
  assertEquals(numaBinding(domain, 1), { mode: "strict", hostNodes: [2, 3] });
  // A cell that the guest does not have has no memory.
  assertEquals(numaBinding(domain, 7), { mode: "preferred", hostNodes: [0] });
  assertEquals(numaBinding(domainOf(numatune), 1), { mode: "preferred", hostNodes: [0] });
  assertEquals(
    numaBinding(domainOf("<numatune><memnode cellid='0' mode='strict' nodeset='1'/></numatune>"), 0),
    undefined,
  );
  assertEquals(numaBinding(domain, 0), { mode: "preferred", hostNodes: [0] });
  assertEquals(numaBinding(domain, undefined), { mode: "preferred", hostNodes: [0] });
});

Deno.test("numaBinding() is open when libvirt chooses, or nobody says", () => {
  assertEquals(numaBinding(domainOf("<numatune><memory mode='strict' placement='auto'/></numatune>"), 0), undefined);
  assertEquals(numaBinding(domainOf(""), 0), undefined);
});

function hugepages(pages: string): string {
  return `<memory unit='GiB'>2</memory><memoryBacking><hugepages>${pages}</hugepages></memoryBacking>`;
}

const HUGEPAGES = [
  { name: "none without <hugepages>", xml: `<memory unit='GiB'>2</memory>${CELLS}`, want: [] },
  { name: "the host's size without <page>", xml: hugepages(""), want: [[undefined, undefined, 2 * GIB]] },
  {
    name: "one size for all",
    xml: hugepages("<page size='1' unit='G'/>"),
    want: [[undefined, GIB, 2 * GIB]],
  },
  {
    name: "a size in KiB without a unit",
    xml: hugepages("<page size='2048'/>"),
    want: [[undefined, 2 * MIB, 2 * GIB]],
  },
  {
    name: "nodeset 0 as all of a guest without cells",
    xml: hugepages("<page size='2048' nodeset='0'/>"),
    want: [[undefined, 2 * MIB, 2 * GIB]],
  },
  {
    name: "the host's size for each cell",
    xml: hugepages("") + CELLS,
    want: [[0, undefined, GIB], [1, undefined, 512 * MIB]],
  },
  {
    name: "a size for one cell, another for the rest",
    xml: hugepages("<page size='2' unit='M'/><page size='1' unit='G' nodeset='0'/>") + CELLS,
    want: [[0, GIB, GIB], [1, 2 * MIB, 512 * MIB]],
  },
  {
    name: "ordinary memory for cells that no page names",
    xml: hugepages("<page size='1' unit='G' nodeset='0'/>") + CELLS,
    want: [[0, GIB, GIB]],
  },
  {
    name: "an unknown need where the guest's memory cannot be read",
    xml: "<memory>lots</memory><memoryBacking><hugepages/></memoryBacking>",
    want: [[undefined, undefined, undefined]],
  },
];
for (const { name, xml, want } of HUGEPAGES) {
  Deno.test(`hugepageDemands() tells ${name}`, () => {
    const got = hugepageDemands(domainOf(xml)).map((
      { cell, pageBytes, memoryBytes },
    ) => [cell, pageBytes, memoryBytes]);
    assertEquals(got, want);
  });
}

const DIMM = `<devices>
  <memory model='dimm'>
    <source><pagesize unit='KiB'>2048</pagesize><nodemask>1-3</nodemask></source>
    <target><size unit='MiB'>512</size><node>0</node></target>
  </memory>
  <memory model='nvdimm'><target><size unit='MiB'>512</size><node>1</node></target></memory>
</devices>`;

Deno.test("hugepageDemands() counts memory modules, with nodes of their own", () => {
  const numatune = "<numatune><memory mode='preferred' nodeset='0'/></numatune>";
  assertEquals(hugepageDemands(domainOf(hugepages("<page size='1' unit='G'/>") + CELLS + numatune + DIMM)), [
    { cell: 0, pageBytes: GIB, memoryBytes: GIB, binding: { mode: "preferred", hostNodes: [0] } },
    { cell: 1, pageBytes: GIB, memoryBytes: 512 * MIB, binding: { mode: "preferred", hostNodes: [0] } },
    { cell: 0, pageBytes: 2 * MIB, memoryBytes: 512 * MIB, binding: { mode: "preferred", hostNodes: [1, 2, 3] } },
  ]);
});

Deno.test("hugepageDemands() does not count the memory of modules twice", () => {
  const [first] = hugepageDemands(domainOf(hugepages("") + DIMM));
  assertEquals(first?.memoryBytes, GIB);
});

Deno.test("memoryModules() tells model, size and cell", () => {
  const modules = memoryModules(domainOf(DIMM)).map(({ model, sizeBytes, cell }) => [model, sizeBytes, cell]);
  assertEquals(modules, [["dimm", 512 * MIB, 0], ["nvdimm", 512 * MIB, 1]]);
  assertEquals(memoryModules(capturedDomain("qemu-started.xml")), []);
});

/** A guest with one cell and a module that is given 64 MiB of 2 GiB. */
function withVirtioMem(
  { backing = "", source = "" }: { readonly backing?: string; readonly source?: string },
): XmlElement {
  return domainOf(`<memory unit='MiB'>3072</memory>${backing}
    <cpu><numa><cell id='0' cpus='0-1' memory='1024' unit='MiB'/></numa></cpu>
    <devices><memory model='virtio-mem'>${source}<target><size unit='MiB'>2048</size><node>0</node>
    <block unit='MiB'>2</block><requested unit='MiB'>64</requested></target></memory></devices>`);
}

Deno.test("hugepageDemands() counts what a virtio-mem module begins with, alone where only it has a page size", () => {
  const source = "<source><nodemask>1</nodemask><pagesize unit='KiB'>2048</pagesize></source>";
  const module = { cell: 0, memoryBytes: 64 * MIB, pageBytes: 2 * MIB, binding: { mode: "strict", hostNodes: [1] } };
  assertEquals(hugepageDemands(withVirtioMem({ source })), [module]);
  const backing = "<memoryBacking><hugepages/></memoryBacking>";
  assertEquals(hugepageDemands(withVirtioMem({ backing })), [
    { cell: 0, memoryBytes: 1024 * MIB, pageBytes: undefined, binding: undefined },
    { cell: 0, memoryBytes: 64 * MIB, pageBytes: undefined, binding: undefined },
  ]);
});

Deno.test("wholeMemory() takes a module from the nodes of its nodemask", () => {
  const source = "<source><nodemask>1</nodemask></source>";
  assertEquals(wholeMemory(withVirtioMem({ source })).map(({ memoryBytes, binding }) => [memoryBytes, binding]), [
    [1024 * MIB, undefined],
    [64 * MIB, { mode: "strict", hostNodes: [1] }],
  ]);
});

const CPU_SETS = [
  { text: "0,1,", want: [0, 1] },
  { text: "1-+3", want: [1, 2, 3] },
  { text: "0,1,^ 1", want: undefined },
  { text: "0,,1", want: undefined },
  { text: ",", want: undefined },
];
for (const { text, want } of CPU_SETS) {
  Deno.test(`parseCpuSet() reads ${text} as libvirt does`, () => assertEquals(parseCpuSet(text), want));
}

Deno.test("numaBinding() tells no nodes where libvirt chooses them", () => {
  const domain = domainOf("<numatune><memory placement='auto' nodeset='0'/></numatune>");
  assertEquals(numaBinding(domain, undefined), undefined);
});

Deno.test("currentMemoryBytes() is all of the memory for 0, and never more", () => {
  for (const { text, want } of [{ text: "0", want: 4 }, { text: "9", want: 4 }, { text: "3", want: 3 }]) {
    const domain = domainOf(`<memory>4</memory><currentMemory>${text}</currentMemory>`);
    assertEquals(currentMemoryBytes(domain), want * 1024);
  }
});
