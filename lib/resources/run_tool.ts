/**
 * A program of the host, run for a resource.
 * @module
 */
import type { CommandResult, Sys } from "../sys/sys.ts";
import { STARTING_OTHERS, type Tool, TOOL_ENVIRONMENT, TOOLS } from "../sys/tools.ts";

/** How it went. */
export type ToolEnd =
  | { readonly kind: "done"; readonly stdout: string }
  /** `code` is its exit status, where it ended by itself. */
  | { readonly kind: "failed"; readonly reason: string; readonly code: number | undefined; readonly stdout: string }
  /** Not even SIGKILL ended it: nobody waits for it any more. */
  | { readonly kind: "stuck"; readonly reason: string };

/** How it is run. */
export interface ToolOptions {
  readonly timeoutMs: number;
  readonly stdin?: string;
}

const OUTPUT_BYTES_MAX = 4 * 1024 * 1024;
const SHOWN_LENGTH_MAX = 300;

/** Runs a tool; whatever becomes of it is an answer. */
export async function runTool(
  [tool, ...args]: readonly [Tool, ...string[]],
  options: ToolOptions,
  sys: Pick<Sys, "run">,
): Promise<ToolEnd> {
  const { stdin, timeoutMs } = options;
  const result = await sys.run({
    argv: [TOOLS[tool], ...args],
    environment: TOOL_ENVIRONMENT,
    stdin: stdin === undefined ? undefined : new TextEncoder().encode(stdin),
    timeoutMs: Math.max(timeoutMs, 1),
    outputBytesMax: OUTPUT_BYTES_MAX,
    ...(STARTING_OTHERS.includes(tool) ? {} : { alone: true }),
  });
  return toolEnd(tool, result, timeoutMs);
}

function toolEnd(tool: Tool, { end, stdout, stderr }: CommandResult, timeoutMs: number): ToolEnd {
  const name = TOOLS[tool];
  switch (end.kind) {
    case "exited": {
      if (end.code === 0) return { kind: "done", stdout };
      const said = lastWords(stderr);
      const reason = said === "" ? `${name} exited with status ${end.code}` : said;
      return { kind: "failed", code: end.code, stdout, reason };
    }
    case "timed-out": {
      const reason = `${name} did not end within ${Math.round(timeoutMs) / 1000} s`;
      return end.stuck ? { kind: "stuck", reason } : { kind: "failed", code: undefined, stdout, reason };
    }
    case "not-started":
      return { kind: "failed", code: undefined, stdout, reason: `${name} cannot be started: ${end.reason}` };
    case "signalled":
    case "interrupted":
      return { kind: "failed", code: undefined, stdout, reason: `${name} was ended by ${end.signal}` };
    default:
      return end satisfies never;
  }
}

/** What a tool said last, on one line. */
function lastWords(stderr: string): string {
  const line = stderr.split("\n").map((text) => text.trim()).filter((text) => text !== "").join(" | ");
  return line.length > SHOWN_LENGTH_MAX ? `…${line.slice(-SHOWN_LENGTH_MAX)}` : line;
}
