import { parseIpAddress, parseIpPrefix } from "../../lib/net/ip_address.ts";
import { assertEquals } from "../support/assert.ts";

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
