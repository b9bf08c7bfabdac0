/**
 * Checks of services: units of the test's own, stopped and started by the compiled hook.
 * @module
 */
import { until } from "../e2e/until.ts";
import { assertEquals, assertStringIncludes } from "../support/assert.ts";
import type { Check } from "./check.ts";
import { GUEST, type Machine } from "./machine.ts";

const UNITS = {
  "runs.service": "[Service]\nExecStart=sleep infinity\n",
  "rests.service": "[Service]\nExecStart=sleep infinity\n",
  "slow.service": "[Service]\nExecStart=sleep infinity\nExecStop=sleep 2\n",
  // For systemd it is never up; one of another type is, until its program has ended.
  "broken.service": "[Service]\nType=oneshot\nExecStart=false\n",
  "listens.socket": "[Socket]\nListenStream=/run/listens\n",
  "listens.service": "[Service]\nExecStart=sleep infinity\n",
} as const;

async function writeRule(machine: Machine, services: string): Promise<void> {
  await machine.write(
    "/etc/virt-hooks/rules.toml",
    `[[rule]]\nname = "quiet"\nwhen = { domain = "*" }\nservices = ${services}\n`,
  );
}

async function stateOf(machine: Machine, unit: string): Promise<string> {
  return (await machine.must(`systemctl show -p ActiveState --value ${unit}`)).trim();
}

async function makeUnits(machine: Machine): Promise<void> {
  for (const [unit, text] of Object.entries(UNITS)) await machine.write(`/etc/systemd/system/${unit}`, text);
  await machine.must("systemctl daemon-reload && systemctl start runs slow listens.socket listens");
}

async function stopsAndStarts(machine: Machine): Promise<void> {
  await makeUnits(machine);
  await writeRule(machine, '{ stop = ["runs"], start = ["rests"] }');
  const prepared = await machine.hook("prepare");
  assertEquals([prepared.code, prepared.stderr], [0, ""]);
  assertEquals([await stateOf(machine, "runs"), await stateOf(machine, "rests")], ["inactive", "active"]);
  const released = await machine.hook("release");
  assertEquals([released.code, released.stderr], [0, ""]);
  assertEquals([await stateOf(machine, "runs"), await stateOf(machine, "rests")], ["active", "inactive"]);
  assertEquals(await machine.ledgerFiles(), "");
}

async function leavesWhatRested(machine: Machine): Promise<void> {
  await writeRule(machine, '{ stop = ["rests"] }');
  await machine.hook("prepare");
  await machine.hook("release");
  assertEquals(await stateOf(machine, "rests"), "inactive");
}

async function survivesKill(machine: Machine): Promise<void> {
  await writeRule(machine, '{ stop = ["slow"] }');
  const called = machine.run(`echo $$ >/shared/pid; exec ${machine.hookCommand("prepare")}`);
  await until("slow.service to be stopping", async () => await stateOf(machine, "slow") === "deactivating");
  await machine.must("kill -9 $(cat /shared/pid)");
  assertEquals((await called).code, 137);
  assertEquals(await stateOf(machine, "slow"), "deactivating");
  const released = await machine.hook("release");
  assertEquals([released.code, released.stderr], [0, ""]);
  assertEquals([await stateOf(machine, "slow"), await machine.ledgerFiles()], ["active", ""]);
}

async function putsBackAfterFailure(machine: Machine): Promise<void> {
  await writeRule(machine, '{ stop = ["runs"], start = ["broken"] }');
  const refused = await machine.hook("prepare");
  assertEquals(refused.code, 4);
  assertStringIncludes(refused.stderr, "cannot hold broken.service running: it is stopped, not running");
  assertEquals([await stateOf(machine, "runs"), await machine.ledgerFiles()], ["active", ""]);
}

async function refusesUnknown(machine: Machine): Promise<void> {
  await writeRule(machine, '{ stop = ["runs", "nobody-knows-me"] }');
  const refused = await machine.hook("prepare");
  assertEquals(refused.code, 4);
  assertStringIncludes(refused.stderr, "systemd knows no unit nobody-knows-me.service");
  assertEquals(await stateOf(machine, "runs"), "active");
}

async function notesSocket(machine: Machine): Promise<void> {
  await writeRule(machine, '{ stop = ["listens"] }');
  await machine.hook("prepare");
  assertStringIncludes(
    await machine.lastHistory(),
    "listens.service is stopped, but listens.socket can start it again",
  );
  await machine.hook("release");
  assertEquals(await stateOf(machine, "listens"), "active");
}

async function keepsLibvirtsAlias(machine: Machine): Promise<void> {
  await machine.write("/etc/systemd/system/virtqemud.service", "[Service]\nExecStart=sleep infinity\n");
  await machine.must("ln -s virtqemud.service /etc/systemd/system/vms.service && systemctl daemon-reload");
  await writeRule(machine, '{ stop = ["vms"] }');
  const refused = await machine.hook("prepare");
  assertEquals(refused.code, 4);
  assertStringIncludes(refused.stderr, "vms.service is virtqemud.service");
}

/** Ends the machine: it comes last. */
async function shutsDown(machine: Machine): Promise<void> {
  await writeRule(machine, '{ stop = ["runs"] }');
  assertEquals((await machine.hook("prepare")).code, 0);
  const atStop = [
    `${machine.hookCommand("release", GUEST)} 2>/shared/stderr`,
    "tail -n 1 /var/log/virt-hooks/history.jsonl >/shared/history",
    "find /run/virt-hooks/ledger/resources -name '*.json' >/shared/ledger",
  ];
  await machine.write("/root/stop-guests", `${atStop.join("\n")}\n`);
  await machine.write(
    "/etc/systemd/system/guests.service",
    "[Unit]\nRequiresMountsFor=/shared\n[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=true\nExecStop=sh /root/stop-guests\n",
  );
  await machine.must("systemctl daemon-reload && systemctl start guests && systemctl --no-block poweroff");
  const stderr = await until("the last guest to be released", async () => {
    const ledger = await Deno.stat(`${machine.shared}/ledger`).catch(() => undefined);
    return ledger !== undefined && { text: await Deno.readTextFile(`${machine.shared}/stderr`) };
  });
  assertStringIncludes(stderr.text, "not started again, as the host is shutting down");
  assertEquals(await Deno.readTextFile(`${machine.shared}/ledger`), "");
  await machine.ended;
}

/** What services are checked for. */
export const SERVICE_CHECKS: readonly Check[] = [
  { name: "what runs is stopped and started again, what rests is started and stopped again", play: stopsAndStarts },
  { name: "what rested before is not started afterwards", play: leavesWhatRested },
  { name: "a hook killed in the middle of a stop: release starts the unit again", play: survivesKill },
  {
    name: "a unit that does not start refuses the guest, and what was stopped for it runs again",
    play: putsBackAfterFailure,
  },
  { name: "a unit that systemd does not know is refused before anything is stopped", play: refusesUnknown },
  { name: "a socket that can start a stopped unit again is noted", play: notesSocket },
  { name: "another name of libvirt's own unit is refused", play: keepsLibvirtsAlias },
];

/** Switches the machine off. */
export const SHUTDOWN_CHECK: Check = {
  name: "while the host shuts down a unit is not started again, and the ledger is done with it",
  play: shutsDown,
};
