/**
 * Units that are stopped or started during a guest's lifetime, on a host in memory whose systemd behaves like the
 * real one.
 * @module
 */
import { assertEquals, assertStringIncludes } from "../support/assert.ts";
import { killable } from "../support/killing_sys.ts";
import { type LedgerHost, ledgerHost, statesOf } from "../support/ledger_host.ts";
import { type MemorySystemd, memorySystemd, type MemoryUnit, SYSTEMD_FILES } from "../support/memory_systemd.ts";

const OTHER = { name: "db-1", uuid: "99999999-2222-4333-8444-555555555555" };

function rule(services: string, domain = "*", name = "r"): string {
  return `[[rule]]\nname = "${name}"\nwhen = { domain = "${domain}" }\nservices = ${services}\n`;
}

function systemdHost(
  rules: string,
  units: Readonly<Record<string, MemoryUnit>>,
): { readonly host: LedgerHost; readonly systemd: MemorySystemd } {
  const systemd = memorySystemd(units);
  return { systemd, host: ledgerHost(rules, { programs: systemd.programs, files: SYSTEMD_FILES }) };
}

const STOP = rule('{ stop = ["gdm"] }');

Deno.test("a running unit is stopped during a guest's lifetime, and started again", async () => {
  const { host, systemd } = systemdHost(STOP, { "gdm.service": { active: "active" } });
  const prepared = await host.call("qemu", "prepare");
  assertEquals([prepared.code, prepared.stderr], [0, ""]);
  await host.call("qemu", "release");
  assertEquals([systemd.deeds, host.ledgerFiles()], [["stop gdm.service", "start gdm.service"], []]);
});

for (const active of ["inactive", "failed"]) {
  Deno.test(`a unit that was ${active} before is not started afterwards`, async () => {
    const { host, systemd } = systemdHost(STOP, { "gdm.service": { active } });
    await host.call("qemu", "prepare");
    await host.call("qemu", "release");
    assertEquals([systemd.deeds, host.ledgerFiles()], [[], []]);
  });
}

Deno.test("a unit is started again when the last of two guests stops", async () => {
  const { host, systemd } = systemdHost(STOP, { "gdm.service": { active: "active" } });
  await host.call("qemu", "prepare");
  await host.call("qemu", "prepare", OTHER);
  await host.call("qemu", "release");
  assertEquals(systemd.deeds, ["stop gdm.service"]);
  await host.call("qemu", "release", OTHER);
  assertEquals(systemd.deeds, ["stop gdm.service", "start gdm.service"]);
});

Deno.test("holders that require a unit running and stopped are both named", async () => {
  const rules = rule('{ stop = ["gdm"] }', "web-1", "quiet") + rule('{ start = ["gdm"] }', "db-1", "loud");
  const { host, systemd } = systemdHost(rules, { "gdm.service": { active: "active" } });
  await host.call("qemu", "prepare");
  const refused = await host.call("qemu", "prepare", OTHER);
  assertEquals([refused.code, systemd.deeds], [4, ["stop gdm.service"]]);
  assertStringIncludes(
    refused.stderr,
    'guest "web-1" (rule "quiet") wants stopped, guest "db-1" (rule "loud") wants running',
  );
});

Deno.test("a unit with several names is one resource", async () => {
  const rules = rule('{ stop = ["display-manager"] }', "web-1", "quiet") + rule('{ start = ["gdm"] }', "db-1", "loud");
  const { host } = systemdHost(rules, {
    "gdm.service": { active: "active" },
    "display-manager.service": { active: "active", id: "gdm.service" },
  });
  await host.call("qemu", "prepare");
  assertEquals((await host.call("qemu", "prepare", OTHER)).code, 4);
});

Deno.test("the hook waits for a slow stop", async () => {
  const { host, systemd } = systemdHost(STOP, {
    "gdm.service": { active: "active", stopLooks: 5 },
  });
  const prepared = await host.call("qemu", "prepare");
  assertEquals([prepared.stderr, systemd.units.get("gdm.service")?.active], ["", "inactive"]);
});

Deno.test("a stop that exceeds the deadline is a failure, and the unit is started again", async () => {
  const { host, systemd } = systemdHost(STOP, { "gdm.service": { active: "active", stopLooks: 2000 } });
  const refused = await host.call("qemu", "prepare");
  assertEquals([refused.code, systemd.deeds], [4, ["stop gdm.service", "start gdm.service"]]);
  assertStringIncludes(refused.stderr, "cannot hold gdm.service stopped: it is still stopping at the deadline");
});

