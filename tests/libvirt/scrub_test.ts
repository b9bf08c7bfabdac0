import { redactSecrets, secretValues } from "../../lib/libvirt/redact.ts";
import { REDACTED, scrub, SECRETS_MAX } from "../../lib/libvirt/scrub.ts";
import { parseDocument } from "../../lib/xml/document.ts";
import { encodeAttribute, encodeText } from "../../lib/xml/value.ts";
import { assert, assertEquals } from "../support/assert.ts";

const CASES = [
  { name: "leaves a text without secrets", text: "exit status 1", secrets: ["s3cret"], want: "exit status 1" },
  { name: "leaves any text when nothing is secret", text: "s3cret", secrets: [], want: "s3cret" },
  { name: "hides a secret within words", text: "xs3crety s3cret", secrets: ["s3cret"], want: "x***y ***" },
  { name: "hides the longer of two", text: "s3cret-long s3cret", secrets: ["s3cret", "s3cret-long"], want: "*** ***" },
  { name: "hides two that overlap", text: "<abcdef>", secrets: ["abcd", "cdef"], want: "<***>" },
  { name: "hides a short secret as a word only", text: "a1a 1 'a' (a)", secrets: ["a"], want: "a1a 1 '***' (***)" },
  { name: "hides what only looks like a pattern", text: "x.*[y x..[y", secrets: [".*[y"], want: "x*** x..[y" },
  { name: "ignores an empty secret", text: "abc", secrets: [""], want: "abc" },
  { name: "leaves an empty text", text: "", secrets: ["s3cret"], want: "" },
  {
    name: "withholds a text when there are too many secrets",
    text: "anything",
    secrets: Array.from({ length: SECRETS_MAX + 1 }, (_, index) => `secret-${index}`),
    want: REDACTED,
  },
];
for (const { name, text, secrets, want } of CASES) {
  Deno.test(`scrub() ${name}`, () => assertEquals(scrub(text, secrets), want));
}

/** Passwords as people and generators make them, from a fixed sequence. */
function passwords(count: number): readonly string[] {
  const alphabet = "abXY09 &<>\"'\\/$%{}[]()é漢😀\t\n.-";
  const characters = [...alphabet];
  let state = 20_240_229;
  const next = (below: number): number => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor((state / 2_147_483_648) * below);
  };
  return Array.from({ length: count }, () => {
    const middle = Array.from({ length: 3 + next(20) }, () => characters[next(characters.length)] ?? "").join("");
    return `p${middle}q`;
  });
}

Deno.test("scrub() with secretValues() hides any password, however a text writes it", () => {
  for (const password of passwords(300)) {
    const document = parseDocument(
      `<domain><description>pw: ${encodeText(password)}</description>` +
        `<graphics passwd='${encodeAttribute(password, "'")}'/></domain>`,
    );
    const secrets = secretValues(document);
    const json = JSON.stringify({ password });
    const output = [password, json, document.text, encodeAttribute(password, '"')].join("\n");
    const scrubbed = scrub(output, secrets);
    for (const secret of [...secrets, password]) {
      assert(!scrubbed.includes(secret), `${JSON.stringify(secret)} is gone from ${JSON.stringify(scrubbed)}`);
    }
    const redacted = redactSecrets(document);
    assertEquals(
      redacted,
      `<domain><description>pw: ${REDACTED}</description><graphics passwd='${REDACTED}'/></domain>`,
      JSON.stringify(password),
    );
  }
});
