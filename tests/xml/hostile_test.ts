/**
 * Documents made to harm: each gets one clear line, soon, and no file is read for it.
 * @module
 */

import { parseDocument } from "../../lib/xml/document.ts";
import { XmlSyntaxError } from "../../lib/xml/syntax_error.ts";
import { assert, assertEquals, assertThrows } from "../support/assert.ts";

const MIB = 1024 * 1024;
const TIME_MS = 4_000;

const REFUSED: readonly { readonly name: string; readonly make: () => string | Uint8Array; readonly says: string }[] = [
  {
    name: "a billion laughs",
    make: () => `<!DOCTYPE a [<!ENTITY b "${"x".repeat(1000)}"><!ENTITY c "&b;&b;&b;">]><a>&c;</a>`,
    says: "it has a document type (<!DOCTYPE …>), which is not read at line 1, column 1",
  },
  {
    name: "an external entity",
    make: () => `<?xml version="1.0"?>\n<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/shadow">]>\n<a>&b;</a>`,
    says: "it has a document type (<!DOCTYPE …>), which is not read at line 2, column 1",
  },
  {
    name: "10 MiB",
    make: () => `<a>${" ".repeat(10 * MIB)}</a>`,
    says: "it is longer than 8388608 bytes at line 1, column",
  },
  {
    name: "10 MiB of attributes",
    make: () => `<a ${Array.from({ length: 800_000 }, (_, i) => `x${i}=''`).join(" ")}/>`,
    says: "it is longer than 8388608 bytes at line 1, column",
  },
  {
    name: "many attributes of one element",
    make: () => `<a ${Array.from({ length: 400_000 }, (_, i) => `x${i}=''`).join(" ")}/>`,
    says: "it has more than 50000 attributes in all at line 1, column",
  },
  {
    name: "many attributes in all",
    make: () => `<a>${"<b x='' y='' z=''/>\n".repeat(100_000)}</a>`,
    says: "it has more than 50000 attributes in all at line 16667, column 14",
  },
  {
    name: "depth",
    make: () => "<a>".repeat(100_000),
    says: "it is nested deeper than 260 elements at line 1, column 781",
  },
  { name: "many elements", make: () => `<a>${"<b/>".repeat(2_000_000)}</a>`, says: "it has more than 100000 elements" },
  {
    name: "many comments",
    make: () => `<a>${"<!---->".repeat(1_000_000)}</a>`,
    says: "it has more than 100000 elements",
  },
  {
    name: "many comments outside",
    make: () => `${"<!---->".repeat(1_000_000)}<a/>`,
    says: "it has more than 100000 elements",
  },
  {
    name: "NUL",
    make: () => `<a>\n${"x".repeat(MIB)}\0</a>`,
    says: "it holds the character U+0000, which XML does not allow at line 2",
  },
  {
    name: "bytes that are not UTF-8",
    make: () => new Uint8Array(MIB).fill(0xC3),
    says: "it is not UTF-8 at line 1, column 1",
  },
  {
    name: "UTF-16",
    make: () => new Uint8Array([0xFF, 0xFE, 0x3C, 0, 0x61, 0, 0x2F, 0, 0x3E, 0]),
    says: "it is not UTF-8 at line 1, column 1",
  },
  { name: "a tag that never ends", make: () => `<a ${"x".repeat(7 * MIB)}`, says: 'the attribute "xxxx' },
  { name: "white space that never ends", make: () => `<a${" ".repeat(7 * MIB)}`, says: 'the tag "<a" has no end' },
  {
    name: "a value that never ends",
    make: () => `<a x='${"y".repeat(7 * MIB)}`,
    says: 'the value of the attribute "x" has no end',
  },
  { name: "a comment that never ends", make: () => `<a><!--${"y".repeat(7 * MIB)}`, says: "a comment has no end" },
  { name: "a name that never ends", make: () => `<${"é".repeat(3 * MIB)}`, says: "a name is longer than 50000" },
  { name: "an entity that never ends", make: () => `<a>&${"y".repeat(7 * MIB)}</a>`, says: 'an "&" begins no entity' },
  {
    name: "an error behind many lines",
    make: () => `<a>${"\r\n".repeat(3 * MIB)}</b>`,
    says: 'is closed by "</b" at line 3145729, column 1',
  },
];
for (const { name, make, says } of REFUSED) {
  Deno.test(`parseDocument() soon refuses ${name}`, () => {
    const input = make();
    const start = performance.now();
    const error = assertThrows(() => parseDocument(input), XmlSyntaxError, says);
    const tookMs = performance.now() - start;
    assert(tookMs < TIME_MS, `it took ${tookMs} ms`);
    assert(error.message.length < 300 && !error.message.includes("\n"), "the message is one short line");
  });
}

const ACCEPTED = [
  { name: "line ends", make: () => `<a>${"\r".repeat(4 * MIB)}</a>` },
  { name: "references", make: () => `<a>${"&amp;".repeat(MIB)}</a>` },
  { name: "references in a value", make: () => `<a x='${"&#10;".repeat(MIB)}'/>` },
  { name: "CDATA sections that touch", make: () => `<a>${"<![CDATA[x]]>".repeat(90_000)}</a>` },
  {
    name: "namespaces",
    make: () => {
      const declarations = Array.from({ length: 190 }, (_, i) => ` xmlns:p${i}='u'`).join("");
      return `<a${declarations}>`.repeat(250) + "<p1:b/>".repeat(90_000) + "</a>".repeat(250);
    },
  },
];
for (const { name, make } of ACCEPTED) {
  Deno.test(`parseDocument() takes bounded time for many ${name}`, () => {
    const text = make();
    const start = performance.now();
    assertEquals(parseDocument(text).root.name.raw, "a");
    const tookMs = performance.now() - start;
    assert(tookMs < TIME_MS, `it took ${tookMs} ms`);
  });
}

Deno.test("parseDocument() reads no file and asks for no permission", async () => {
  const module = new URL("../../lib/xml/document.ts", import.meta.url);
  const program = `const { parseDocument } = await import(${JSON.stringify(module.href)});
    try { parseDocument('<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>'); } catch (error) { Deno.stdout.writeSync(new TextEncoder().encode(error.name)); }`;
  const { stdout, code } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", "--no-config", "--ext=ts", program],
    env: { NO_COLOR: "1" },
  }).output();
  assertEquals({ code, stdout: new TextDecoder().decode(stdout) }, { code: 0, stdout: "XmlSyntaxError" });
});
