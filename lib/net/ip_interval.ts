/**
 * Stretches of addresses: what lists of networks have in common, and the fewest networks that say the same.
 * @module
 */
import { ADDRESS_BITS, type IpAddress, type IpFamily, parseIpPrefix } from "./ip_address.ts";

/** Addresses from the first to the last. */
export interface IpInterval {
  readonly family: IpFamily;
  readonly first: bigint;
  readonly last: bigint;
}

/** Reads `10.0.0.0/8`, or a single address; `undefined` for what is neither. */
export function parseInterval(text: string): IpInterval | undefined {
  const prefix = parseIpPrefix(text);
  return prefix === undefined ? undefined : networkOf(prefix, prefix.length);
}

/** The network of so many bits that an address is in. */
export function networkOf({ family, bits }: Pick<IpAddress, "family" | "bits">, length: number): IpInterval {
  const free = BigInt(ADDRESS_BITS[family] - length);
  const first = (bits >> free) << free;
  return { family, first, last: first + (1n << free) - 1n };
}

/** Intervals in order, those that overlap or touch as one. */
export function mergeIntervals(intervals: readonly IpInterval[]): readonly IpInterval[] {
  const merged: IpInterval[] = [];
  for (const interval of intervals.toSorted(byPlace)) {
    const last = merged.at(-1);
    if (last === undefined || last.family !== interval.family || last.last + 1n < interval.first) merged.push(interval);
    else if (interval.last > last.last) merged[merged.length - 1] = { ...last, last: interval.last };
  }
  return merged;
}

function byPlace(a: IpInterval, b: IpInterval): number {
  if (a.family !== b.family) return a.family < b.family ? -1 : 1;
  return a.first < b.first ? -1 : a.first > b.first ? 1 : 0;
}

/** The fewest networks that an interval is made of, as texts; a single address is written without its length. */
export function networkTexts({ family, first, last }: IpInterval): readonly string[] {
  const texts: string[] = [];
  const bitCount = ADDRESS_BITS[family];
  let at = first;
  while (at <= last) {
    let free = 0n;
    while (free < bitCount && isAligned(at, free + 1n) && at + (1n << (free + 1n)) - 1n <= last) free++;
    const length = bitCount - Number(free);
    texts.push(`${addressText(family, at)}${length === bitCount ? "" : `/${length}`}`);
    at += 1n << free;
  }
  return texts;
}

function isAligned(bits: bigint, free: bigint): boolean {
  return bits % (1n << free) === 0n;
}

/** An address in its one form. */
function addressText(family: IpFamily, bits: bigint): string {
  if (family === "ipv4") return [24n, 16n, 8n, 0n].map((shift) => String((bits >> shift) & 255n)).join(".");
  const groups = Array.from({ length: 8 }, (_, index) => (bits >> BigInt(112 - 16 * index)) & 0xffffn);
  const hex = groups.map((group) => group.toString(16));
  const [longest] = zeroRuns(groups).sort((a, b) => b.length - a.length || a.start - b.start);
  if (longest === undefined || longest.length < 2) return hex.join(":");
  return `${hex.slice(0, longest.start).join(":")}::${hex.slice(longest.start + longest.length).join(":")}`;
}

function zeroRuns(groups: readonly bigint[]): { readonly start: number; readonly length: number }[] {
  const runs: { start: number; length: number }[] = [];
  for (const [index, group] of groups.entries()) {
    if (group !== 0n) continue;
    const last = runs.at(-1);
    if (last !== undefined && last.start + last.length === index) last.length++;
    else runs.push({ start: index, length: 1 });
  }
  return runs;
}

/** Whether two intervals share an address. */
export function overlaps(a: IpInterval, b: IpInterval): boolean {
  return a.family === b.family && a.first <= b.last && b.first <= a.last;
}

/** The families that all of these lists of addresses and networks leave: an empty list means all addresses. */
export function familiesMeant(...lists: readonly (readonly string[])[]): readonly IpFamily[] {
  const named = lists.filter((texts) => texts.length > 0).map((texts) => texts.map(parseInterval));
  return (["ipv4", "ipv6"] as const).filter((family) =>
    named.every((list) => list.some((one) => one?.family === family))
  );
}

const LOOPBACK = ["127.0.0.0/8", "::1"].map(parseInterval);

/** Whether an address is one by which a host reaches itself alone. */
export function isLoopback(address: IpAddress): boolean {
  return LOOPBACK.some((interval) => interval !== undefined && isWithin(address, interval));
}

/** Whether an address is in an interval. */
export function isWithin({ family, bits }: IpAddress, interval: IpInterval): boolean {
  return family === interval.family && interval.first <= bits && bits <= interval.last;
}
