/**
 * Turns the expected text of a golden story into text for readers: each placeholder becomes a sample value.
 * @module
 */

/** In this order: the longest pattern first. */
const SAMPLES: readonly (readonly [RegExp, string])[] = [
  [/\[NUMBER\]-\[NUMBER\]-\[NUMBER\] \[NUMBER\]:\[NUMBER\]:\[NUMBER\]Z/g, "2026-11-30 20:51:15Z"],
  [/\(\[LINE\] ms, called by \[LINE\]/g, "(48.1 ms, called by libvirtd (812)"],
  [/\(\[LINE\] ms/g, "(48.1 ms"],
  [/\[NUMBER\]/g, "2"],
  [/\[LINE\]|\[WILDCARD\]/g, "…"],
];

/** Replaces each placeholder by a sample value. */
export function sampleText(expected: string): string {
  return SAMPLES.reduce((text, [placeholder, sample]) => text.replaceAll(placeholder, sample), expected);
}
