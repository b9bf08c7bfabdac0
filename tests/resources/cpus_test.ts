/**
 * CPUs kept free for guests, on a host in memory: under systemd, and with cgroup version 2 alone.
 * @module
 */
import { assertEquals, assertStringIncludes } from "../support/assert.ts";
import { killable } from "../support/killing_sys.ts";
import { type LedgerHost, ledgerHost } from "../support/ledger_host.ts";
import { dropIn, type MemorySystemd, memorySystemd, SYSTEMD_FILES } from "../support/memory_systemd.ts";

const OTHER = { name: "db-1", uuid: "99999999-2222-4333-8444-555555555555" };

function isolating(table: Readonly<Record<string, string>>): string {
  return Object.entries(table).map(([domain, isolate]) =>
    `[[rule]]\nname = "for ${domain}"\nwhen = { domain = "${domain}" }\ncpus = { isolate = "${isolate}" }\n`
  ).join("\n");
}

interface SystemdHost {
  readonly host: LedgerHost;
  readonly systemd: MemorySystemd;
}

function systemdHost(rules: string, files: Readonly<Record<string, string>> = {}): SystemdHost {
  const systemd = memorySystemd();
  const host = ledgerHost(rules, { programs: systemd.programs, files: { ...SYSTEMD_FILES, ...files } });
  systemd.nodes = host.nodes;
  return { host, systemd };
}

function allowed({ allowed }: MemorySystemd): readonly (string | undefined)[] {
  return [...allowed.values()];
}

Deno.test("isolated CPUs are removed from the host's slices, and restored", async () => {
  const { host, systemd } = systemdHost(isolating({ "*": "2-5" }));
  const prepared = await host.call("qemu", "prepare");
  assertEquals([prepared.code, prepared.stderr], [0, ""]);
  assertEquals(allowed(systemd), ["0-1,6-7", "0-1,6-7", "0-1,6-7"]);
  systemd.deeds.length = 0;
  const released = await host.call("qemu", "release");
  assertEquals([released.code, released.stderr, allowed(systemd)], [0, "", ["", "", ""]]);
  const units = ["system.slice", "user.slice", "init.scope"];
  assertEquals(systemd.deeds, [
    ...units.map((unit) => `${unit} 0-15`),
    ...units.map((unit) => `remove /run/systemd/system.control/${unit}.d`),
    "daemon-reload",
  ]);
  assertEquals([host.ledgerFiles(), units.map((unit) => host.text(dropIn(unit)))], [[], [
    undefined,
    undefined,
    undefined,
  ]]);
});

Deno.test("two guests with overlapping CPUs: the union is isolated, and CPUs are restored when no guest needs them", async () => {
  const { host, systemd } = systemdHost(isolating({ "web-1": "2-5", "db-1": "4-6" }));
  await host.call("qemu", "prepare");
  await host.call("qemu", "prepare", OTHER);
  assertEquals(allowed(systemd)[0], "0-1,7");
  await host.call("qemu", "release");
  assertEquals(allowed(systemd)[0], "0-3,7");
  await host.call("qemu", "release", OTHER);
  assertEquals([allowed(systemd)[0], host.ledgerFiles()], ["", []]);
});

Deno.test("a guest that would leave the host no CPU is refused, and all holders are named", async () => {
  const { host, systemd } = systemdHost(isolating({ "web-1": "0-5", "db-1": "6-7" }));
  await host.call("qemu", "prepare");
  const refused = await host.call("qemu", "prepare", OTHER);
  assertEquals([refused.code, allowed(systemd)[0]], [4, "6-7"]);
  assertStringIncludes(
    refused.stderr,
    'guest "web-1" (rule "for web-1") isolates CPUs 0-5, guest "db-1" (rule "for db-1") isolates CPUs 6-7: ' +
      "no CPU would be left to the host's own programs (system.slice has CPUs 0-7)",
  );
});

