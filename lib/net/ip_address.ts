/**
 * IP addresses and prefixes: read strictly, told in one form each.
 * @module
 */

/** The two kinds of addresses. */
export type IpFamily = "ipv4" | "ipv6";

/** An address. */
export interface IpAddress {
  readonly family: IpFamily;
  /** In its one form: `192.0.2.1`, `2001:db8::1`. */
  readonly text: string;
  readonly bits: bigint;
}

/** A network: all addresses that begin with the same bits. */
export interface IpPrefix {
  readonly family: IpFamily;
  /** In its one form: `192.0.2.0/24`; a single address has its length too. */
  readonly text: string;
  readonly bits: bigint;
  /** How many bits count. */
  readonly length: number;
}

/** How many bits an address has. */
export const ADDRESS_BITS = { ipv4: 32, ipv6: 128 } as const satisfies Record<IpFamily, number>;

/** Reads an address; `undefined` for what is none. */
export function parseIpAddress(text: string): IpAddress | undefined {
  if (/^(0|[1-9]\d{0,2})(\.(0|[1-9]\d{0,2})){3}$/.test(text)) {
    const bytes = text.split(".").map(Number);
    if (bytes.some((byte) => byte > 255)) return undefined;
    return { family: "ipv4", text, bits: bytes.reduce((bits, byte) => bits << 8n | BigInt(byte), 0n) };
  }
  const url = /^[\da-f:.]+$/i.test(text) && text.includes(":") ? URL.parse(`http://[${text}]/`) : null;
  if (url === null) return undefined;
  const canonical = url.hostname.slice(1, -1);
  return { family: "ipv6", text: canonical, bits: ipv6Bits(canonical) };
}

/** An address in its one form, as URLs have it: eight groups, of which one run may be left out. */
function ipv6Bits(canonical: string): bigint {
  const [head = "", tail] = canonical.split("::");
  const before = head === "" ? [] : head.split(":");
  const after = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = tail === undefined ? [] : new Array<string>(8 - before.length - after.length).fill("0");
  return [...before, ...zeros, ...after].reduce((bits, group) => bits << 16n | BigInt(`0x${group}`), 0n);
}

/** Reads `ADDRESS/LENGTH`, or an address alone as the prefix that holds just it. Bits behind the length must be zero. */
export function parseIpPrefix(text: string): IpPrefix | undefined {
  const [, start = "", lengthText] = /^([^/]*)(?:\/(0|[1-9]\d{0,2}))?$/.exec(text) ?? [];
  const address = parseIpAddress(start);
  if (address === undefined) return undefined;
  const bitCount = ADDRESS_BITS[address.family];
  const length = lengthText === undefined ? bitCount : Number(lengthText);
  if (length > bitCount || (address.bits & hostMask(length, bitCount)) !== 0n) return undefined;
  return { family: address.family, text: `${address.text}/${length}`, bits: address.bits, length };
}

function hostMask(length: number, bitCount: number): bigint {
  return (1n << BigInt(bitCount - length)) - 1n;
}
