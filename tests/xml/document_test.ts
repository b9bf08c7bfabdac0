import { parseDocument, parseFragment } from "../../lib/xml/document.ts";
import { XmlSyntaxError } from "../../lib/xml/syntax_error.ts";
import {
  getAttribute,
  isNamespaceDeclaration,
  type Span,
  textContent,
  type XmlDocument,
  type XmlElement,
} from "../../lib/xml/tree.ts";
import { assert, assertEquals, assertThrows } from "../support/assert.ts";
import { fixtureNames, readFixture } from "./fixtures.ts";
import { leafSpans } from "./spans.ts";

function cut({ text }: XmlDocument, { start, end }: Span): string {
  return text.slice(start, end);
}

function firstChild(element: XmlElement): XmlElement {
  const child = element.children.find((node) => node.type === "element");
  assert(child !== undefined);
  return child;
}

for (const name of fixtureNames()) {
  Deno.test(`parseDocument() loses no byte of ${name}`, () => {
    const bytes = readFixture(name);
    const document = parseDocument(bytes);
    assertEquals(new TextEncoder().encode(document.text), bytes);
    let at = 0;
    for (const span of leafSpans(document)) {
      assert(span.start >= at, `what stands at ${span.start} overlaps what ends at ${at}`);
      assert(/^\s*$/.test(document.text.slice(at, span.start)), `the text from ${at} to ${span.start} is in no node`);
      at = span.end;
    }
    assert(/^\s*$/.test(document.text.slice(at)));
  });
}

Deno.test("parseDocument() knows the place of everything", () => {
  const text =
    `<?xml version="1.0" encoding='UTF-8' standalone="no"?>\r\n<!--c--><a  x = "1&amp;2" p:y='z' xmlns:p="u">` +
    `t&#x41;\r\n<![CDATA[<c>]]><?go on?><b  /></a >\n<?end?>`;
  const document = parseDocument(text);
  const { root, declaration, outside } = document;
  assertEquals(declaration && { ...declaration, span: cut(document, declaration.span) }, {
    type: "declaration",
    version: "1.0",
    encoding: "UTF-8",
    standalone: "no",
    line: 1,
    column: 1,
    offset: 0,
    span: `<?xml version="1.0" encoding='UTF-8' standalone="no"?>`,
  });
  assertEquals(outside.map(({ span }) => cut(document, span)), ["<!--c-->", "<?end?>"]);
  assertEquals(cut(document, root.startTag), `<a  x = "1&amp;2" p:y='z' xmlns:p="u">`);
  assertEquals(root.endTag && cut(document, root.endTag), "</a >");
  assertEquals(
    root.attributeNodes.map(({ name, value, span, valueSpan, parent }) => {
      return [name, value, ...[span, valueSpan].map((part) => cut(document, part)), parent === root];
    }),
    [
      [{ raw: "x", local: "x" }, "1&2", `x = "1&amp;2"`, "1&amp;2", true],
      [{ raw: "p:y", local: "y", prefix: "p", uri: "u" }, "z", "p:y='z'", "z", true],
      [{ raw: "xmlns:p", local: "p", prefix: "xmlns" }, "u", `xmlns:p="u"`, "u", true],
    ],
  );
  assertEquals({ ...root.attributes }, { "x": "1&2", "p:y": "z", "xmlns:p": "u" });
  assertEquals(
    root.children.map((node) => [node.type, textContent(node), cut(document, node.span), node.parent === root]),
    [
      ["text", "tA\n", "t&#x41;\r\n", true],
      ["cdata", "<c>", "<![CDATA[<c>]]>", true],
      ["element", "", "<b  />", true],
    ],
  );
  assertEquals(root.processingInstructions.map(({ target, content, span }) => [target, content, cut(document, span)]), [
    ["go", "on", "<?go on?>"],
  ]);
  assertEquals(firstChild(root).endTag, null);
});

Deno.test("parseDocument() keeps a byte order mark and counts no column for it", () => {
  const bytes = new TextEncoder().encode("\uFEFF<a>é<b x=''/></a>");
  const document = parseDocument(bytes);
  assertEquals(new TextEncoder().encode(document.text), bytes);
  assertEquals(cut(document, firstChild(document.root).span), "<b x=''/>");
  const error = assertThrows(() => parseDocument("\uFEFF<a"), XmlSyntaxError);
  assertEquals([error.line, error.column, error.offset], [1, 3, 3]);
});