Deno.test("an administrator's run-time setting is narrowed, and restored", async () => {
  const own = "[Slice]\nAllowedCPUs=\nAllowedCPUs=0-3\n";
  const { host, systemd } = systemdHost(isolating({ "*": "2-5" }), { [dropIn("user.slice")]: own });
  systemd.allowed.set("user.slice", "0-3");
  await host.call("qemu", "prepare");
  assertEquals(allowed(systemd), ["0-1,6-7", "0-1", "0-1,6-7"]);
  await host.call("qemu", "release");
  assertEquals([allowed(systemd), host.text(dropIn("user.slice"))], [["", "0-3", ""], own]);
});

Deno.test("a slice without the isolated CPUs is left alone", async () => {
  const { host, systemd } = systemdHost(isolating({ "*": "2-5" }));
  systemd.allowed.set("user.slice", "0-1");
  systemd.configured.set("user.slice", "0-1");
  const prepared = await host.call("qemu", "prepare");
  assertEquals(systemd.deeds, ["system.slice 0-1,6-7", "init.scope 0-1,6-7"]);
  assertStringIncludes(JSON.stringify(prepared.history), "AllowedCPUs of user.slice comes from a unit file");
});

Deno.test("a change by an administrator is kept", async () => {
  const { host, systemd } = systemdHost(isolating({ "*": "2-5" }));
  await host.call("qemu", "prepare");
  systemd.allowed.set("user.slice", "0-3");
  systemd.nodes.set(dropIn("user.slice"), { kind: "file", uid: 0, mode: 0o644, text: "AllowedCPUs=0-3\n" });
  await host.call("qemu", "reconnect");
  assertEquals(allowed(systemd), ["0-1,6-7", "0-1", "0-1,6-7"]);
  await host.call("qemu", "release");
  assertEquals(allowed(systemd), ["", "0-3", ""]);
});

Deno.test("CPUs that a daemon-reload adds to our setting are removed at reconnect, and do not become the original", async () => {
  const { host, systemd } = systemdHost(isolating({ "*": "2-5" }));
  systemd.allowed.set("user.slice", "0-3");
  systemd.configured.set("user.slice", "0-3");
  await host.call("qemu", "prepare");
  systemd.allowed.set("user.slice", "0-1,0-3");
  await host.call("qemu", "reconnect");
  assertEquals(allowed(systemd)[1], "0-1");
  await host.call("qemu", "release");
  assertEquals([allowed(systemd), host.ledgerFiles()], [["", "0-3", ""], []]);
});

Deno.test("a CPU that comes online meanwhile belongs to the host", async () => {
  const { host, systemd } = systemdHost(isolating({ "*": "2-5" }));
  await host.call("qemu", "prepare");
  host.write("/sys/devices/system/cpu/online", "0-9\n");
  await host.call("qemu", "reconnect");
  assertEquals(allowed(systemd)[0], "0-1,6-9");
});

for (let deeds = 1; deeds <= 7; deeds++) {
  for (const [dying, mending] of [["prepare", "release"], ["release", "daemon start"]] as const) {
    Deno.test(`a hook killed at ${dying} after ${deeds} of its commands is repaired by ${mending}`, async () => {
      const own = "[Slice]\nAllowedCPUs=\nAllowedCPUs=0-3\n";
      const { host, systemd } = systemdHost(isolating({ "*": "2-5" }), { [dropIn("user.slice")]: own });
      systemd.allowed.set("user.slice", "0-3");
      if (dying === "release") await host.call("qemu", "prepare");
      const until = systemd.deeds.length + deeds;
      await host.call(
        "qemu",
        dying,
        {},
        (sys) => killable(sys, { at: () => systemd.deeds.length >= until, moment: "before" }).sys,
      );
      if (mending === "release") await host.call("qemu", "release");
      else await host.call("daemon", "start");
      assertEquals([allowed(systemd), host.ledgerFiles()], [["", "0-3", ""], []]);
      const left = ["system.slice", "user.slice", "init.scope"].map((unit) => host.text(dropIn(unit)));
      assertEquals(left, [undefined, own, undefined]);
    });
  }
}

