/**
 * Checks of processes: units that the compiled hook makes for a guest, and that end with it.
 * @module
 */
import { assertEquals, assertStringIncludes } from "../support/assert.ts";
import type { Check } from "./check.ts";
import type { Machine } from "./machine.ts";

/** Serves with a child in a session of its own, and tells how it was called. */
const SERVE = `#!/bin/sh
printf '%s|%s\\n' "$1" "$VIRT_HOOKS_OBJECT" >>/run/serve.txt
setsid sleep 1007 &
exec sleep 1008
`;

async function writeRule(machine: Machine, argv: string): Promise<void> {
  await machine.write(
    "/etc/virt-hooks/rules.toml",
    `[[rule]]\nname = "serve"\nwhen = { domain = "*" }\nprocess = { argv = ${argv} }\n`,
  );
  await machine.write("/opt/demo/serve", SERVE);
  await machine.must("chmod 755 /opt/demo/serve");
}

/** The units of the product: name and state. */
async function units(machine: Machine): Promise<readonly string[]> {
  const text = await machine.must("systemctl list-units --all --plain --no-legend 'virt-hooks-*'");
  return text.split("\n").filter((line) => line !== "").map((line) => line.split(/\s+/).slice(2, 4).join(" "));
}

/** How many of the processes of the test there are. */
async function sleepers(machine: Machine): Promise<number> {
  const text = await machine.must("cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' '; :");
  return text.match(/sleep 100[78]/g)?.length ?? 0;
}

async function lives(machine: Machine): Promise<void> {
  await writeRule(machine, '["/opt/demo/serve", "$HOME ${domain} %n"]');
  const started = await machine.hook("started");
  assertEquals(started.code, 0, started.stderr);
  assertEquals([await units(machine), await sleepers(machine)], [["active running"], 2]);
  const reconnected = await machine.hook("reconnect");
  assertEquals(reconnected.code, 0, reconnected.stderr);
  assertEquals(await machine.must("cat /run/serve.txt"), "$HOME vm1 %n|vm1\n");
}

async function isStartedAgain(machine: Machine): Promise<void> {
  await machine.must("systemctl kill --signal=KILL 'virt-hooks-*'");
  await machine.must(
    "until [ -z \"$(systemctl list-units --plain --no-legend --state=running 'virt-hooks-*')\" ]; do sleep 0.05; done",
  );
  assertEquals(await units(machine), ["failed failed"]);
  await machine.hook("reconnect");
  assertEquals([await units(machine), await sleepers(machine)], [["active running"], 2]);
}

async function ends(machine: Machine): Promise<void> {
  await machine.hook("stopped");
  const released = await machine.hook("release");
  assertEquals(released.code, 0, released.stderr);
  assertEquals([await units(machine), await sleepers(machine), await machine.ledgerFiles()], [[], 0, ""]);
}

async function endsAtOnce(machine: Machine): Promise<void> {
  await writeRule(machine, '["/usr/bin/false"]');
  const { code, stderr } = await machine.hook("started");
  assertEquals(code, 0);
  assertStringIncludes(stderr, "/usr/bin/false ended with status 1 (exit-code) at once");
  assertEquals([await units(machine), await machine.ledgerFiles()], [[], ""]);
}

/** The checks. */
export const PROCESS_CHECKS: readonly Check[] = [
  { name: "a process is a unit, with its arguments and environment as they are", play: lives },
  { name: "a process that was killed is started again at reconnect", play: isStartedAgain },
  { name: "a process ends with its guest, and all that it started", play: ends },
  { name: "a process that ends at once fails with its status, and leaves no failed unit", play: endsAtOnce },
];
