import { parseDocument } from "../../lib/xml/document.ts";
import { editDocument } from "../../lib/xml/edit.ts";
import { assertEquals } from "../support/assert.ts";
import { insert, remove, set } from "./edits.ts";

const EDITED = [
  {
    name: "removes an element with its lines",
    xml: "<a>\n  <b>\n  </b>\t\n  <c/>\n</a>",
    edits: [remove("/a/b")],
    want: "<a>\n  <c/>\n</a>",
  },
  {
    name: "removes lines that end in CR LF",
    xml: "<a>\r\n  <b/>\r\n  <c/>\r\n</a>",
    edits: [remove("/a/c")],
    want: "<a>\r\n  <b/>\r\n</a>",
  },
  {
    name: "removes neighbours",
    xml: "<a>\n  <b/>\n  <b/>\n  <c/>\n</a>",
    edits: [remove("/a/b")],
    want: "<a>\n  <c/>\n</a>",
  },
  { name: "removes all there is", xml: "<a>\n  <b/>\n</a>", edits: [remove("/a/*")], want: "<a>\n</a>" },
  {
    name: "removes an element amid others on its line",
    xml: "<a>\n  <b/><c/> t\n</a>",
    edits: [remove("/a/b")],
    want: "<a>\n  <c/> t\n</a>",
  },
  { name: "removes an element between texts", xml: "<a>1 <b/> 2</a>", edits: [remove("/a/b")], want: "<a>1  2</a>" },
  {
    name: "removes an attribute with the space before it",
    xml: "<a x='1'\n   y='2'  />",
    edits: [remove("/a/@y")],
    want: "<a x='1'  />",
  },
  { name: "removes all attributes", xml: "<a x='1' y='2'/>", edits: [remove("/a/@*")], want: "<a/>" },
  { name: "removes texts", xml: "<a>1<b/><![CDATA[2]]></a>", edits: [remove("/a/text()")], want: "<a><b/></a>" },
  { name: "removes an element with those in it", xml: "<a><b><b/></b></a>", edits: [remove("//b")], want: "<a></a>" },
  {
    name: "removes what kept ]] and > apart",
    xml: "<a>]]<b/>> ]<b/>]></a>",
    edits: [remove("//b")],
    want: "<a>]]&gt; ]]&gt;</a>",
  },
  {
    name: "removes two neighbours that kept ]] and > apart",
    xml: "<a>]]<b/><c/>></a>",
    edits: [remove("//b"), remove("//c")],
    want: "<a>]]&gt;</a>",
  },
  {
    name: "inserts what makes ]]> with what is there",
    xml: "<a>]]<b/>></a>",
    edits: [insert("before", "/a/b", "> ]"), insert("after", "/a/b", "]]"), insert("last", "/a", "]>")],
    want: "<a>]]&gt; ]<b/>]]&gt;]></a>",
  },
  {
    name: "inserts first and last, on lines of their own",
    xml: "<a>\n  <b/>\n  <!--c-->\n</a>",
    edits: [insert("first", "/a", "<f/>"), insert("last", "/a", "<l/>")],
    want: "<a>\n  <f/>\n  <b/>\n  <!--c-->\n  <l/>\n</a>",
  },
  {
    name: "inserts before and after, on lines of their own",
    xml: "<a>\r\n\t<b/>\r\n</a>",
    edits: [insert("before", "/a/b", "<f/>"), insert("after", "/a/b", "<l/>")],
    want: "<a>\r\n\t<f/>\r\n\t<b/>\r\n\t<l/>\r\n</a>",
  },
  {
    name: "inserts where all is on one line",
    xml: "<a><b/></a>",
    edits: [
      insert("first", "/a", "1"),
      insert("before", "/a/b", "2"),
      insert("after", "/a/b", "3"),
      insert("last", "/a", "4"),
    ],
    want: "<a>12<b/>34</a>",
  },
  {
    name: "inserts at one place in the order of the edits",
    xml: "<a><b/></a>",
    edits: [insert("last", "/a", "<y/>"), insert("after", "/a/b", "<x/>"), insert("last", "/a", "<z/>")],
    want: "<a><b/><x/><y/><z/></a>",
  },
  {
    name: "inserts beside text",
    xml: "<a>t<b/>\n</a>",
    edits: [insert("first", "/a", "<f/>"), insert("last", "/a", "<l/>")],
    want: "<a><f/>t<b/>\n<l/></a>",
  },
  {
    name: "inserts beside a text",
    xml: "<a>t</a>",
    edits: [insert("before", "/a/text()", "<f/>"), insert("after", "/a/text()", "<l/>")],
    want: "<a><f/>t<l/></a>",
  },
  {
    name: "inserts into an element of one tag",
    xml: "<a x='1' />",
    edits: [insert("last", "/a", "<c/>"), insert("first", "/a", "<b/>")],
    want: "<a x='1' ><b/><c/></a>",
  },
  {
    name: "inserts into an element of one tag with a prefix",
    xml: "<p:a xmlns:p='u'/>",
    edits: [insert("last", "/*", "<p:b/>")],
    want: "<p:a xmlns:p='u'><p:b/></p:a>",
  },
  {
    name: "inserts after a last instruction",
    xml: "<a>\n  <b/>\n  <?p?>\n</a>",
    edits: [insert("last", "/a", "<l/>")],
    want: "<a>\n  <b/>\n  <?p?>\n<l/></a>",
  },
  { name: "inserts nothing", xml: "<a/>", edits: [insert("last", "/a", "")], want: "<a/>" },
  {
    name: "sets and inserts together",
    xml: "<a></a>",
    edits: [insert("last", "/a", "<l/>"), set("/a", "t"), insert("first", "/a", "<f/>")],
    want: "<a><f/>t<l/></a>",
  },
  {
    name: "removes a node and inserts beside it",
    xml: "<a>\n  <b/>\n</a>",
    edits: [remove("/a/b"), insert("after", "/a/b", "<c/>")],
    want: "<a>\n  <c/>\n</a>",
  },
];
for (const { name, xml, edits, want } of EDITED) {
  Deno.test(`editDocument(): ${name}`, () => {
    const result = editDocument(parseDocument(xml), edits);
    assertEquals(result, want);
    parseDocument(result);
  });
}
