/**
 * The compiled hook on a host that a real systemd runs: one boot, and every check a step of its own.
 * @module
 */
import type { Check } from "./check.ts";
import { cpuChecks } from "./cpus.ts";
import { startMachine } from "./machine.ts";
import { missingForMachine } from "./prerequisites.ts";
import { PROCESS_CHECKS } from "./processes.ts";
import { register } from "./register.ts";
import { SERVICE_CHECKS, SHUTDOWN_CHECK } from "./services.ts";

register("services, processes and CPUs under a real systemd", missingForMachine(), async (t) => {
  const machine = await startMachine();
  try {
    const checks: readonly Check[] = [
      ...SERVICE_CHECKS,
      ...PROCESS_CHECKS,
      ...await cpuChecks(machine),
      SHUTDOWN_CHECK,
    ];
    for (const check of checks) await t.step(check.name, () => check.play(machine));
  } finally {
    await machine.end();
  }
});