const REFUSED = [
  {
    name: "a CPU that is offline",
    files: { "/sys/devices/system/cpu/online": "0-3\n" },
    told: "not online: CPUs 4-5; this host has 0-3",
  },
  {
    name: "cpuset in cgroup version 1",
    files: { "/sys/fs/cgroup/cgroup.controllers": "cpu io\n" },
    told: "the cpuset controller of cgroup version 2 is missing",
  },
];
for (const { name, files, told } of REFUSED) {
  Deno.test(`isolation is refused: ${name}`, async () => {
    const { host, systemd } = systemdHost(isolating({ "*": "2-5" }), files);
    const refused = await host.call("qemu", "prepare");
    assertEquals([refused.code, systemd.deeds], [4, []]);
    assertStringIncludes(refused.stderr, told);
  });
}

const CGROUP = "/sys/fs/cgroup";
const CGROUP_FILES = {
  "/sys/devices/system/cpu/online": "0-7\n",
  [`${CGROUP}/cgroup.controllers`]: "cpuset cpu\n",
  [`${CGROUP}/cgroup.subtree_control`]: "cpuset cpu\n",
  [`${CGROUP}/cpu.stat`]: "usage_usec 1\n",
  [`${CGROUP}/system/cpuset.cpus`]: "\n",
  [`${CGROUP}/users/cpuset.cpus`]: "0-3\n",
  [`${CGROUP}/machine/cpuset.cpus`]: "\n",
};

Deno.test("without systemd the cgroups (version 2) are written directly; those of guests are not changed", async () => {
  const host = ledgerHost(isolating({ "*": "2-5" }), { files: CGROUP_FILES });
  const prepared = await host.call("qemu", "prepare");
  const cpus = (): unknown => ["system", "users", "machine"].map((name) => host.text(`${CGROUP}/${name}/cpuset.cpus`));
  assertEquals([prepared.stderr, cpus()], ["", ["0-1,6-7\n", "0-1\n", "\n"]]);
  await host.call("qemu", "release");
  assertEquals([cpus(), host.ledgerFiles()], [["\n", "0-3\n", "\n"], []]);
});

Deno.test("a cgroup with programs accepts no empty list: it gets all possible CPUs", async () => {
  const system = `${CGROUP}/system/cpuset.cpus`;
  const host = ledgerHost(isolating({ "*": "2-5" }), {
    files: { ...CGROUP_FILES, "/sys/devices/system/cpu/possible": "0-15\n" },
    reactions: {
      [system]: (text) => text.trim() === "" ? { kind: "refused", reason: "No space left on device" } : text,
    },
  });
  await host.call("qemu", "prepare");
  const released = await host.call("qemu", "release");
  assertEquals([released.stderr, host.text(system), host.ledgerFiles()], ["", "0-15\n", []]);
  assertEquals(host.text(`${CGROUP}/users/cpuset.cpus`), "0-3\n");
});

Deno.test("new cgroups are narrowed, removed ones are forgotten", async () => {
  const host = ledgerHost(isolating({ "*": "2-5" }), { files: CGROUP_FILES });
  await host.call("qemu", "prepare");
  host.nodes.set(`${CGROUP}/new`, { kind: "directory", uid: 0, mode: 0o755, text: "" });
  host.write(`${CGROUP}/new/cpuset.cpus`, "\n");
  for (const path of [`${CGROUP}/users`, `${CGROUP}/users/cpuset.cpus`]) host.nodes.delete(path);
  const again = await host.call("qemu", "reconnect");
  assertEquals([again.stderr, host.text(`${CGROUP}/new/cpuset.cpus`)], ["", "0-1,6-7\n"]);
  await host.call("qemu", "release");
  assertEquals([host.text(`${CGROUP}/new/cpuset.cpus`), host.ledgerFiles()], ["\n", []]);
});

Deno.test("without systemd the controller must be delegated, and the hint says how", async () => {
  const host = ledgerHost(isolating({ "*": "2-5" }), {
    files: { ...CGROUP_FILES, [`${CGROUP}/cgroup.subtree_control`]: "cpu\n" },
  });
  const refused = await host.call("qemu", "prepare");
  assertEquals(refused.code, 4);
  assertStringIncludes(refused.stderr, "echo +cpuset > /sys/fs/cgroup/cgroup.subtree_control");
});