const VALUES = [
  { name: "character references", xml: `<a x="&#65;&#x1F600;&#10;">&#x26;&#60;</a>`, attribute: "A😀\n", text: "&<" },
  { name: "the five entities", xml: `<a x="&lt;&quot;&apos;">&amp;&gt;</a>`, attribute: `<"'`, text: "&>" },
  { name: "an entity written twice over", xml: `<a x="&amp;lt;">&amp;amp;</a>`, attribute: "&lt;", text: "&amp;" },
  {
    name: "line ends",
    xml: "<a x='1\r\n2\r3\n4\t5'>1\r\n2\r3\n4\t5</a>",
    attribute: "1 2 3 4 5",
    text: "1\n2\n3\n4\t5",
  },
  {
    name: "line ends in CDATA and comments",
    xml: "<a x=''><![CDATA[1\r\n]]><!--\r-->2</a>",
    attribute: "",
    text: "1\n2",
  },
  { name: "an attribute called __proto__", xml: "<a __proto__='1' x='2'>t</a>", attribute: "2", text: "t" },
];
for (const { name, xml, attribute, text } of VALUES) {
  Deno.test(`parseDocument() decodes ${name}`, () => {
    const { root } = parseDocument(xml);
    assertEquals([getAttribute(root, "x"), getAttribute(root, "constructor"), textContent(root)], [
      attribute,
      null,
      text,
    ]);
  });
}

Deno.test("parseDocument() resolves namespaces, default ones too", () => {
  const xml =
    `<a xmlns="d" xmlns:p="1"><p:b q="" p:r="" xml:lang="en"/><c xmlns="" xmlns:p="2"><p:d/></c><p:e/><f/></a>`;
  const names = new Map<string, string | undefined>();
  const open: XmlElement[] = [parseDocument(xml).root];
  for (let element = open.pop(); element !== undefined; element = open.pop()) {
    names.set(element.name.raw, element.name.uri);
    for (const { name } of element.attributeNodes) names.set(`@${name.raw}`, name.uri);
    open.push(...element.children.filter((child) => child.type === "element"));
  }
  assertEquals(Object.fromEntries(names), {
    "a": "d",
    "@xmlns": undefined,
    "@xmlns:p": undefined,
    "f": "d",
    "p:e": "1",
    "c": undefined,
    "p:d": "2",
    "p:b": "1",
    "@q": undefined,
    "@p:r": "1",
    "@xml:lang": "http://www.w3.org/XML/1998/namespace",
  });
});

Deno.test("parseDocument() reads names that break the rules of namespaces as libxml2 does", () => {
  const { root } = parseDocument(
    "<a xmlns:p='1' xmlns:q='1' xmlns:y='' xmlns:xml='2' xmlns:xmlns='3' xmlns:z='http://www.w3.org/2000/xmlns/'" +
      " p:r='' q:r='' u:r='' y:s='' z:t='' p:v:w='' u:v:w='' :x='' x:=''>" +
      "<u:b/><p:c:d/><u:c:d/><:e/><f:/><g:1/><h::i/><xmlns:j/><p:k:/><l\uFEFF/><?a:b c?></a>",
  );
  const names = [
    ...root.attributeNodes.filter((attribute) => !isNamespaceDeclaration(attribute)),
    ...root.children.filter((child) => child.type === "element"),
  ].map(({ name: { prefix, local, uri } }) => [prefix, local, uri].map((part) => part ?? "").join(" "));
  assertEquals(names, [
    ...["p r 1", "q r 1", " u:r ", " y:s ", " z:t ", "p v:w 1", " u:v:w ", " :x ", " x: "],
    ...[" u:b ", "p c:d 1", " u:c:d ", " :e ", " f: ", " g:1 ", " h::i ", " xmlns:j ", "p k: 1", " l\uFEFF "],
  ]);
  assertEquals(root.processingInstructions.map(({ target }) => target), ["a:b"]);
});

for (const encoding of ["utf-8", "UTF8", "US-ASCII", "ascii"]) {
  Deno.test(`parseDocument() reads a document that is declared to be in ${encoding}`, () => {
    assertEquals(parseDocument(`<?xml version='1.0' encoding='${encoding}'?><a/>`).root.name.raw, "a");
  });
}

