/**
 * The compiled hook on a host that a real systemd runs: one boot, and every check a step of its own.
 * @module
 */
import type { Check } from "./check.ts";
import { cpuChecks } from "./cpus.ts";
import { FIREWALL_CHECKS } from "./firewall.ts";
import { startMachine } from "./machine.ts";
import { NAME_CHECKS } from "./names.ts";
import { fetchPackage } from "./packages.ts";
import { missingForMachine } from "./prerequisites.ts";
import { PROCESS_CHECKS } from "./processes.ts";
import { register } from "./register.ts";
import { SERVICE_CHECKS, SHUTDOWN_CHECK } from "./services.ts";

/** The folder that brings systemd-resolved; nothing where it cannot be fetched. */
async function fetchResolved(): Promise<string | undefined> {
  try {
    return await fetchPackage("systemd-resolved");
  } catch (error) {
    if (Deno.env.get("CI") === "true" || !(error instanceof Error)) throw error;
    Deno.stderr.writeSync(new TextEncoder().encode(`SKIPPED what needs systemd-resolved: ${error.message}\n`));
    return undefined;
  }
}

register("services, processes, CPUs, firewalls and names under a real systemd", missingForMachine(), async (t) => {
  const resolved = await fetchResolved();
  const machine = await startMachine(resolved);
  try {
    const checks: readonly Check[] = [
      ...SERVICE_CHECKS,
      ...PROCESS_CHECKS,
      ...await cpuChecks(machine),
      ...FIREWALL_CHECKS,
      ...(resolved === undefined ? [] : NAME_CHECKS),
      SHUTDOWN_CHECK,
    ];
    for (const check of checks) await t.step(check.name, () => check.play(machine));
  } finally {
    await machine.end();
  }
});
