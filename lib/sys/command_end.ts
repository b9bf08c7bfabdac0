/**
 * How a program of a user ended, for people.
 * @module
 */
import { quote, visible } from "../text/quote.ts";
import type { CommandEnd, CommandResult } from "./sys.ts";

/** How much of a program's output goes into our one line. */
const SHOWN_LENGTH_MAX = 500;

/** What went wrong, with what the program said last. */
export function runProblem(program: string, result: CommandResult, timeoutMs: number): string {
  const said = lastWords(result);
  return `${quote(program)} ${endText(result.end, timeoutMs)}${said === "" ? "" : `: ${said}`}`;
}

/** How it ended. */
export function endText(end: CommandEnd, timeoutMs: number): string {
  switch (end.kind) {
    case "exited":
      return `exited with status ${end.code}`;
    case "signalled":
      return `was ended by ${end.signal}`;
    case "interrupted":
      return `was ended, since the hook itself got ${end.signal}`;
    case "timed-out":
      return `did not end within ${Math.round(timeoutMs) / 1000} s and ${
        end.stuck ? "cannot be killed: it is stuck in the kernel" : "was killed"
      }`;
    case "not-started":
      return `could not be started: ${visible(end.reason)}`;
    default:
      return end satisfies never;
  }
}

/** What the program said last, on one line. */
function lastWords(result: CommandResult): string {
  const output = result.stderr.trim() === "" ? result.stdout : result.stderr;
  const lines = output.split("\n").map((text) => visible(text.trim())).filter((text) => text !== "");
  const line = lines.join(" | ");
  return line.length > SHOWN_LENGTH_MAX ? `…${line.slice(-SHOWN_LENGTH_MAX)}` : line;
}