const REFUSED = [
  { xml: "", says: "it has no root element", at: [1, 1] },
  { xml: "<!-- c -->\n", says: "it has no root element", at: [2, 1] },
  { xml: "text", says: "there is text outside the root element", at: [1, 1] },
  { xml: "<a/>\n x", says: "there is text outside the root element", at: [2, 2] },
  { xml: "<a/><![CDATA[x]]>", says: "there is text outside the root element", at: [1, 5] },
  { xml: "<a/>&amp;", says: "there is text outside the root element", at: [1, 5] },
  { xml: "<a/><b/>", says: "there is a second root element", at: [1, 5] },
  { xml: "<a>\r\n<b>\r</a>", says: 'the element "b" is closed by "</a"', at: [3, 1] },
  { xml: "<a><b></a></b>", says: 'the element "b" is closed by "</a"', at: [1, 7] },
  { xml: "<a></ab>", says: 'the element "a" is closed by "</ab"', at: [1, 4] },
  { xml: "<a><b></b>", says: 'the element "a" is not closed', at: [1, 1] },
  { xml: "</a>", says: "an end tag closes no element", at: [1, 1] },
  { xml: "<a", says: 'the tag "<a" has no end', at: [1, 3] },
  { xml: "<a x='1'", says: 'the tag "<a" has no end', at: [1, 9] },
  { xml: "<a x=1/>", says: 'the value of the attribute "x" is not quoted', at: [1, 6] },
  { xml: "<a x/>", says: 'the attribute "x" has no value', at: [1, 4] },
  { xml: "<a x='1/>", says: 'the value of the attribute "x" has no end', at: [1, 4] },
  { xml: "<a x='<'/>", says: 'a "<" in the value of "x" must be written "&lt;"', at: [1, 7] },
  { xml: "<a x='1'y='2'/>", says: 'white space is missing before "y"', at: [1, 9] },
  { xml: "<a x='1' x='2'/>", says: 'the attribute "x" stands twice in one tag', at: [1, 10] },
  { xml: "<a / >", says: 'the tag "<a" cannot hold "/" here', at: [1, 4] },
  { xml: "<1/>", says: '"1" is not a name for an element', at: [1, 2] },
  { xml: "<a:b:1/>", says: '"a:b:1" is not a name for an element', at: [1, 2] },
  { xml: "<a\u00A0b/>", says: '"a\u00A0b" is not a name for an element', at: [1, 2] },
  { xml: "<a é😀='' -x=''/>", says: '"-x" is not a name for an attribute', at: [1, 11] },
  { xml: "<a>1 < 2</a>", says: 'a "<" begins no tag and must be written "&lt;"', at: [1, 6] },
  { xml: "<a>&nope;</a>", says: 'the entity "&nope;" is not defined', at: [1, 4] },
  { xml: "<a x='\n&nope;'/>", says: 'the entity "&nope;" is not defined', at: [2, 1] },
  { xml: "<a>R&D</a>", says: 'an "&" begins no entity and must be written "&amp;"', at: [1, 5] },
  { xml: "<a>&#0;</a>", says: '"&#0;" stands for a character that XML does not allow', at: [1, 4] },
  { xml: "<a>&#xD800;</a>", says: '"&#xD800;" stands for a character that XML does not allow', at: [1, 4] },
  { xml: "<a>]]></a>", says: '"]]>" in a text must be written "]]&gt;"', at: [1, 4] },
  { xml: "<a><![CDATA[</a>", says: "a CDATA section has no end", at: [1, 4] },
  { xml: "<a><!-- -- --></a>", says: 'there is "--" in a comment', at: [1, 9] },
  { xml: "<a><!-- ", says: "a comment has no end", at: [1, 4] },
  { xml: "<a><!ELEMENT a></a>", says: 'a "<!" begins neither a comment nor a CDATA section', at: [1, 4] },
  { xml: "<a><?p ", says: "a processing instruction has no end", at: [1, 4] },
  { xml: "<a><? p?></a>", says: "a processing instruction has no proper name", at: [1, 4] },
  { xml: " <?xml version='1.0'?><a/>", says: "an XML declaration stands elsewhere than at the very start", at: [1, 2] },
  { xml: "<?xml encoding='UTF-8'?><a/>", says: "its XML declaration is not well-formed", at: [1, 1] },
  {
    xml: "<?xml version='1.0' encoding='ISO-8859-1'?><a/>",
    says: 'it is declared to be in "ISO-8859-1", and only UTF-8 is read',
    at: [1, 1],
  },
  {
    xml: "<?xml version='1.0' encoding='us-ascii'?>\n<aé/>",
    says: 'it is declared to be in "us-ascii" and holds other characters',
    at: [2, 3],
  },
  { xml: "<!DOCTYPE a><a/>", says: "it has a document type (<!DOCTYPE …>), which is not read", at: [1, 1] },
  { xml: "<a>\0</a>", says: "it holds the character U+0000, which XML does not allow", at: [1, 4] },
  { xml: "<a>\n\uFFFF</a>", says: "it holds the character U+FFFF, which XML does not allow", at: [2, 1] },
  { xml: "<a>\uD800</a>", says: "it holds the character U+D800, which XML does not allow", at: [1, 4] },
];
for (const { xml, says, at: [line, column] } of REFUSED) {
  Deno.test(`parseDocument() refuses ${JSON.stringify(xml)}`, () => {
    const error = assertThrows(() => parseDocument(xml), XmlSyntaxError);
    assertEquals(error.message, `Cannot parse the XML: ${says} at line ${line}, column ${column}`);
    assertEquals([error.line, error.column], [line, column]);
  });
}

