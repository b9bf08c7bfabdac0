/**
 * Runs a program as a transient unit of systemd, which tracks all its processes and writes its output to the journal.
 * @module
 */
import type { Sys } from "../../sys/sys.ts";
import { TOOLS } from "../../sys/tools.ts";
import { runTool } from "../run_tool.ts";
import { isSystemdHost, showUnits } from "../systemctl.ts";

/** A transient unit to start. */
export interface UnitProgram {
  readonly unit: string;
  readonly description: string;
  readonly argv: readonly [string, ...string[]];
  readonly environment: Readonly<Record<string, string>>;
}

const TOOL_MS = 5_000;
/** How long systemd waits after SIGTERM before it sends SIGKILL. */
const STOP_SECONDS = 5;
const POLL_MS = 50;

const TOOL_OPTIONS = { timeoutMs: TOOL_MS } as const;

/** Whether systemd runs this host and its tools are installed. */
export function hasSystemd(sys: Pick<Sys, "lstat">): boolean {
  return isSystemdHost(sys) && [TOOLS.systemctl, TOOLS.systemdRun].every((path) => sys.lstat(path) !== undefined);
}

/** Reads a unit's state in systemd's terms (`active`, `inactive`, `failed`), or why it cannot be read. */
export async function unitState(unit: string, sys: Sys): Promise<string | { readonly reason: string }> {
  const facts = await showUnits([unit], ["ActiveState"], sys);
  return typeof facts === "string" ? { reason: facts } : facts[0]?.["ActiveState"] ?? "inactive";
}

/** Starts a program as a unit. Returns the problem, or `undefined` on success. */
export async function startUnit(program: UnitProgram, sys: Sys): Promise<string | undefined> {
  const { unit, description, argv: [path, ...args], environment } = program;
  const end = await runTool(
    [
      ...["systemdRun", "--quiet", "--no-ask-password", `--unit=${unit}`, `--description=${description}`] as const,
      ...["--property=KillMode=control-group", `--property=TimeoutStopSec=${STOP_SECONDS}`],
      ...Object.entries(environment).map(([name, value]) => `--setenv=${name}=${value}`),
      // The service manager expands `$NAME`; `$$` is a literal dollar sign.
      ...["--", path, ...args.map((argument) => argument.replaceAll("$", () => "$$"))],
    ],
    TOOL_OPTIONS,
    sys,
  );
  return end.kind === "done" ? undefined : end.reason;
}

/** Describes how the program of a unit ended. */
export async function unitEnd(unit: string, sys: Sys): Promise<string> {
  const facts = await showUnits([unit], ["Result", "ExecMainStatus"], sys);
  const { Result: result = "?", ExecMainStatus: status = "?" } = typeof facts === "string" ? {} : facts[0] ?? {};
  return result === "success" ? `exited with status ${status}` : `ended with status ${status} (${result})`;
}

/**
 * Stops a unit, waits until `untilMs` for its end, and resets a failed one. Returns the problem, or `undefined` on
 * success.
 */
export async function stopUnit(unit: string, untilMs: number, sys: Sys): Promise<string | undefined> {
  await runTool(["systemctl", "stop", "--no-block", unit], TOOL_OPTIONS, sys);
  while (true) {
    const state = await unitState(unit, sys);
    if (typeof state === "object") return state.reason;
    if (state === "inactive") return undefined;
    if (state === "failed") {
      await runTool(["systemctl", "reset-failed", unit], TOOL_OPTIONS, sys);
      return undefined;
    }
    if (sys.elapsedMs() + POLL_MS > untilMs) return `${unit} is still ${state}`;
    await sys.sleep(POLL_MS);
  }
}
