/**
 * Checks of isolated CPUs: `AllowedCPUs` before, during and after, also where an administrator has settings of their own.
 * @module
 */
import { assertEquals, assertStringIncludes } from "../support/assert.ts";
import type { Check } from "./check.ts";
import { GUEST, type Guest, type Machine } from "./machine.ts";

const OTHER: Guest = { name: "vm2", uuid: "99999999-5c4f-402c-b7c2-6aea41393623" };
const UNITS = "system.slice user.slice init.scope";
const CONTROLLERS = "/sys/fs/cgroup/cgroup.controllers";
const FOLDERS = "/etc/systemd/system /etc/systemd/system.control /run/systemd/system.control /run/systemd/transient";

async function writeRules(machine: Machine, isolate: string): Promise<void> {
  await machine.write(
    "/etc/virt-hooks/rules.toml",
    `[[rule]]\nname = "quiet"\nwhen = { domain = "*" }\ncpus = { isolate = "${isolate}" }\n`,
  );
}

/** The CPUs of the machine but the last. */
async function allButLast(machine: Machine): Promise<{ readonly last: string; readonly rest: string }> {
  const count = Number((await machine.must("getconf _NPROCESSORS_ONLN")).trim());
  return { last: String(count - 1), rest: count === 2 ? "0" : `0-${count - 2}` };
}

async function allowed(machine: Machine): Promise<readonly string[]> {
  const text = await machine.must(`systemctl show -p AllowedCPUs --value ${UNITS}`);
  return text.trimEnd().split("\n\n").map((value) => value.trim());
}

/** All that systemd says of the units and nothing moves by itself, with every file that settings come from. */
async function settings(machine: Machine): Promise<string> {
  const moving = "Timestamp|NSec|Current|Peak|Tasks|IO|IP|Memory(Available|Z?Swap)|Effective|InvocationID|Pressure";
  const shown = await machine.must(`systemctl show ${UNITS} | grep -Ev '^[A-Za-z]*(${moving})[A-Za-z]*='`);
  const files = await machine.must(
    `find ${FOLDERS} -name '50-*' -o -path '*.d/*' 2>/dev/null | sort | xargs -r grep . ; true`,
  );
  return `${shown.split("\n").map(inOrder).join("\n")}\n${files}`;
}

/** Lists of units have another order after each time systemd reads its files. */
function inOrder(line: string): string {
  const [name = "", ...value] = line.split("=");
  return `${name}=${value.join("=").split(" ").sort().join(" ")}`;
}

/** What one text says and the other does not, line by line. */
function differences(before: string, after: string): readonly string[] {
  const [old, now] = [before.split("\n"), after.split("\n")];
  const gone = old.filter((line) => !now.includes(line)).map((line) => `- ${line}`);
  return [...gone, ...now.filter((line) => !old.includes(line)).map((line) => `+ ${line}`)];
}

async function isAsBefore(machine: Machine, before: string): Promise<void> {
  const after = await settings(machine);
  assertEquals(differences(before, after), []);
  assertEquals(after.length, before.length);
}

async function refusesVersionOne(machine: Machine): Promise<void> {
  await writeRules(machine, "1");
  const refused = await machine.hook("prepare");
  assertEquals(refused.code, 4);
  assertStringIncludes(refused.stderr, "the cpuset controller of cgroup version 2 is missing");
}

async function standIn(machine: Machine): Promise<void> {
  await machine.write("/run/controllers", "cpuset cpu io memory pids\n");
  await machine.must(`mount --bind /run/controllers ${CONTROLLERS}`);
}

async function isolates(machine: Machine): Promise<void> {
  const { last, rest } = await allButLast(machine);
  await writeRules(machine, last);
  // As on a host with somebody logged in; a slice without a group gets one.
  await machine.must("systemctl start user.slice");
  const before = await settings(machine);
  const prepared = await machine.hook("prepare");
  assertEquals([prepared.code, prepared.stderr, await allowed(machine)], [0, "", [rest, rest, rest]]);
  const released = await machine.hook("release");
  assertEquals([released.code, released.stderr], [0, ""]);
  await isAsBefore(machine, before);
  assertEquals(await machine.ledgerFiles(), "");
}

async function keepsAdministrators(machine: Machine): Promise<void> {
  const { last, rest } = await allButLast(machine);
  const all = `0-${last}`;
  await machine.write("/etc/systemd/system/user.slice.d/mine.conf", `[Slice]\nAllowedCPUs=${all}\nCPUWeight=50\n`);
  await machine.must("systemctl daemon-reload");
  await machine.must(`systemctl set-property --runtime system.slice AllowedCPUs=${all}`);
  await machine.must("systemctl set-property --runtime system.slice CPUWeight=70");
  await machine.must("systemctl set-property --runtime init.scope CPUWeight=80");
  // Read once by systemd, so that what was set and what is in files are one.
  await machine.must("systemctl daemon-reload");
  const before = await settings(machine);
  await writeRules(machine, last);
  assertEquals((await machine.hook("prepare")).code, 0);
  assertEquals(await allowed(machine), [rest, rest, rest]);
  await machine.must("systemctl daemon-reload");
  assertEquals(await allowed(machine), [rest, all, rest]);
  assertEquals((await machine.hook("reconnect")).code, 0);
  assertEquals(await allowed(machine), [rest, rest, rest]);
  assertEquals((await machine.hook("release")).stderr, "");
  await isAsBefore(machine, before);
}

async function countsGuests(machine: Machine): Promise<void> {
  const { last, rest } = await allButLast(machine);
  await writeRules(machine, last);
  const before = await settings(machine);
  await machine.hook("prepare");
  await machine.hook("prepare", OTHER);
  await machine.hook("release");
  assertEquals(await allowed(machine), [rest, rest, rest]);
  await machine.hook("release", OTHER);
  await isAsBefore(machine, before);
}

async function leavesOne(machine: Machine): Promise<void> {
  const { last } = await allButLast(machine);
  await writeRules(machine, `0-${last}`);
  const before = await settings(machine);
  const refused = await machine.hook("prepare");
  assertEquals(refused.code, 4);
  assertStringIncludes(refused.stderr, `guest "${GUEST.name}" (rule "quiet") isolates CPUs 0-${last}`);
  await isAsBefore(machine, before);
}

/** Where the kernel has cpuset in version 2, programs really are kept off; elsewhere only what systemd says can be seen. */
export async function cpuChecks(machine: Machine): Promise<readonly Check[]> {
  const hasCpuset = (await machine.must(`cat ${CONTROLLERS}`)).split(/\s+/).includes("cpuset");
  const seen = hasCpuset ? "" : " (as systemd tells it: this kernel has cpuset in version 1, so no effect can be seen)";
  const before: readonly Check[] = hasCpuset
    ? []
    : [{ name: "isolation is refused where cpuset is in cgroup version 1", play: refusesVersionOne }, {
      name: "a stand-in for the kernel's list of controllers is mounted, which has cpuset",
      play: standIn,
    }];
  return [
    ...before,
    { name: `isolated CPUs are taken from the slices and given back, and nothing is left${seen}`, play: isolates },
    { name: `an administrator's own settings are narrowed and stand as before${seen}`, play: keepsAdministrators },
    { name: `the last of two guests gives the CPUs back${seen}`, play: countsGuests },
    { name: "a guest that would leave the host no CPU is refused, and nothing is set", play: leavesOne },
  ];
}
