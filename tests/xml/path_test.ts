import { parseDocument } from "../../lib/xml/document.ts";
import { PathSyntaxError } from "../../lib/xml/path.ts";
import { parsePath } from "../../lib/xml/path_parser.ts";
import { select } from "../../lib/xml/select.ts";
import { assert, assertEquals, assertThrows } from "../support/assert.ts";

Deno.test("parsePath() turns text into data", () => {
  assertEquals(parsePath(" /a // p:b[@x='1'][2] / text()", { p: "urn:p" }), {
    kind: "path",
    text: " /a // p:b[@x='1'][2] / text()",
    steps: [
      { kind: "child", name: { kind: "name", local: "a", uri: undefined }, anywhere: false, predicates: [] },
      {
        kind: "child",
        name: { kind: "name", local: "b", uri: "urn:p" },
        anywhere: true,
        predicates: [
          {
            kind: "condition",
            condition: {
              kind: "equals",
              left: {
                kind: "path",
                steps: [{
                  kind: "attribute",
                  name: { kind: "name", local: "x", uri: undefined },
                  anywhere: false,
                  predicates: [],
                }],
              },
              right: { kind: "literal", value: "1" },
            },
          },
          { kind: "position", position: 2 },
        ],
      },
      { kind: "text", anywhere: false, predicates: [] },
    ],
  });
});

const REFUSED = [
  { path: "", column: 1, says: 'a path begins with "/" or "//"' },
  { path: "/", column: 2, says: "it ends too early" },
  { path: "//", column: 3, says: "it ends too early" },
  { path: "///a", column: 3, says: '"/" cannot stand here' },
  { path: "/a b", column: 4, says: '"b" cannot stand here' },
  { path: "/a[", column: 4, says: "it ends too early" },
  { path: "/a[]", column: 4, says: '"]" cannot stand here' },
  { path: "/a[1", column: 5, says: 'found the end, expected "]"' },
  { path: "/a[1.5]", column: 4, says: '"1.5" is not a name' },
  { path: "/a[1 and @x]", column: 6, says: 'found "and", expected "]"' },
  { path: "/a[last()='1']", column: 10, says: 'found "=", expected "]"' },
  { path: "/a[@x and last()]", column: 11, says: '"last()" cannot stand here' },
  { path: "/a[not(1)]", column: 8, says: "a number is compared as a text: write '1'" },
  { path: "/a['x'='y']", column: 8, says: "two fixed texts are compared" },
  { path: "/a[contains('x','y')]", column: 4, says: "two fixed texts are compared" },
  { path: "/a[contains(@x)]", column: 15, says: 'found ")", expected ","' },
  { path: "/a[starts-with(@x,'y','z')]", column: 22, says: 'found ",", expected ")"' },
  { path: "/a[contains(@x,'y')='z']", column: 20, says: 'found "=", expected "]"' },
  { path: "/a[not @x]", column: 8, says: 'found "@", expected "]"' },
  { path: "/a[@x and]", column: 10, says: '"]" cannot stand here' },
  { path: "/a[(@x]", column: 7, says: 'found "]", expected ")"' },
  { path: "/a[@x))]", column: 6, says: 'found ")", expected "]"' },
  { path: "/a/node()", column: 4, says: '"node()" is not supported' },
  { path: "/a/comment()", column: 4, says: '"comment()" is not supported' },
  { path: "/a/text(1)", column: 9, says: 'found "1", expected ")"' },
  { path: "/a/contains(b,'c')", column: 4, says: '"contains()" cannot stand here' },
  { path: "/text()", column: 2, says: "the document itself holds one element and nothing else" },
  { path: "/..", column: 2, says: "the document itself holds one element and nothing else" },
  { path: "/a/text()/b", column: 11, says: 'nothing but ".." leads on from an attribute or a text' },
  { path: "/a//..", column: 5, says: '".." cannot stand after "//"' },
  { path: "/a/..[1]", column: 6, says: '".." takes no condition' },
  { path: "/a/.", column: 4, says: '"." cannot stand here' },
  { path: "/a[.[1]]", column: 5, says: 'found "[", expected "]"' },
  { path: "/@@x", column: 3, says: '"@" cannot stand here' },
  { path: "/a/@", column: 5, says: "it ends too early" },
  { path: "/$a", column: 2, says: '"$" cannot stand here' },
  { path: "/a:", column: 3, says: '":" is not supported' },
  { path: "/*:a", column: 3, says: '":" is not supported' },
  { path: "/p:a:b", column: 5, says: '":" is not supported' },
  { path: "/1a", column: 2, says: '"1a" is not a name' },
  { path: "/a%b", column: 2, says: '"a%b" is not a name' },
  { path: "/-a", column: 2, says: '"-" cannot stand here' },
  { path: "/constructor:a", column: 2, says: 'the prefix "constructor" is not declared' },
  { path: "/empty:a", column: 2, says: 'the prefix "empty" is not declared' },
  { path: "/a/@xmlns:p", column: 5, says: "a declaration of a namespace is not an attribute in a path" },
  { path: "/a['é", column: 4, says: "a quote is not closed" },
  { path: `/a${"[b".repeat(40)}${"]".repeat(40)}`, column: 67, says: "conditions are nested deeper than 32" },
  { path: `/a[${"(".repeat(40)}b${")".repeat(40)}]`, column: 35, says: "conditions are nested deeper than 32" },
];
for (const { path, column, says } of REFUSED) {
  Deno.test(`parsePath() refuses ${path}`, () => {
    const error = assertThrows(
      () => parsePath(path, { p: "urn:p", empty: "" }),
      PathSyntaxError,
      `${says}; supported are`,
    );
    assertEquals(error.column, column);
    assert(error instanceof SyntaxError);
  });
}

