/**
 * Reads the output of `deno test` (its default reporter) while the tests run.
 * @module
 */
import { formatCount } from "../../lib/text/plural.ts";

/** How many tests ended in which way. */
export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** What a part of the output reports. */
export type TestEvent =
  /** Deno has loaded a test file. */
  | { readonly kind: "file"; readonly file: string; readonly tests: number }
  /** A test or a step of it runs now: the names from the test down to the step. */
  | { readonly kind: "running"; readonly path: readonly string[] }
  | { readonly kind: "passed" | "failed" | "skipped"; readonly name: string; readonly seconds: number }
  /** Deno could not load a file, or an error occurred outside of its tests. */
  | { readonly kind: "broken file"; readonly file: string };

/** Turns chunks of output into events. */
export interface OutputReader {
  read(chunk: string): readonly TestEvent[];
}

const RESULTS = { ok: "passed", FAILED: "failed", ignored: "skipped", cancelled: "failed" } as const;

/** Returns a reader; each chunk may end anywhere in a line. */
export function createOutputReader(): OutputReader {
  let rest = "";
  let isInPrinted = false;
  /** The start of a line that Deno interrupted to report a slow test; the result follows on a line of its own. */
  let interrupted: string | undefined;
  const path: string[] = [];
  function readLine(line: string): readonly TestEvent[] {
    // What a test prints itself is no result, whatever it looks like.
    if (isInPrinted) {
      isInPrinted = !/----- (post-test )?output end -----$/.test(line);
      return [];
    }
    isInPrinted = /^------- (post-test )?output -------$/.test(line);
    const [slow, start = ""] = /^(.* \.\.\.)?'.*' has been running for over \([\dms]+\)$/.exec(line) ?? [];
    if (slow !== undefined) {
      interrupted = start === "" ? interrupted : start;
      return [];
    }
    const whole = interrupted !== undefined && /^ (ok|FAILED) \(/.test(line) ? interrupted + line : line;
    interrupted = undefined;
    return eventsOf(whole, path);
  }
  return {
    read: (chunk) => {
      const lines = (rest + chunk).split("\n");
      rest = lines.pop() ?? "";
      const events = lines.flatMap(readLine);
      // Deno prints the name before the test runs, and the result behind it.
      return isInPrinted ? events : [...events, ...startOf(rest, path)];
    },
  };
}

function eventsOf(line: string, path: string[]): readonly TestEvent[] {
  const [, tests, file] = /^running (\d+) tests? from (.+)$/.exec(line) ?? [];
  if (file !== undefined) return [{ kind: "file", file, tests: Number(tests) }];
  const [, broken] = /^Uncaught error from (.+) FAILED$/.exec(line) ?? [];
  if (broken !== undefined) return [{ kind: "broken file", file: broken }];
  const ended = /^( *)(.+) \.\.\. (ok|FAILED|ignored|cancelled)(?: \(due to [^)]*\))? \(([\dms]+)\)$/.exec(line);
  if (ended === null) return startOf(line, path);
  const [, indent = "", name = "", word = "", duration = ""] = ended;
  path.length = Math.min(path.length, indent.length / 2);
  const kind = RESULTS[word === "ok" || word === "ignored" || word === "cancelled" ? word : "FAILED"];
  return indent === "" ? [{ kind, name, seconds: secondsOf(duration) }] : [];
}

/** The event of a line that names a test or a step and has no result yet. */
function startOf(line: string, path: string[]): readonly TestEvent[] {
  const [, indent = "", name] = /^( *)(\S.*) \.\.\. ?$/.exec(line) ?? [];
  const depth = indent.length / 2;
  if (name === undefined || depth > path.length || path[depth] === name) return [];
  path.splice(depth, path.length, name);
  return [{ kind: "running", path: [...path] }];
}

/** Seconds of a duration as Deno prints it: `12ms`, `3s`, `1m2s`. */
function secondsOf(duration: string): number {
  const [, minutes = "0", seconds = "0", milliseconds = "0"] =
    /^(?:(\d+)m(?!s))?(?:(\d+)s)?(?:(\d+)ms)?$/.exec(duration) ??
      [];
  return Number(minutes) * 60 + Number(seconds) + Number(milliseconds) / 1000;
}

/** The counts of the closing line; `undefined` when the run did not come that far. */
export function readCounts(output: string): Counts | undefined {
  const line = [...output.matchAll(/^(?:ok|FAILED) \| .*$/gm)].at(-1)?.[0];
  if (line === undefined) return undefined;
  const count = (what: string): number => Number(new RegExp(`(\\d+) ${what}`).exec(line)?.[1] ?? 0);
  return { passed: count("passed"), failed: count("failed"), skipped: count("ignored") };
}

/** The errors that Deno prints when all tests have run; without such a section the end of the output. */
export function readErrors(output: string, linesMax: number): readonly string[] {
  const section = /^ ERRORS \n\n([^]*?)\n FAILURES $/m.exec(output)?.[1];
  const lines = (section ?? output).trimEnd().split("\n");
  if (lines.length <= linesMax) return lines;
  return section === undefined
    ? [`… ${formatCount(lines.length - linesMax, "line")} before`, ...lines.slice(-linesMax)]
    : [...lines.slice(0, linesMax), `… ${formatCount(lines.length - linesMax, "more line")}`];
}
