import { parseDocument } from "../../lib/xml/document.ts";
import { editDocument, planEdits, XmlEditError } from "../../lib/xml/edit.ts";
import { XmlSyntaxError } from "../../lib/xml/syntax_error.ts";
import { assert, assertEquals, assertThrows } from "../support/assert.ts";
import { fixtureNames, readFixture } from "./fixtures.ts";
import { insert, remove, replace, set } from "./edits.ts";

const REFUSED = [
  {
    name: "a value for an element that holds elements",
    xml: "<a>\n<b><c/></b></a>",
    edits: [set("/a/b", "v")],
    edit: 0,
    says: `"b" holds elements, so it has no value (its texts have, by text()) at line 2, column 1`,
  },
  {
    name: "replacing in an element that holds elements",
    xml: "<a><b/></a>",
    edits: [replace("/a", "v", "w")],
    edit: 0,
    says: `"a" holds elements, so it has no value`,
  },
  {
    name: "a value with a character XML does not allow",
    xml: "<a/>",
    edits: [remove("//b"), set("/a", "\0")],
    edit: 1,
    says: "the new value holds a character XML does not allow",
  },
  {
    name: "removing the root",
    xml: "<a/>",
    edits: [remove("/a")],
    edit: 0,
    says: "the root element cannot be removed",
  },
  {
    name: "inserting beside the root",
    xml: "<a/>",
    edits: [insert("after", "/a", "<b/>")],
    edit: 0,
    says: "an element cannot be inserted beside the root element",
  },
  {
    name: "inserting at an attribute",
    xml: "<a x=''/>",
    edits: [insert("after", "/a/@x", "<b/>")],
    edit: 0,
    says: "XML cannot be inserted at an attribute",
  },
  {
    name: "inserting into a text",
    xml: "<a>t</a>",
    edits: [insert("last", "/a/text()", "<b/>")],
    edit: 0,
    says: "XML cannot be inserted into a text",
  },
  {
    name: "two values for one attribute",
    xml: "<a x='1'/>",
    edits: [set("/a/@x", "2"), set("//@x", "2")],
    edit: 1,
    says: "edit 1 and edit 2 change the same text at line 1, column 7",
  },
  {
    name: "two values for an empty element",
    xml: "<a></a>",
    edits: [set("/a", "1"), set("/a", "2")],
    edit: 1,
    says: "edit 1 and edit 2 change the same text",
  },
  {
    name: "two values for an element of one tag",
    xml: "<a/>",
    edits: [set("/a", "1"), set("/a", "2")],
    edit: 1,
    says: "edit 1 and edit 2 change the same text",
  },
  {
    name: "a value for what is removed",
    xml: "<a><b x='1'/></a>",
    edits: [set("//@x", "2"), remove("//b")],
    edit: 0,
    says: "edit 1 and edit 2 change the same text",
  },
  {
    name: "removing twice",
    xml: "<a><b/></a>",
    edits: [remove("//b"), remove("//b")],
    edit: 1,
    says: "edit 1 and edit 2 change the same text",
  },
  {
    name: "inserting into what is removed",
    xml: "<a><b/></a>",
    edits: [remove("//b"), insert("last", "//b", "<c/>")],
    edit: 1,
    says: "edit 1 and edit 2 change the same text",
  },
  {
    name: "overlapping replacements",
    xml: "<a>abc</a>",
    edits: [replace("/a", "ab", "x"), replace("/a", "bc", "x")],
    edit: 1,
    says: "edit 1 and edit 2 change the same text",
  },
];
for (const { name, xml, edits, edit, says } of REFUSED) {
  Deno.test(`planEdits() refuses ${name}`, () => {
    const error = assertThrows(
      () => planEdits(parseDocument(xml), edits),
      XmlEditError,
      `Cannot edit the XML: ${says}`,
    );
    assertEquals(error.edit, edit);
  });
}

const NOT_WELL_FORMED = [
  "<b>",
  "</a><a>",
  "<q:b/>",
  "&nope;",
  "<b x=1/>",
  "]]>",
  "<?xml version='1.0'?>",
  "<!DOCTYPE a>",
  "\0",
];
for (const xml of NOT_WELL_FORMED) {
  Deno.test(`planEdits() refuses to insert ${JSON.stringify(xml)}`, () => {
    const document = parseDocument("<a xmlns:p='u'><b/></a>");
    for (const edit of [insert("last", "/a", xml), insert("after", "/a/b", xml), insert("first", "/a/b", xml)]) {
      assertThrows(() => planEdits(document, [edit]), XmlSyntaxError, "Cannot parse the XML: ");
    }
  });
}

for (const name of fixtureNames()) {
  Deno.test(`editing ${name} leaves strangers alone`, () => {
    const bytes = readFixture(name);
    const document = parseDocument(bytes);
    assertEquals(new TextEncoder().encode(editDocument(document, [])), bytes);
    const edits = [
      set("/*/name", "new & improved"),
      insert("last", "/*", "<x:new xmlns:x='urn:x'/>"),
      replace("//@file", "/", "//"),
      remove("//mac"),
    ];
    const splices = planEdits(document, edits);
    assert(splices.length > 0);
    const result = editDocument(document, edits);
    let at = 0;
    let resultAt = 0;
    for (const { span, text } of splices) {
      const kept = document.text.slice(at, span.start);
      assertEquals(result.slice(resultAt, resultAt + kept.length + text.length), kept + text);
      at = span.end;
      resultAt += kept.length + text.length;
    }
    assertEquals(result.slice(resultAt), document.text.slice(at));
    parseDocument(result);
  });
}