Deno.test("parsePath() refuses a path of more than 4096 characters", () => {
  assertThrows(() => parsePath(`/${"a".repeat(4096)}`), PathSyntaxError, "it is longer than 4096 characters");
  parsePath(`/${"a".repeat(4095)}`);
});

const XML = `<and xmlns:p="urn:p"><or div="1" mod="2"/><not/><text last="3">t</text><d:x xmlns:d="urn:p">n</d:x></and>`;
const SELECTED = [
  { path: "/and/or", count: 1 },
  { path: "/and[or and not and text]", count: 1 },
  { path: "/and[or and (not or nothing)]/text/@last", count: 1 },
  { path: "/and[nothing or text='t' and not(nothing)]", count: 1 },
  { path: "/ and [ or / @ div = '1' ]", count: 1 },
  { path: "/and/*[@div][@mod]", count: 1 },
  { path: "//q:x", count: 1 },
  { path: "//p:*[.='n']", count: 0 },
  { path: "/and/..", count: 0 },
  { path: "/and[..]", count: 1 },
];
for (const { path, count } of SELECTED) {
  Deno.test(`select() follows ${path}`, () => {
    assertEquals(select(parsePath(path, { q: "urn:p", p: "urn:other" }), parseDocument(XML)).length, count);
  });
}

Deno.test("select() ends on a document made to keep it busy", () => {
  const document = parseDocument(`<a>${"<b/>".repeat(50_000)}</a>`);
  assertThrows(
    () => select(parsePath("//b[../b[../b]]"), document),
    RangeError,
    'Cannot follow the path "//b[../b[../b]]" in this document: it looks at more than 2000000 nodes',
  );
  assertEquals(select(parsePath("/a/b"), document).length, 50_000);
});

const A_MILLION = 1024 * 1024;
const NESTED = `<a>${"<b>x".repeat(240)}${"y".repeat(A_MILLION)}${"</b>".repeat(240)}</a>`;

Deno.test("select() compares the values of nested elements without building them", () => {
  const document = parseDocument(NESTED);
  assertEquals(select(parsePath("/a[.//*='x']"), document).length, 0);
  assertEquals(select(parsePath("//*[.=..]"), document).length, 2);
  assertEquals(select(parsePath(`//b[starts-with(., '${"x".repeat(240)}y')]`), document).length, 1);
});

const COMPARING = [
  { path: "//*[.//*=.//*]", text: NESTED },
  { path: "//*[contains(., 'z')]", text: NESTED },
  { path: "//a[contains(@x, @y)]", text: `<a x='${"y".repeat(A_MILLION)}' y='z${"y".repeat(A_MILLION / 2)}'/>` },
];
for (const { path, text } of COMPARING) {
  Deno.test(`select() ends where ${path} compares too much`, () => {
    assertThrows(
      () => select(parsePath(path), parseDocument(text)),
      RangeError,
      `Cannot follow the path "${path}" in this document: its conditions compare more than 67108864 characters`,
    );
  });
}

Deno.test("select() ends where many conditions ask nodes that have nothing", () => {
  const document = parseDocument(`<a>${"<b/>".repeat(50_000)}</a>`);
  assertThrows(() => select(parsePath(`//b${"[not(@x)]".repeat(400)}`), document), RangeError, "it looks at more than");
});