const TOO_MUCH = [
  {
    name: "bytes",
    limits: { bytes: 8 },
    good: "<aé\n/>\n",
    bad: "<aé\n/>\n\n",
    says: "it is longer than 8 bytes",
    at: [3, 1],
  },
  {
    name: "depth",
    limits: { depth: 2 },
    good: "<a><b/><b/></a>",
    bad: "<a><b><c/></b></a>",
    says: "it is nested deeper than 2 elements",
    at: [1, 7],
  },
  {
    name: "attributes in all",
    limits: { attributes: 1 },
    good: "<a x=''/>",
    bad: "<a x=''><b y=''/></a>",
    says: "it has more than 1 attributes in all",
    at: [1, 12],
  },
  {
    name: "nodes",
    limits: { nodes: 2 },
    good: "<a>t</a>",
    bad: "<a>t<!----></a>",
    says: "it has more than 2 elements, texts and comments",
    at: [1, 5],
  },
];
for (const { name, limits, good, bad, says, at: [line, column] } of TOO_MUCH) {
  Deno.test(`parseDocument() limits the ${name}`, () => {
    parseDocument(good, limits);
    parseDocument(new TextEncoder().encode(good), limits);
    for (const input of [bad, new TextEncoder().encode(bad)]) {
      const error = assertThrows(() => parseDocument(input, limits), XmlSyntaxError);
      assertEquals(error.message, `Cannot parse the XML: ${says} at line ${line}, column ${column}`);
    }
  });
}

Deno.test("parseDocument() says where bytes are not UTF-8", () => {
  const bytes = new TextEncoder().encode("<a>\né!</a>");
  bytes[6] = 0xFF;
  const error = assertThrows(() => parseDocument(bytes), XmlSyntaxError);
  assertEquals(error.message, "Cannot parse the XML: it is not UTF-8 at line 2, column 2");
  assertEquals(error.offset, 5);
  assertThrows(() => parseDocument(new TextEncoder().encode("<a>é").subarray(0, 4)), XmlSyntaxError, "it is not UTF-8");
});

Deno.test("parseFragment() reads what may stand in an element, in the namespaces there", () => {
  const namespaces = (prefix: string): string | undefined => ({ "": "d", p: "u" })[prefix];
  const { nodes } = parseFragment("t<p:a/><b/><![CDATA[c]]>", namespaces);
  assertEquals(nodes.map((node) => node.type === "element" ? node.name.uri : node.text), ["t", "u", "d", "c"]);
  assertThrows(() => parseFragment("<a/></b><b>", namespaces), XmlSyntaxError, "an end tag closes no element");
  assertThrows(() => parseFragment("<a>", namespaces), XmlSyntaxError, 'the element "a" is not closed');
  assertThrows(() => parseFragment("<q:a/>", namespaces), XmlSyntaxError, 'the prefix "q" of "q:a"');
  assertThrows(() => parseFragment("<?xml version='1.0'?>", namespaces), XmlSyntaxError, "an XML declaration stands");
});
