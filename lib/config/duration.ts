/**
 * Durations as rules write them: `"500ms"`, `"5s"`, `"2m"`.
 * @module
 */
import * as v from "valibot";

const DURATION_MS_MAX = 24 * 60 * 60 * 1000;
const UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000 };

/** A duration in milliseconds, as a schema. */
export function durationSchema(): v.GenericSchema<unknown, number> {
  return v.pipe(
    v.string('a duration such as "500ms", "5s" or "2m"'),
    v.regex(/^0*[1-9]\d{0,5}(ms|s|m)$/, 'a duration such as "500ms", "5s" or "2m"'),
    v.check((text) => parseDuration(text) <= DURATION_MS_MAX, "24 hours at most"),
    v.transform(parseDuration),
  );
}

function parseDuration(text: string): number {
  return Number.parseInt(text, 10) * (UNITS_MS[text.replace(/^\d+/, "")] ?? 0);
}
