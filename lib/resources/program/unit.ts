/**
 * A program as a unit of systemd, made for it and gone with it: systemd knows all its processes, and its journal what it
 * prints.
 * @module
 */
import type { Sys } from "../../sys/sys.ts";
import { TOOLS } from "../../sys/tools.ts";
import { runTool } from "../run_tool.ts";
import { isSystemdHost, showUnits } from "../systemctl.ts";

/** A unit to start. */
export interface UnitProgram {
  readonly unit: string;
  readonly description: string;
  readonly argv: readonly [string, ...string[]];
  readonly environment: Readonly<Record<string, string>>;
}

const TOOL_MS = 5_000;
/** systemd itself asks the program to end, and kills it after this time. */
const STOP_SECONDS = 5;
const POLL_MS = 50;

const ONCE = { timeoutMs: TOOL_MS } as const;

/** Whether systemd runs this host and makes units. */
export function hasSystemd(sys: Pick<Sys, "lstat">): boolean {
  return isSystemdHost(sys) && [TOOLS.systemctl, TOOLS.systemdRun].every((path) => sys.lstat(path) !== undefined);
}

/** What a unit is at, as systemd calls it (`active`, `inactive`, `failed`), or why that cannot be told. */
export async function unitState(unit: string, sys: Sys): Promise<string | { readonly reason: string }> {
  const facts = await showUnits([unit], ["ActiveState"], sys);
  return typeof facts === "string" ? { reason: facts } : facts[0]?.["ActiveState"] ?? "inactive";
}

/** Starts a program as a unit; says why not. */
export async function startUnit(program: UnitProgram, sys: Sys): Promise<string | undefined> {
  const { unit, description, argv: [path, ...args], environment } = program;
  const end = await runTool(
    [
      ...["systemdRun", "--quiet", "--no-ask-password", `--unit=${unit}`, `--description=${description}`] as const,
      ...["--property=KillMode=control-group", `--property=TimeoutStopSec=${STOP_SECONDS}`],
      ...Object.entries(environment).map(([name, value]) => `--setenv=${name}=${value}`),
      // The service manager would fill in variables.
      ...["--", path, ...args.map((argument) => argument.replaceAll("$", () => "$$"))],
    ],
    ONCE,
    sys,
  );
  return end.kind === "done" ? undefined : end.reason;
}

/** How the program of a unit ended. */
export async function unitEnd(unit: string, sys: Sys): Promise<string> {
  const facts = await showUnits([unit], ["Result", "ExecMainStatus"], sys);
  const { Result: result = "?", ExecMainStatus: status = "?" } = typeof facts === "string" ? {} : facts[0] ?? {};
  return result === "success" ? `exited with status ${status}` : `ended with status ${status} (${result})`;
}

/** Stops a unit and waits for its end, but not for ever; says why not. One that has failed is forgotten. */
export async function stopUnit(unit: string, untilMs: number, sys: Sys): Promise<string | undefined> {
  await runTool(["systemctl", "stop", "--no-block", unit], ONCE, sys);
  while (true) {
    const state = await unitState(unit, sys);
    if (typeof state === "object") return state.reason;
    if (state === "inactive") return undefined;
    if (state === "failed") {
      await runTool(["systemctl", "reset-failed", unit], ONCE, sys);
      return undefined;
    }
    if (sys.elapsedMs() + POLL_MS > untilMs) return `${unit} is still ${state}`;
    await sys.sleep(POLL_MS);
  }
}
