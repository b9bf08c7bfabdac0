import { labels, labelValues } from "../../lib/libvirt/labels.ts";
import { libvirtNamespaces } from "../../lib/libvirt/namespaces.ts";
import { parseDocument } from "../../lib/xml/document.ts";
import { parsePath } from "../../lib/xml/path_parser.ts";
import { select } from "../../lib/xml/select.ts";
import { assertEquals } from "../support/assert.ts";
import { capturedDomain, domainOf, LIBXL_DOMAIN } from "./documents.ts";

const LABELLED = `<metadata>
  <b:labels xmlns:b="urn:b"><b:label name="role">not ours</b:label></b:labels>
  <any:labels xmlns:any="urn:virt-hooks:1">
    <any:label name="role"> gaming </any:label>
    <any:label name="tenant"><![CDATA[a & b]]><!-- no part of it --></any:label>
    <any:label name="role">build</any:label>
    <any:label>nameless</any:label>
    <any:label name="empty"/>
    <label xmlns="urn:virt-hooks:1" name="default">namespace</label>
    <label name="role">in no namespace</label>
  </any:labels>
</metadata>`;

Deno.test("labels() tells all labels of ours in order, whatever the prefix", () => {
  assertEquals(labels(domainOf(LABELLED)).map(({ name, value }) => [name, value]), [
    ["role", "gaming"],
    ["tenant", "a & b"],
    ["role", "build"],
    ["empty", ""],
    ["default", "namespace"],
  ]);
});

Deno.test("labels() tells the element of each label", () => {
  const document = parseDocument(`<domain>${LABELLED}</domain>`);
  const [first] = labels(document.root);
  assertEquals(
    document.text.slice(first?.element.span.start, first?.element.span.end),
    '<any:label name="role"> gaming </any:label>',
  );
});

Deno.test("labelValues() tells all values of a name", () => {
  assertEquals(
    [...labelValues(domainOf(LABELLED))],
    [["role", ["gaming", "build"]], ["tenant", ["a & b"]], ["empty", [""]], ["default", ["namespace"]]],
  );
});

Deno.test("labels() reads guests of libxl and networks", () => {
  const [label] = labels(parseDocument(LIBXL_DOMAIN).root);
  assertEquals([label?.name, label?.value], ["role", "router"]);
  assertEquals(labels(parseDocument(`<network>${LABELLED}</network>`).root).length, 5);
});

Deno.test("labels() tells none where there are none", () => {
  assertEquals(labels(capturedDomain("qemu-started.xml")), []);
  assertEquals(labels(domainOf("")), []);
  assertEquals([...labelValues(domainOf("<metadata/>"))], []);
});

Deno.test("labels() takes nothing from outside the metadata", () => {
  assertEquals(labels(domainOf(LABELLED.replaceAll("metadata", "description"))), []);
});

Deno.test("libvirtNamespaces are the ones that documents declare", () => {
  const document = parseDocument(LIBXL_DOMAIN);
  const [label] = select(parsePath("/domain/metadata/vh:labels/vh:label", libvirtNamespaces), document);
  assertEquals(label?.type, "element");
  assertEquals(select(parsePath("//xen:arg", libvirtNamespaces), document).length, 2);
  const qemu = parseDocument(LIBXL_DOMAIN.replaceAll("domain/xen", "domain/qemu"));
  assertEquals(select(parsePath("//qemu:arg", libvirtNamespaces), qemu).length, 2);
});
