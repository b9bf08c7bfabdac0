import { holdsAddress, overlap, parseIpAddress, parseIpPrefix } from "../../lib/plan/ip_address.ts";
import { assert, assertEquals } from "../support/assert.ts";

const ADDRESSES = [
  { text: "192.0.2.1", want: "192.0.2.1" },
  { text: "0.0.0.0", want: "0.0.0.0" },
  { text: "192.0.2.256", want: undefined },
  { text: "192.0.2.01", want: undefined },
  { text: "192.0.2", want: undefined },
  { text: "0x7f.1", want: undefined },
  { text: "2001:DB8:0:0:0:0:0:1", want: "2001:db8::1" },
  { text: "::", want: "::" },
  { text: "::ffff:192.0.2.1", want: "::ffff:c000:201" },
  { text: "fe80::1%eth0", want: undefined },
  { text: "1::2::3", want: undefined },
  { text: "[::1]", want: undefined },
  { text: "web-1", want: undefined },
  { text: "", want: undefined },
];

for (const { text, want } of ADDRESSES) {
  Deno.test(`parseIpAddress() makes ${want} of "${text}"`, () => assertEquals(parseIpAddress(text)?.text, want));
}

const PREFIXES = [
  { text: "10.0.0.0/8", want: "10.0.0.0/8" },
  { text: "10.0.0.1", want: "10.0.0.1/32" },
  { text: "0.0.0.0/0", want: "0.0.0.0/0" },
  { text: "10.0.0.1/8", want: undefined },
  { text: "10.0.0.0/33", want: undefined },
  { text: "2001:db8::/32", want: "2001:db8::/32" },
  { text: "2001:db8::1", want: "2001:db8::1/128" },
  { text: "2001:db8::1/64", want: undefined },
  { text: "/8", want: undefined },
];

for (const { text, want } of PREFIXES) {
  Deno.test(`parseIpPrefix() makes ${want} of "${text}"`, () => assertEquals(parseIpPrefix(text)?.text, want));
}

const INSIDE = [
  { prefix: "10.0.0.0/8", address: "10.255.0.1", want: true },
  { prefix: "10.0.0.0/8", address: "11.0.0.1", want: false },
  { prefix: "0.0.0.0/0", address: "1.2.3.4", want: true },
  { prefix: "::/0", address: "1.2.3.4", want: false },
  { prefix: "2001:db8::/64", address: "2001:db8::ffff", want: true },
];

for (const { prefix, address, want } of INSIDE) {
  Deno.test(`holdsAddress() says ${want} to ${address} in ${prefix}`, () => {
    const [network, one] = [parseIpPrefix(prefix), parseIpAddress(address)];
    assert(network !== undefined && one !== undefined, "Not what it should be");
    assertEquals(holdsAddress(network, one), want);
  });
}

const OVERLAPS = [
  { a: "10.0.0.0/8", b: "10.1.0.0/16", want: true },
  { a: "10.1.0.0/16", b: "10.0.0.0/8", want: true },
  { a: "10.1.0.0/16", b: "10.2.0.0/16", want: false },
  { a: "0.0.0.0/0", b: "::/0", want: false },
];

for (const { a, b, want } of OVERLAPS) {
  Deno.test(`overlap() says ${want} to ${a} and ${b}`, () => {
    const [one, other] = [parseIpPrefix(a), parseIpPrefix(b)];
    assert(one !== undefined && other !== undefined, "Not what it should be");
    assertEquals(overlap(one, other), want);
  });
}
