/**
 * The compiled hook on a host that a real systemd runs: one boot, and every check a step of its own.
 * @module
 */
import type { Check } from "./check.ts";
import { cpuChecks } from "./cpus.ts";
import { FIREWALL_CHECKS } from "./firewall.ts";
import { type Machine, startMachine } from "./machine.ts";
import { missingForSystemd } from "./prerequisites.ts";
import { NAME_CHECKS } from "./names.ts";
import { fetchPackage } from "./packages.ts";
import { PROCESS_CHECKS } from "./processes.ts";
import { SERVICE_CHECKS, SHUTDOWN_CHECK } from "./services.ts";

const NAME = "services, processes, CPUs, firewalls and names under a real systemd";
const missing = missingForSystemd();
const why = `missing prerequisites: ${missing.join("; ")}`;

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

async function play(t: Deno.TestContext, machine: Machine, hasResolved: boolean): Promise<void> {
  const checks: readonly Check[] = [
    ...SERVICE_CHECKS,
    ...PROCESS_CHECKS,
    ...await cpuChecks(machine),
    ...FIREWALL_CHECKS,
    ...(hasResolved ? NAME_CHECKS : []),
    SHUTDOWN_CHECK,
  ];
  for (const check of checks) await t.step(check.name, () => check.play(machine));
}

if (missing.length === 0) {
  Deno.test(NAME, async (t) => {
    const resolved = await fetchResolved();
    const machine = await startMachine(resolved);
    try {
      await play(t, machine, resolved !== undefined);
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
