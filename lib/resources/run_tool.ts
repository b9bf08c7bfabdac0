/**
 * Runs the host's programs for resources.
 * @module
 */
import type { CommandResult, Sys } from "../sys/sys.ts";
import { STARTING_OTHERS, type Tool, TOOL_ENVIRONMENT, TOOLS } from "../sys/tools.ts";

/** The result of a tool. */
export type ToolEnd =
  | { readonly kind: "done"; readonly stdout: string }
  /** `code` is the exit status; `undefined` if the tool did not exit by itself. */
  | { readonly kind: "failed"; readonly reason: string; readonly code: number | undefined; readonly stdout: string }
  /** Even SIGKILL did not end it; the hook no longer waits for it. */
  | { readonly kind: "stuck"; readonly reason: string };

/** Options for {@linkcode runTool}. */
export interface ToolOptions {
  readonly timeoutMs: number;
  readonly stdin?: string;
}

const OUTPUT_BYTES_MAX = 4 * 1024 * 1024;
const SHOWN_LENGTH_MAX = 300;

/** Runs a tool. Never throws: failures are part of the result. */
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
      const output = lastOutput(stderr);
      const reason = output === "" ? `${name} exited with status ${end.code}` : output;
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

/** Returns the end of a tool's output, on one line. */
function lastOutput(stderr: string): string {
  const line = stderr.split("\n").map((text) => text.trim()).filter((text) => text !== "").join(" | ");
  return line.length > SHOWN_LENGTH_MAX ? `…${line.slice(-SHOWN_LENGTH_MAX)}` : line;
}
