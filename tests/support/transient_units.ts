/**
 * systemd on a host in memory that makes units for programs (`systemd-run`). The real one is asked by tests/systemd.
 * @module
 */
import type { MemoryHost, MemoryProgram } from "../../lib/sys/memory_sys.ts";
import { TOOLS } from "../../lib/sys/tools.ts";

/** A host with such a systemd. */
export interface TransientUnits {
  readonly host: MemoryHost;
  /** Their states by name. */
  readonly units: Map<string, string>;
  /** What was asked of `systemd-run`, in order. */
  readonly asked: string[];
}

/** Makes the host. A program with the argument `broken` ends at once. */
export function transientUnits(): TransientUnits {
  const units = new Map<string, string>();
  const asked: string[] = [];
  const run: MemoryProgram = ({ argv }) => {
    asked.push(argv.join(" "));
    const unit = argv.find((one) => one.startsWith("--unit="))?.slice("--unit=".length) ?? "";
    units.set(unit, argv.includes("broken") ? "failed" : "active");
    return {};
  };
  const control: MemoryProgram = ({ argv }) => {
    const [, verb = "", ...rest] = argv;
    const unit = rest.at(-1) ?? "";
    if (verb === "stop" && units.get(unit) !== "failed") units.delete(unit);
    if (verb === "reset-failed") units.delete(unit);
    if (verb !== "show") return {};
    return { stdout: `ActiveState=${units.get(unit) ?? "inactive"}\nResult=exit-code\nExecMainStatus=7\n` };
  };
  const files = { "/run/systemd/system/x": "" };
  return { host: { files, programs: { [TOOLS.systemdRun]: run, [TOOLS.systemctl]: control } }, units, asked };
}
