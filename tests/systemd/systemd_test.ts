/**
 * The compiled hook on a host that a real systemd runs: one boot, and every check a step of its own.
 * @module
 */
import type { Check } from "./check.ts";
import { cpuChecks } from "./cpus.ts";
import { FIREWALL_CHECKS } from "./firewall.ts";
import { FIREWALLD_CHECKS, FIREWALLD_PACKAGES } from "./firewalld.ts";
import { startMachine } from "./machine.ts";
import { NAME_CHECKS } from "./names.ts";
import { fetchPackage } from "./packages.ts";
import { missingForMachine } from "./prerequisites.ts";
import { PROCESS_CHECKS } from "./processes.ts";
import { register } from "../support/register.ts";
import { SERVICE_CHECKS, SHUTDOWN_CHECK } from "./services.ts";

/** The folders that bring systemd-resolved and firewalld; nothing where they cannot be fetched. */
async function fetchPackages(): Promise<string | undefined> {
  try {
    const folders: string[] = [];
    for (const name of ["systemd-resolved", ...FIREWALLD_PACKAGES]) folders.push(await fetchPackage(name));
    return folders.join(":");
  } catch (error) {
    if (Deno.env.get("CI") === "true" || !(error instanceof Error)) throw error;
    Deno.stderr.writeSync(
      new TextEncoder().encode(`SKIPPED what needs systemd-resolved or firewalld: ${error.message}\n`),
    );
    return undefined;
  }
}

register("services, processes, CPUs, firewalls and names under a real systemd", missingForMachine(), async (t) => {
  const packages = await fetchPackages();
  const machine = await startMachine(packages);
  try {
    const checks: readonly Check[] = [
      ...SERVICE_CHECKS,
      ...PROCESS_CHECKS,
      ...await cpuChecks(machine),
      ...FIREWALL_CHECKS,
      ...(packages === undefined ? [] : [...NAME_CHECKS, ...FIREWALLD_CHECKS]),
      SHUTDOWN_CHECK,
    ];
    for (const check of checks) await t.step(check.name, () => check.play(machine));
  } finally {
    await machine.end();
  }
});