Deno.test("a unit that a killed hook left stopping is started again", async () => {
  const { host, systemd } = systemdHost(STOP, { "gdm.service": { active: "active" } });
  await host.call(
    "qemu",
    "prepare",
    {},
    (sys) => killable(sys, { at: () => systemd.deeds.length > 0, moment: "before" }).sys,
  );
  systemd.units.set("gdm.service", { active: "deactivating" });
  await host.call("qemu", "release");
  assertEquals([systemd.deeds, host.ledgerFiles()], [["stop gdm.service", "start gdm.service"], []]);
});

Deno.test("a unit whose stop is queued does not count as running", async () => {
  const { host, systemd } = systemdHost(STOP, { "gdm.service": { active: "active" } });
  await host.call("qemu", "prepare");
  systemd.units.set("gdm.service", { active: "active", job: 7 });
  await host.call("qemu", "release");
  assertEquals(systemd.deeds, ["stop gdm.service", "start gdm.service"]);
});

Deno.test("during shutdown of the host a unit is not started again, and the message says so", async () => {
  const { host, systemd } = systemdHost(STOP, { "gdm.service": { active: "active" } });
  await host.call("qemu", "prepare");
  systemd.answers.set("start", { code: 4, stderr: "Transaction for gdm.service/start is destructive" });
  systemd.answers.set("is-system-running", { code: 1, stdout: "stopping\n" });
  const released = await host.call("qemu", "release");
  assertEquals([released.code, host.ledgerFiles()], [0, []]);
  assertStringIncludes(released.stderr, "not started again, as the host is shutting down");
});

Deno.test("a refused start stays in the ledger", async () => {
  const { host, systemd } = systemdHost(STOP, { "gdm.service": { active: "active" } });
  await host.call("qemu", "prepare");
  systemd.answers.set("start", { code: 4, stderr: "Unit gdm.service is masked." });
  systemd.answers.set("is-system-running", { code: 0, stdout: "running\n" });
  const released = await host.call("qemu", "release");
  assertEquals(released.code, 0);
  assertStringIncludes(released.stderr, "Unit gdm.service is masked.");
  assertEquals(statesOf(host).length, 1);
});

Deno.test("a socket that can start a stopped unit again is noted", async () => {
  const { host } = systemdHost(STOP, {
    "gdm.service": { active: "active", triggeredBy: "gdm.socket gdm.timer" },
    "gdm.socket": { active: "active" },
    "gdm.timer": { active: "inactive" },
  });
  const prepared = await host.call("qemu", "prepare");
  assertStringIncludes(
    JSON.stringify(prepared.history),
    "gdm.service is stopped, but gdm.socket can start it again: stop that too",
  );
});

const REFUSED = [
  { name: "a unit that systemd does not know", unit: undefined, told: "systemd knows no unit gdm.service" },
  {
    name: "an alias of libvirt's own",
    unit: { active: "active", id: "libvirtd.service" },
    told: "gdm.service is libvirtd.service, and a rule may touch no unit of libvirt's own",
  },
];
for (const { name, unit, told } of REFUSED) {
  Deno.test(`services are refused when planned: ${name}`, async () => {
    const { host, systemd } = systemdHost(STOP, unit === undefined ? {} : { "gdm.service": unit });
    const refused = await host.call("qemu", "prepare");
    assertEquals([refused.code, systemd.deeds], [4, []]);
    assertStringIncludes(refused.stderr, told);
  });
}

Deno.test("a masked unit is refused before anything changes", async () => {
  const { host } = systemdHost(rule('{ start = ["gdm"] }'), { "gdm.service": { active: "inactive", load: "masked" } });
  const refused = await host.call("qemu", "prepare");
  assertStringIncludes(refused.stderr, "gdm.service is masked, so it cannot be started");
});

Deno.test("without systemd there are no services", async () => {
  const host = ledgerHost(STOP, { programs: memorySystemd().programs });
  const refused = await host.call("qemu", "prepare");
  assertEquals(refused.code, 4);
  assertStringIncludes(refused.stderr, "this host does not run systemd");
});
