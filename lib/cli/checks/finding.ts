/**
 * What a look at the host found.
 * @module
 */
import { visible } from "../../text/quote.ts";
import type { Tone } from "../terminal/colour.ts";
import type { CliContext } from "../subcommand.ts";

/** One finding. */
export interface Finding {
  /**
   * `fail`: a hook would fail, or a rule has no effect. `warn`: something will not work that may not be needed. `skip`: it was
   * not checked.
   */
  readonly level: "ok" | "warn" | "fail" | "skip";
  readonly text: string;
  /** What to do about it. */
  readonly advice?: string | undefined;
}

const LEVELS = {
  ok: { word: "ok  ", tone: "green" },
  warn: { word: "warn", tone: "yellow" },
  fail: { word: "FAIL", tone: "red" },
  skip: { word: "skip", tone: "dim" },
} as const satisfies Record<Finding["level"], { readonly word: string; readonly tone: Tone }>;

/** A finding on one line. */
export function findingLine({ level, text, advice }: Finding, { paint }: Pick<CliContext, "paint">): string {
  const { word, tone } = LEVELS[level];
  return `${paint(tone, word)}  ${visible(text)}${advice === undefined ? "" : `; ${visible(advice)}`}`;
}
