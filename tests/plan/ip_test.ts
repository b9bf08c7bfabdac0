/** Addresses and networks: one text for one thing. */
import * as fc from "fast-check";
import { assertEquals } from "../support/assert.ts";
import { formatAddress, mergeIntervals, networkTexts, parseAddress, parseNetwork } from "../../lib/plan/ip.ts";

const ADDRESSES: Readonly<Record<string, string | undefined>> = {
  "192.168.122.1": "192.168.122.1",
  "0.0.0.0": "0.0.0.0",
  "256.1.1.1": undefined,
  "1.2.3": undefined,
  "01.2.3.4": undefined,
  "1.2.3.4/8": undefined,
  "": undefined,
  "::": "::",
  "::1": "::1",
  "FD00:0:0::1": "fd00::1",
  "1:0:0:2:0:0:0:3": "1:0:0:2::3",
  "1:2:3:4:5:6:7:8": "1:2:3:4:5:6:7:8",
  "1:2:3:4:5:6:7::": "1:2:3:4:5:6:7:0",
  "::ffff:1.2.3.4": "::ffff:102:304",
  "1::2::3": undefined,
  "1:2:3:4:5:6:7:8:9": undefined,
  "1:2:3:4:5:6:7:8::": undefined,
  ":::": undefined,
  "fe80::1%eth0": undefined,
  "12345::": undefined,
};

Deno.test("parseAddress() and formatAddress() give each address one text", () => {
  for (const [text, expected] of Object.entries(ADDRESSES)) {
    const address = parseAddress(text);
    assertEquals([text, address && formatAddress(address)], [text, expected]);
  }
});

Deno.test("formatAddress() and parseAddress() undo each other", () => {
  fc.assert(fc.property(fc.bigInt(0n, (1n << 128n) - 1n), (value) => {
    assertEquals(parseAddress(formatAddress({ family: "ipv6", value }))?.value, value);
  }));
});

const MERGED: readonly { readonly of: readonly string[]; readonly into: readonly string[] }[] = [
  { of: [], into: [] },
  { of: ["10.1.2.3/8"], into: ["10.0.0.0/8"] },
  { of: ["10.0.0.1/32"], into: ["10.0.0.1"] },
  { of: ["10.0.0.128/25", "10.0.0.0/25"], into: ["10.0.0.0/24"] },
  { of: ["10.0.0.0/8", "10.1.0.0/16"], into: ["10.0.0.0/8"] },
  { of: ["10.0.0.1", "10.0.0.2", "10.0.0.3"], into: ["10.0.0.1", "10.0.0.2/31"] },
  { of: ["fd00::/64", "10.0.0.1"], into: ["10.0.0.1", "fd00::/64"] },
  { of: ["0.0.0.0/1", "128.0.0.0/1"], into: ["0.0.0.0/0"] },
  { of: ["::/0"], into: ["::/0"] },
];

Deno.test("networks that overlap or touch are one", () => {
  for (const { of, into } of MERGED) {
    assertEquals(mergeIntervals(of.flatMap((text) => parseNetwork(text) ?? [])).flatMap(networkTexts), into);
  }
});

Deno.test("parseNetwork() takes no prefix that is none", () => {
  assertEquals(["10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/8/8", "fd00::/129"].map(parseNetwork), [
    ...Array<undefined>(5),
  ]);
});
