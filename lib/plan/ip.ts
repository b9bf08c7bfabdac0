/**
 * Addresses and networks as numbers, so that texts of the same thing are the same, and what overlaps can be told.
 * @module
 */

/** The two kinds of addresses. */
export type Family = "ipv4" | "ipv6";

/** An address. */
export interface Address {
  readonly family: Family;
  readonly value: bigint;
}

/** Addresses from the first to the last: a network, or a part of one. */
export interface Interval {
  readonly family: Family;
  readonly first: bigint;
  readonly last: bigint;
}

/** How many bits an address of a family has. */
export const ADDRESS_BITS = { ipv4: 32, ipv6: 128 } as const satisfies Record<Family, number>;

/** Reads an address; `undefined` for any other text, also for one with a zone or a prefix. */
export function parseAddress(text: string): Address | undefined {
  const value = text.includes(":") ? ipv6Value(text) : ipv4Value(text);
  return value === undefined ? undefined : { family: text.includes(":") ? "ipv6" : "ipv4", value };
}

function ipv4Value(text: string): bigint | undefined {
  const parts = text.split(".");
  if (parts.length !== 4 || !parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) < 256)) {
    return undefined;
  }
  return parts.reduce((value, part) => value * 256n + BigInt(part), 0n);
}

function ipv6Value(text: string): bigint | undefined {
  const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text);
  if (dotted !== null) {
    const low = ipv4Value(dotted[2] ?? "");
    if (low === undefined) return undefined;
    return ipv6Value(`${dotted[1]}${(low >> 16n).toString(16)}:${(low & 0xffffn).toString(16)}`);
  }
  const [head = "", tail, more] = text.split("::");
  if (more !== undefined) return undefined;
  const groups = (part: string): readonly string[] => part === "" ? [] : part.split(":");
  const left = groups(head);
  const right = tail === undefined ? [] : groups(tail);
  const missing = 8 - left.length - right.length;
  if (tail === undefined ? missing !== 0 : missing < 1) return undefined;
  const all = [...left, ...new Array<string>(missing).fill("0"), ...right];
  if (!all.every((group) => /^[0-9a-f]{1,4}$/i.test(group))) return undefined;
  return all.reduce((value, group) => value * 65_536n + BigInt(`0x${group}`), 0n);
}

/** The one text of an address. */
export function formatAddress({ family, value }: Address): string {
  if (family === "ipv4") return [24n, 16n, 8n, 0n].map((shift) => String((value >> shift) & 255n)).join(".");
  const groups = Array.from({ length: 8 }, (_, index) => (value >> BigInt(112 - 16 * index)) & 0xffffn);
  const [longest] = zeroRuns(groups).sort((a, b) => b.length - a.length || a.start - b.start);
  const hex = groups.map((group) => group.toString(16));
  if (longest === undefined || longest.length < 2) return hex.join(":");
  return `${hex.slice(0, longest.start).join(":")}::${hex.slice(longest.start + longest.length).join(":")}`;
}

function zeroRuns(groups: readonly bigint[]): { readonly start: number; readonly length: number }[] {
  const runs: { start: number; length: number }[] = [];
  for (const [index, group] of groups.entries()) {
    const last = runs.at(-1);
    if (group !== 0n) continue;
    if (last !== undefined && last.start + last.length === index) last.length++;
    else runs.push({ start: index, length: 1 });
  }
  return runs;
}

/** Reads `10.0.0.0/8`, or a single address. Bits behind the prefix count for nothing. */
export function parseNetwork(text: string): Interval | undefined {
  const [address = "", prefix, more] = text.split("/");
  const parsed = parseAddress(address);
  if (parsed === undefined || more !== undefined) return undefined;
  const bits = ADDRESS_BITS[parsed.family];
  if (prefix !== undefined && (!/^\d{1,3}$/.test(prefix) || Number(prefix) > bits)) return undefined;
  return networkOf(parsed, prefix === undefined ? bits : Number(prefix));
}

/** The network that an address is in. */
export function networkOf({ family, value }: Address, prefix: number): Interval {
  const free = BigInt(ADDRESS_BITS[family] - prefix);
  const first = (value >> free) << free;
  return { family, first, last: first + (1n << free) - 1n };
}

/** Intervals in order, those that overlap or touch as one. */
export function mergeIntervals(intervals: readonly Interval[]): readonly Interval[] {
  const sorted = intervals.toSorted((a, b) =>
    a.family === b.family ? order(a.first, b.first) : order(a.family, b.family)
  );
  const merged: Interval[] = [];
  for (const interval of sorted) {
    const last = merged.at(-1);
    if (last === undefined || last.family !== interval.family || last.last + 1n < interval.first) merged.push(interval);
    else if (interval.last > last.last) merged[merged.length - 1] = { ...last, last: interval.last };
  }
  return merged;
}

function order<Value extends bigint | string>(a: Value, b: Value): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The fewest networks that an interval is made of, as texts; a single address stands without its prefix. */
export function networkTexts({ family, first, last }: Interval): readonly string[] {
  const texts: string[] = [];
  const bits = ADDRESS_BITS[family];
  let at = first;
  while (at <= last) {
    let free = 0n;
    while (free < bits && isAligned(at, free + 1n) && at + (1n << (free + 1n)) - 1n <= last) free++;
    const prefix = bits - Number(free);
    texts.push(`${formatAddress({ family, value: at })}${prefix === bits ? "" : `/${prefix}`}`);
    at += 1n << free;
  }
  return texts;
}

function isAligned(value: bigint, bits: bigint): boolean {
  return value % (1n << bits) === 0n;
}

/** Whether two intervals share an address. */
export function overlaps(a: Interval, b: Interval): boolean {
  return a.family === b.family && a.first <= b.last && b.first <= a.last;
}

/** Whether an address is in an interval. */
export function isIn({ family, value }: Address, interval: Interval): boolean {
  return family === interval.family && interval.first <= value && value <= interval.last;
}
