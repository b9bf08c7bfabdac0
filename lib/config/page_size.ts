/**
 * Sizes of pages as people write them.
 * @module
 */

const UNITS_KIB = { G: 1024 * 1024, M: 1024, K: 1 } as const;
const SIZE = /^([1-9]\d{0,6})([KMG])$/;

/** `2M`, `1G`, `64K` in KiB; `undefined` for any other text. */
export function parsePageSize(text: string): number | undefined {
  const [, count, unit] = SIZE.exec(text) ?? [];
  const kib = Object.entries(UNITS_KIB).find(([name]) => name === unit)?.[1];
  return kib === undefined ? undefined : Number(count) * kib;
}

/** A size in its largest unit. */
export function pageSizeText(sizeKib: number | "default"): string {
  if (sizeKib === "default") return "the default size";
  const [unit, kib] = Object.entries(UNITS_KIB).find(([, size]) => sizeKib % size === 0) ?? ["K", 1];
  return `${sizeKib / kib}${unit}`;
}
