/** Lists of networks: the fewest that say the same. */
import * as fc from "fast-check";
import { assert, assertEquals } from "../support/assert.ts";
import { parseIpAddress } from "../../lib/net/ip_address.ts";
import { isWithin, mergeIntervals, networkTexts, overlaps, parseInterval } from "../../lib/net/ip_interval.ts";

const MERGED: readonly { readonly of: readonly string[]; readonly into: readonly string[] }[] = [
  { of: [], into: [] },
  { of: ["10.0.0.0/8"], into: ["10.0.0.0/8"] },
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
    assertEquals(mergeIntervals(of.flatMap((text) => parseInterval(text) ?? [])).flatMap(networkTexts), into);
  }
});

Deno.test("an address that was taken apart has the text that it is read by", () => {
  const groups = fc.array(fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 0xffff })), {
    minLength: 8,
    maxLength: 8,
  });
  fc.assert(fc.property(groups, (numbers) => {
    const text = numbers.map((group) => group.toString(16)).join(":");
    const interval = parseInterval(text);
    assertEquals(interval && networkTexts(interval).join(), parseIpAddress(text)?.text);
  }));
});

Deno.test("networks are the same addresses as the interval they are made of", () => {
  const address = fc.bigInt(0n, (1n << 32n) - 1n);
  fc.assert(fc.property(address, address, (a, b) => {
    const interval = { family: "ipv4", first: a < b ? a : b, last: a < b ? b : a } as const;
    const parts = networkTexts(interval).flatMap((text) => parseInterval(text) ?? []);
    assertEquals(mergeIntervals(parts), [interval]);
  }));
});

const INSIDE = [
  { prefix: "10.0.0.0/8", address: "10.255.0.1", want: true },
  { prefix: "10.0.0.0/8", address: "11.0.0.1", want: false },
  { prefix: "0.0.0.0/0", address: "1.2.3.4", want: true },
  { prefix: "::/0", address: "1.2.3.4", want: false },
  { prefix: "2001:db8::/64", address: "2001:db8::ffff", want: true },
];

for (const { prefix, address, want } of INSIDE) {
  Deno.test(`isWithin() says ${want} to ${address} in ${prefix}`, () => {
    const [network, one] = [parseInterval(prefix), parseIpAddress(address)];
    assert(network !== undefined && one !== undefined, "Not what it should be");
    assertEquals(isWithin(one, network), want);
  });
}

const OVERLAPS = [
  { a: "10.0.0.0/8", b: "10.1.0.0/16", want: true },
  { a: "10.1.0.0/16", b: "10.0.0.0/8", want: true },
  { a: "10.1.0.0/16", b: "10.2.0.0/16", want: false },
  { a: "0.0.0.0/0", b: "::/0", want: false },
];

for (const { a, b, want } of OVERLAPS) {
  Deno.test(`overlaps() says ${want} to ${a} and ${b}`, () => {
    const [one, other] = [parseInterval(a), parseInterval(b)];
    assert(one !== undefined && other !== undefined, "Not what it should be");
    assertEquals(overlaps(one, other), want);
  });
}
