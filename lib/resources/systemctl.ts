/**
 * Queries to systemd.
 * @module
 */
import type { Sys } from "../sys/sys.ts";
import { runTool } from "./run_tool.ts";

/** Exists if systemd is the host's process 1 (`sd_booted`). */
const BOOTED = "/run/systemd/system";
const SHOW_TIMEOUT_MS = 5_000;

/** Whether systemd runs this host. */
export function isSystemdHost(sys: Pick<Sys, "lstat">): boolean {
  return sys.lstat(BOOTED)?.kind === "directory";
}

/** The properties of a unit, by name; a property that systemd does not know is missing. */
export type UnitFacts = Readonly<Record<string, string>>;

/** Reads properties of units, in the order of `units`. A text is the reason why they cannot be read. */
export async function showUnits(
  units: readonly string[],
  properties: readonly string[],
  sys: Pick<Sys, "run">,
): Promise<readonly UnitFacts[] | string> {
  const argv = ["systemctl", "show", `--property=${properties.join(",")}`, "--", ...units] as const;
  const end = await runTool(argv, { timeoutMs: SHOW_TIMEOUT_MS }, sys);
  if (end.kind !== "done") return end.reason;
  // systemctl prints the units in the requested order, separated by empty lines.
  const facts = end.stdout.trim().split("\n\n").map(parseFacts);
  return facts.length === units.length ? facts : `systemctl printed ${facts.length} units, expected ${units.length}`;
}

function parseFacts(block: string): UnitFacts {
  return Object.fromEntries(
    block.split("\n").map((line) => {
      const [name = "", ...value] = line.split("=");
      return [name, value.join("=")] as const;
    }),
  );
}
