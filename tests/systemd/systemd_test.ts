/**
 * The compiled hook on a host that a real systemd runs: one boot, and every check a step of its own.
 * @module
 */
import type { Check } from "./check.ts";
import { cpuChecks } from "./cpus.ts";
import { FIREWALL_CHECKS } from "./firewall.ts";
import { type Machine, startMachine } from "./machine.ts";
import { missingForSystemd } from "./prerequisites.ts";
import { PROCESS_CHECKS } from "./processes.ts";
import { SERVICE_CHECKS, SHUTDOWN_CHECK } from "./services.ts";

const NAME = "services, processes, CPUs and firewalls under a real systemd";
const missing = missingForSystemd();
const why = `missing prerequisites: ${missing.join("; ")}`;

async function play(t: Deno.TestContext, machine: Machine): Promise<void> {
  const checks: readonly Check[] = [
    ...SERVICE_CHECKS,
    ...PROCESS_CHECKS,
    ...await cpuChecks(machine),
    ...FIREWALL_CHECKS,
    SHUTDOWN_CHECK,
  ];
  for (const check of checks) await t.step(check.name, () => check.play(machine));
}

if (missing.length === 0) {
  Deno.test(NAME, async (t) => {
    const machine = await startMachine();
    try {
      await play(t, machine);
    } finally {
      await machine.end();
    }
  });
} else if (Deno.env.get("CI") === "true") {
  Deno.test(NAME, () => {
    throw new Error(`Cannot play "${NAME}" in CI: ${why}`);
  });
} else {
  Deno.stderr.writeSync(new TextEncoder().encode(`SKIPPED "${NAME}": ${why}\n`));
  Deno.test({ name: `${NAME} [SKIPPED, ${why}]`, ignore: true, fn: () => {} });
}
