/**
 * Frequency governors, on stand-in files only: no machine that these tests run on has cpufreq.
 * @module
 */
import type { MemoryHost } from "../../lib/sys/memory_sys.ts";
import { assertEquals, assertStringIncludes } from "../support/assert.ts";
import { ledgerHost } from "../support/ledger_host.ts";

const CPU = "/sys/devices/system/cpu";
const OTHER = { name: "db-1", uuid: "99999999-2222-4333-8444-555555555555" };

/** CPUs 0 and 1 change together; 2 is alone; 3 has no cpufreq. */
const FILES: NonNullable<MemoryHost["files"]> = {
  [`${CPU}/online`]: "0-3\n",
  ...Object.fromEntries([0, 1, 2].map((cpu) => [
    `${CPU}/cpu${cpu}/cpufreq`,
    { kind: "symlink", text: `../cpufreq/policy${cpu === 2 ? 2 : 0}` } as const,
  ])),
  [`${CPU}/cpu3/topology`]: "",
  ...Object.fromEntries([0, 2].flatMap((policy) => [
    [`${CPU}/cpufreq/policy${policy}/scaling_governor`, "powersave\n"],
    [`${CPU}/cpufreq/policy${policy}/scaling_available_governors`, "performance powersave \n"],
  ])),
};

function pinned(cpus: string): string {
  return `  <vcpu>1</vcpu>\n  <cputune><vcpupin vcpu='0' cpuset='${cpus}'/></cputune>\n`;
}

function rule(governor: string, domain = "*", name = "r"): string {
  return `[[rule]]\nname = "${name}"\nwhen = { domain = "${domain}" }\ncpus = { governor = "${governor}" }\n`;
}

function policy(number: number): string {
  return `${CPU}/cpufreq/policy${number}/scaling_governor`;
}

Deno.test("stand-in files: a governor is set for a guest's pinned CPUs, and restored", async () => {
  const host = ledgerHost(rule("performance"), { files: FILES });
  const prepared = await host.call("qemu", "prepare", { xml: pinned("2") });
  assertEquals([prepared.stderr, host.text(policy(0)), host.text(policy(2))], ["", "powersave\n", "performance"]);
  await host.call("qemu", "release");
  assertEquals([host.text(policy(2)), host.ledgerFiles()], ["powersave", []]);
});

Deno.test("stand-in files: CPUs of one policy are one resource, restored when the last guest stops", async () => {
  const host = ledgerHost(rule("performance"), { files: FILES });
  await host.call("qemu", "prepare", { xml: pinned("0") });
  await host.call("qemu", "prepare", { ...OTHER, xml: pinned("1") });
  await host.call("qemu", "release");
  assertEquals(host.text(policy(0)), "performance");
  await host.call("qemu", "release", OTHER);
  assertEquals([host.text(policy(0)), host.ledgerFiles()], ["powersave", []]);
});

Deno.test("stand-in files: holders that require different governors are named", async () => {
  const rules = rule("performance", "web-1", "fast") + rule("powersave", "db-1", "slow");
  const host = ledgerHost(rules, { files: FILES });
  await host.call("qemu", "prepare", { xml: pinned("0") });
  const refused = await host.call("qemu", "prepare", { ...OTHER, xml: pinned("1") });
  assertEquals(refused.code, 4);
  assertStringIncludes(
    refused.stderr,
    'guest "web-1" (rule "fast") wants performance, guest "db-1" (rule "slow") wants powersave',
  );
});

Deno.test("stand-in files: a policy whose CPUs went offline counts as restored", async () => {
  const host = ledgerHost(rule("performance"), { files: FILES });
  await host.call("qemu", "prepare", { xml: pinned("2") });
  host.nodes.delete(policy(2));
  const released = await host.call("qemu", "release");
  assertEquals([released.stderr, host.ledgerFiles()], ["", []]);
});

const REFUSED = [
  { name: "one that is not offered", governor: "turbo", cpus: "2", told: "CPU 2 has no governor turbo: it has" },
  {
    name: "a CPU without cpufreq",
    governor: "performance",
    cpus: "3",
    told: "the frequency of CPU 3 cannot be governed",
  },
  { name: "a CPU that is not there", governor: "performance", cpus: "9", told: "this host has no CPU 9" },
];
for (const { name, governor, cpus, told } of REFUSED) {
  Deno.test(`stand-in files: a governor is refused when planned: ${name}`, async () => {
    const host = ledgerHost(rule(governor), { files: FILES });
    const refused = await host.call("qemu", "prepare", { xml: pinned(cpus) });
    assertEquals([refused.code, host.text(policy(2))], [4, "powersave\n"]);
    assertStringIncludes(refused.stderr, told);
  });
}
