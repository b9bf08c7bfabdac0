import { parseDocument } from "../../lib/xml/document.ts";
import { editDocument } from "../../lib/xml/edit.ts";
import { assertEquals } from "../support/assert.ts";
import { insert, regex, remove, replace, set } from "./edits.ts";

const EDITED = [
  { name: "an attribute", xml: `<a x = '1' y="2"/>`, edits: [set("/a/@x", "3")], want: `<a x = '3' y="2"/>` },
  {
    name: "quotes in an attribute",
    xml: `<a x='' y=""/>`,
    edits: [set("/a/@*", `'"<&>\t\n`)],
    want: `<a x='&apos;"&lt;&amp;>&#9;&#10;' y="'&quot;&lt;&amp;>&#9;&#10;"/>`,
  },
  {
    name: "a value that is there already, written otherwise",
    xml: "<a x='&#65;'>&#x42;<![CDATA[C]]></a>",
    edits: [set("/a/@x", "A"), set("/a", "BC")],
    want: "<a x='&#65;'>&#x42;<![CDATA[C]]></a>",
  },
  {
    name: "an element",
    xml: "<a>old</a>",
    edits: [set("/a", "<n&w>\r\n]]>")],
    want: "<a>&lt;n&amp;w&gt;&#13;\n]]&gt;</a>",
  },
  { name: "an element of one tag", xml: "<a x='1' />", edits: [set("/a", "n")], want: "<a x='1' >n</a>" },
  { name: "an empty element", xml: "<a></a>", edits: [set("/a", "n")], want: "<a>n</a>" },
  { name: "an element to nothing", xml: "<a>old</a>", edits: [set("/a", "")], want: "<a></a>" },
  { name: "an element of one tag to nothing", xml: "<a/>", edits: [set("/a", "")], want: "<a/>" },
  {
    name: "an element around a comment",
    xml: "<a>o<!--c-->l<?p?>d</a>",
    edits: [set("/a", "n")],
    want: "<a>n<!--c--><?p?></a>",
  },
  { name: "a CDATA section", xml: "<a><![CDATA[<o>]]></a>", edits: [set("/a", "<n>")], want: "<a><![CDATA[<n>]]></a>" },
  {
    name: "a CDATA section to what it cannot hold",
    xml: "<a><![CDATA[o]]></a>",
    edits: [set("/a", "]]>\r")],
    want: "<a><![CDATA[]]]]><![CDATA[>]]>&#13;<![CDATA[]]></a>",
  },
  {
    name: "texts one by one",
    xml: "<a>o<b/><![CDATA[o]]></a>",
    edits: [set("/a/text()", "&")],
    want: "<a>&amp;<b/><![CDATA[&]]></a>",
  },
  {
    name: "whatever the path selects",
    xml: "<a><b x='1'/><b/><b x='2'/></a>",
    edits: [set("//@x", "3")],
    want: "<a><b x='3'/><b/><b x='3'/></a>",
  },
  {
    name: "nothing if nothing is selected",
    xml: "<a/>",
    edits: [set("//b", "n"), remove("//b"), insert("last", "//b", "<c/>"), replace("//@x", "1", "2")],
    want: "<a/>",
  },
  {
    name: "text and keeps references beside it",
    xml: "<a x='&#47;s/a&amp;b'>&lt;s/a&gt;</a>",
    edits: [replace("/a/@x", "s/a", "s/<'"), replace("/a", "s/a", "s/<")],
    want: "<a x='&#47;s/&lt;&apos;&amp;b'>&lt;s/&lt;&gt;</a>",
  },
  {
    name: "text that is a reference",
    xml: "<a>1&amp;2&#38;3</a>",
    edits: [replace("/a", "&", "+")],
    want: "<a>1+2+3</a>",
  },
  {
    name: "text that begins in a reference",
    xml: "<a>x&amp;y z</a>",
    edits: [replace("/a", "&y", "!")],
    want: "<a>x! z</a>",
  },
  { name: "every occurrence", xml: "<a>aaaa</a>", edits: [replace("/a", "aa", "b")], want: "<a>bb</a>" },
  { name: "text over a line end", xml: "<a>1\r\n2</a>", edits: [replace("/a", "1\n", "0")], want: "<a>02</a>" },
  {
    name: "text before a line end",
    xml: "<a x='1\r\n2'>1\r\n2</a>",
    edits: [replace("/a", "1", "0"), replace("/a/@x", "1 ", "0")],
    want: "<a x='02'>0\r\n2</a>",
  },
  {
    name: "text in CDATA",
    xml: "<a>&lt;b<![CDATA[<b&>]]></a>",
    edits: [replace("/a", "<b", "<c>")],
    want: "<a>&lt;c&gt;<![CDATA[<c>&>]]></a>",
  },
  {
    name: "text from one section to the next",
    xml: "<a>fo<![CDATA[ob]]>ar</a>",
    edits: [replace("/a", "oobar", "x")],
    want: "<a>fx<![CDATA[]]></a>",
  },
  {
    name: "text so that CDATA would end",
    xml: "<a><![CDATA[]]x]]></a>",
    edits: [replace("/a", "x", ">")],
    want: "<a><![CDATA[]]]]><![CDATA[>]]></a>",
  },
  {
    name: "text so that CDATA would seem to continue",
    xml: "<a><![CDATA[]]x<![CDATA[]]></a>",
    edits: [replace("/a", "x", ">")],
    want: "<a><![CDATA[]]]]><![CDATA[><![CDATA[]]></a>",
  },
  {
    name: "text in CDATA sections that touch",
    xml: "<a><![CDATA[]]]]><![CDATA[> s/a]]></a>",
    edits: [replace("/a", "s/a", "s/b")],
    want: "<a><![CDATA[]]]]><![CDATA[> s/b]]></a>",
  },
  {
    name: "text so that a text would hold ]]>",
    xml: "<a>]]x></a>",
    edits: [replace("/a", "x", "")],
    want: "<a>]]&gt;</a>",
  },
  {
    name: "text so that CR and LF would become one line end",
    xml: "<a>1\rx</a>",
    edits: [replace("/a", "x", "\n")],
    want: "<a>1\r&#10;</a>",
  },
  {
    name: "text so that CR and LF in CDATA would become one line end",
    xml: "<a><![CDATA[1\rx]]></a>",
    edits: [replace("/a", "x", "\n")],
    want: "<a><![CDATA[1\n\n]]></a>",
  },
  {
    name: "characters of two units",
    xml: "<a x='😀é'>😀&#x1F601;</a>",
    edits: [replace("/a/@x", "é", "e"), replace("/a", "😁", "!")],
    want: "<a x='😀e'>😀!</a>",
  },
  { name: "text by the same text", xml: "<a>&#65;</a>", edits: [replace("/a", "A", "A")], want: "<a>&#65;</a>" },
  {
    name: "by an expression with groups",
    xml: "<a x='/srv/a/vm-12.img'/>",
    edits: [regex("/a/@x", "^/srv/([a-z])/(?:vm)-(\\d+)", "/$$$1/$2&$&")],
    want: "<a x='/$a/12&amp;/srv/a/vm-12.img'/>",
  },
  {
    name: "by an expression that matches a place",
    xml: "<a x='b&amp;' y=''/>",
    edits: [regex("/a/@*", "^", "/mnt/")],
    want: "<a x='/mnt/b&amp;' y='/mnt/'/>",
  },
  {
    name: "by an expression that matches the end",
    xml: "<a>b&amp;<![CDATA[c]]></a>",
    edits: [regex("/a", "$", ".d")],
    want: "<a>b&amp;<![CDATA[c.d]]></a>",
  },
];
for (const { name, xml, edits, want } of EDITED) {
  Deno.test(`editDocument(): ${name}`, () => {
    const result = editDocument(parseDocument(xml), edits);
    assertEquals(result, want);
    parseDocument(result);
  });
}
