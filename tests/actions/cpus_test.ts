import { assertEquals, assertStringIncludes } from "../support/assert.ts";
import { mistakesIn } from "../support/plan_for.ts";
import { ledgerHost } from "../support/ledger_host.ts";
import { memorySystemd, SYSTEMD_FILES } from "../support/memory_systemd.ts";

function rule(cpus: string, more = ""): string {
  return `[[rule]]\nname = "r"\nwhen = { driver = "qemu" }\n${more}cpus = ${cpus}\n`;
}

const SET = 'true, or a set of CPUs such as "2-5,8"';

const MISTAKES = [
  { name: "a set", text: rule('{ isolate = "2-5,8,^3" }'), told: [] },
  ...['""', '"5-2"', '"a"', '"1,^1"', "false", "3"].map((isolate) => ({
    name: `isolate = ${isolate}`,
    text: rule(`{ isolate = ${isolate} }`),
    told: [`rules.toml:4:20: rule[0].cpus.isolate: found ${isolate}, expected ${SET}`],
  })),
  {
    name: "nothing at all",
    text: rule("{}"),
    told: ["rules.toml:4:8: rule[0].cpus: found a table, expected isolate, governor or both"],
  },
  {
    name: "a governor that is no name",
    text: rule('{ governor = "../x" }'),
    told: [
      'rules.toml:4:21: rule[0].cpus.governor: found "../x", expected the name of a governor, such as "performance"',
    ],
  },
  {
    name: "a network's life",
    text: rule('{ isolate = "1" }', 'while = "network"\n').replace("qemu", "network"),
    told: [
      'rules.toml:5:8: rule[0].cpus: found cpus in a rule for a network, expected a rule with while = "guest"',
    ],
  },
];
for (const { name, text, told } of MISTAKES) {
  Deno.test(`cpus: ${told.length === 0 ? "takes" : "refuses"} ${name}`, async () => {
    assertEquals(await mistakesIn(text), told);
  });
}

const PINS = [
  {
    name: "virtual CPUs and I/O threads that are pinned one by one, not the emulator",
    xml: `<vcpu cpuset='0-7'>2</vcpu><cputune><vcpupin vcpu='0' cpuset='2'/><vcpupin vcpu='1' cpuset='3'/>
      <emulatorpin cpuset='1'/><iothreadpin iothread='1' cpuset='5'/></cputune>`,
    left: "0-1,4,6-7",
  },
  { name: "virtual CPUs that are pinned together", xml: "<vcpu cpuset='4-7'>2</vcpu>", left: "0-3" },
  {
    name: "virtual CPUs of which one is pinned otherwise",
    xml: "<vcpu cpuset='4-5'>2</vcpu><cputune><vcpupin vcpu='0' cpuset='2'/></cputune>",
    left: "0-1,3,6-7",
  },
];
for (const { name, xml, left } of PINS) {
  Deno.test(`isolate = true means ${name}`, async () => {
    const systemd = memorySystemd();
    const host = ledgerHost(rule("{ isolate = true }"), { programs: systemd.programs, files: SYSTEMD_FILES });
    systemd.nodes = host.nodes;
    const prepared = await host.call("qemu", "prepare", { xml });
    assertEquals([prepared.stderr, systemd.allowed.get("system.slice")], ["", left]);
  });
}

Deno.test("isolate = true refuses a guest without pinning, with advice", async () => {
  const host = ledgerHost(rule("{ isolate = true }"), { files: SYSTEMD_FILES });
  const refused = await host.call("qemu", "prepare", { xml: "<vcpu>2</vcpu>" });
  assertEquals(refused.code, 4);
  assertStringIncludes(refused.stderr, "the guest pins no virtual CPU and no I/O thread");
  assertStringIncludes(refused.stderr, 'isolate = "2-5"');
});
