/**
 * Long values are converted piece by piece: where the pieces meet makes no difference.
 * @module
 */
import { XML_LIMITS } from "../../lib/xml/limits.ts";
import { positionAt, positionFinder } from "../../lib/xml/syntax_error.ts";
import { decodeValue, encodeAttribute, encodeCData, encodeText, normaliseLineEnds } from "../../lib/xml/value.ts";
import { assertEquals, assertThrows } from "../support/assert.ts";

const TIMES = 12_000;

function never(message: string): never {
  throw new Error(message);
}

const DECODED = [
  { raw: "&amp;", place: "text", value: "&" },
  { raw: "&#x1F600;", place: "attribute", value: "😀" },
  { raw: "\r\n", place: "text", value: "\n" },
  { raw: "x\r", place: "attribute", value: "x " },
  { raw: "a]]><![CDATA[", place: "cdata", value: "a" },
  { raw: `&#${"0".repeat(20_000)}65;`, place: "text", value: "A" },
] as const;
for (const { raw, place, value } of DECODED) {
  Deno.test(`decodeValue() decodes many ${JSON.stringify(raw.slice(0, 20))} in ${place}`, () => {
    const times = raw.length > 1000 ? 3 : TIMES;
    for (let shift = 0; shift < 16; shift += 1) {
      assertEquals(
        decodeValue("y".repeat(shift) + raw.repeat(times), place, never),
        "y".repeat(shift) + value.repeat(times),
      );
    }
  });
}

Deno.test("decodeValue() says where a reference is none, in a long value too", () => {
  const error = assertThrows(
    () => decodeValue(`${"&amp;".repeat(TIMES)}&nope;`, "text", (message, offset) => never(`${message} at ${offset}`)),
    Error,
  );
  assertEquals(error.message, `the entity "&nope;" is not defined at ${5 * TIMES}`);
});

Deno.test("long values are encoded as short ones are", () => {
  for (let shift = 0; shift < 16; shift += 1) {
    const before = "y".repeat(shift);
    assertEquals(encodeText(before + "<&\r>".repeat(TIMES)), before + "&lt;&amp;&#13;&gt;".repeat(TIMES));
    assertEquals(encodeAttribute(before + '<"\n'.repeat(TIMES), '"'), before + "&lt;&quot;&#10;".repeat(TIMES));
    assertEquals(encodeCData(before + "]]>".repeat(TIMES)), before + "]]]]><![CDATA[>".repeat(TIMES));
    assertEquals(normaliseLineEnds(before + "\r\n\r".repeat(TIMES)), before + "\n\n".repeat(TIMES));
  }
});

Deno.test("a value that is written longer than any document is refused", () => {
  assertThrows(
    () => encodeAttribute('"'.repeat(XML_LIMITS.bytes / 4), '"'),
    RangeError,
    "A value is longer than 8388608",
  );
});

Deno.test("positionFinder() counts the line ends of a long text, whatever the order of the offsets", () => {
  const text = `\uFEFF${"x\r\n".repeat(40_000)}${"\n\r".repeat(20_000)}`;
  const find = positionFinder(text);
  for (const offset of [0, 1, 3, 4, 65_536, 65_537, 65_538, 131_072, 120_001, 150_000, 2]) {
    const ends = [...text.slice(0, offset).matchAll(/\r\n?|\n/g)];
    const last = ends.at(-1);
    const lineStart = last === undefined ? 1 : last.index + last[0].length;
    const expected = { line: ends.length + 1, column: Math.max(0, offset - lineStart) + 1, offset };
    assertEquals(find(offset), expected);
    assertEquals(positionAt(text, offset), expected);
  }
});
