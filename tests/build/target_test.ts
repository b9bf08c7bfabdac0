import { BuildError } from "../../build/build_error.ts";
import { hostTarget, parseElfHeader } from "../../build/target.ts";
import { assertEquals, assertThrows } from "../support/assert.ts";
import { fakeElf } from "./fake_binary.ts";

Deno.test("parseElfHeader() reads the machine and where the file ends", () => {
  assertEquals(parseElfHeader(fakeElf({ machine: 183, text: "four" })), { machine: 183, endBytes: 64 + 4 + 64 });
});

Deno.test("parseElfHeader() reads a file that is part of a larger buffer", () => {
  const larger = new Uint8Array([1, 2, 3, ...fakeElf({ machine: 62 })]);
  assertEquals(parseElfHeader(larger.subarray(3)), { machine: 62, endBytes: 128 });
});

const REFUSED = [
  { name: "nothing", bytes: new Uint8Array() },
  { name: "a text", bytes: new TextEncoder().encode("#!/bin/sh\n".repeat(10)) },
  { name: "a header that is cut off", bytes: fakeElf().subarray(0, 63) },
  { name: "a 32-bit file", bytes: withByte(4, 1) },
  { name: "a big-endian file", bytes: withByte(5, 2) },
];
for (const { name, bytes } of REFUSED) {
  Deno.test(`parseElfHeader() refuses ${name}`, () => assertEquals(parseElfHeader(bytes), undefined));
}

Deno.test("hostTarget() refuses a machine that is not a target", () => {
  assertThrows(() => hostTarget("aarch64-apple-darwin"), BuildError, "it is aarch64-apple-darwin");
});

function withByte(at: number, value: number): Uint8Array {
  const bytes = fakeElf();
  bytes[at] = value;
  return bytes;
}
