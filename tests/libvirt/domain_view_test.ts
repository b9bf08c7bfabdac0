import { documentKind } from "../../lib/libvirt/document_kind.ts";
import {
  domainDescription,
  domainEmulator,
  domainId,
  domainName,
  domainSeclabels,
  domainTitle,
  domainType,
  domainUuid,
} from "../../lib/libvirt/domain.ts";
import { parseDocument } from "../../lib/xml/document.ts";
import type { XmlElement } from "../../lib/xml/tree.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { fixtureNames, readFixture } from "../xml/fixtures.ts";
import { capturedDomain, domainOf } from "./documents.ts";

const KINDS = [
  { name: "a guest", text: "<domain/>", want: "domain" },
  { name: "what a network's hook gets", text: "<hookData/>", want: "hookData" },
  { name: "a bare network", text: "<network/>", want: "other" },
  { name: "a domain in a namespace of somebody else", text: "<domain xmlns='urn:x'/>", want: "other" },
];
for (const { name, text, want } of KINDS) {
  Deno.test(`documentKind() knows ${name}`, () => assertEquals(documentKind(parseDocument(text)).kind, want));
}

Deno.test("documentKind() knows every captured document", () => {
  for (const name of fixtureNames()) {
    const { kind } = documentKind(parseDocument(readFixture(name)));
    assertEquals(kind, name.startsWith("network") ? "hookData" : "domain", name);
  }
});

const IDENTITIES = [
  { capture: "qemu-prepare.xml", name: "vm1", type: "qemu", hasId: true },
  { capture: "qemu-started.xml", name: "vm1", type: "qemu", hasId: true },
  { capture: "qemu-release.xml", name: "vm1", type: "qemu", hasId: false },
  { capture: "qemu-migrate.xml", name: "vm1", type: "qemu", hasId: false },
  { capture: "qemu-restore.xml", name: "vm1", type: "qemu", hasId: false },
  { capture: "qemu-started-bigvm.xml", name: "bigvm", type: "qemu", hasId: true },
  { capture: "lxc-prepare.xml", name: "ct3", type: "lxc", hasId: false },
  { capture: "lxc-started.xml", name: "ct3", type: "lxc", hasId: true },
];
for (const { capture, name, type, hasId } of IDENTITIES) {
  Deno.test(`the domain view tells who ${capture} is about`, () => {
    const domain = capturedDomain(capture);
    assertEquals(domainName(domain), name);
    assertEquals(domainType(domain), type);
    assertEquals(domainId(domain) !== undefined, hasId);
    assert(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(domainUuid(domain) ?? ""), "a UUID");
  });
}

Deno.test("domainTitle() and domainDescription() decode what is escaped", () => {
  const domain = capturedDomain("qemu-started.xml");
  assertEquals(domainTitle(domain), 'A & "B" é — ünï');
  assertEquals(domainDescription(domain), "line1\nline2 <tag>");
});

Deno.test("domainEmulator() tells the program that runs the guest", () => {
  assertEquals(domainEmulator(capturedDomain("lxc-started.xml")), "/usr/lib/libvirt/libvirt_lxc");
});

const UUIDS = [
  { text: " D3C3C9AF-114d-457e-bc37-d1a15d65c92f\n", want: "d3c3c9af-114d-457e-bc37-d1a15d65c92f" },
  { text: "d3c3c9af114d457ebc37d1a15d65c92f", want: "d3c3c9af-114d-457e-bc37-d1a15d65c92f" },
  { text: "d3c3c9af 114d457ebc37--d1a15d65c92f", want: "d3c3c9af-114d-457e-bc37-d1a15d65c92f" },
  { text: "d3c3c9af-114d-457e-bc37-d1a15d65c92", want: undefined },
  { text: "d3c3c9af-114d-457e-bc37-d1a15d65c92f0", want: undefined },
  { text: "none", want: undefined },
  { text: "", want: undefined },
];
for (const { text, want } of UUIDS) {
  Deno.test(`domainUuid() reads ${JSON.stringify(text)} as libvirt does`, () => {
    assertEquals(domainUuid(domainOf(`<uuid>${text}</uuid>`)), want);
  });
}

Deno.test("domainSeclabels() tells the labels while the guest runs, and the model after it", () => {
  const labelled = { baseLabel: undefined, imageLabel: "+0:+0", label: "+0:+0", model: "dac", relabel: true };
  assertEquals(domainSeclabels(capturedDomain("qemu-started.xml")), [{ type: "dynamic", ...labelled }]);
  const bare = { baseLabel: undefined, imageLabel: undefined, label: undefined, model: "dac", relabel: true };
  assertEquals(domainSeclabels(capturedDomain("qemu-release.xml")), [{ type: "dynamic", ...bare }]);
  assertEquals(domainSeclabels(capturedDomain("qemu-migrate.xml")), []);
});

Deno.test("domainSeclabels() tells one for each security driver", () => {
  const domain = domainOf(
    "<seclabel type='none' model='selinux'/>" +
      "<seclabel type='static' model='dac' relabel='no'><label>107:107</label></seclabel>",
  );
  const models = domainSeclabels(domain).map(({ type, model, relabel, label }) => [type, model, relabel, label]);
  assertEquals(models, [["none", "selinux", undefined, undefined], ["static", "dac", false, "107:107"]]);
});

Deno.test("the domain view tells nothing of an empty guest, and does not fail", () => {
  const views: readonly ((domain: XmlElement) => unknown)[] = [
    domainName,
    domainUuid,
    domainTitle,
    domainDescription,
    domainType,
    domainId,
    domainEmulator,
  ];
  const domain = parseDocument("<domain/>").root;
  for (const view of views) assertEquals(view(domain), undefined, view.name);
  assertEquals(domainSeclabels(domain), []);
});

Deno.test("the domain view does not take elements of other namespaces for libvirt's", () => {
  const domain = domainOf("<x:name xmlns:x='urn:x'>other</x:name><name>mine</name>");
  assertEquals(domainName(domain), "mine");
});
