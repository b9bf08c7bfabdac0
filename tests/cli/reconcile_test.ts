/** What `reconcile`, `release` and `enable` do, tell and leave alone. */
import { admin, snapshot } from "../support/admin.ts";
import { assertEquals, assertStringIncludes } from "../support/assert.ts";
import { poolHost } from "../support/hugepage_host.ts";
import { type LedgerHost, ledgerHost, UUID } from "../support/ledger_host.ts";

const SWAPPINESS = "/proc/sys/vm/swappiness";
const RATIO = "/proc/sys/vm/dirty_ratio";
const FILES = { [SWAPPINESS]: "60\n", [RATIO]: "20\n", "/run/libvirt/qemu/x": "" };
const DB = { name: "db-1", uuid: "99999999-2222-4333-8444-555555555555" };
const ID = `qemu/domain/${UUID}`;

function rule(name: string, sysctl: string): string {
  return `[[rule]]\nname = "${name}"\nwhen = { domain = "*" }\nsysctl = { ${sysctl} }\n`;
}

const RULES = rule("calm", '"vm.swappiness" = 1');

function makeHost(): LedgerHost {
  return ledgerHost(RULES, { files: FILES });
}

function statusFile(host: LedgerHost, name = "web-1", uuid = UUID): void {
  const domain = `<domain type='kvm' id='3'>\n<name>${name}</name>\n<uuid>${uuid}</uuid>\n</domain>`;
  host.write(`/run/libvirt/qemu/${name}.xml`, `<domstatus state='running'>\n<vcpus/>\n${domain}\n</domstatus>\n`);
}

async function running(host: LedgerHost): Promise<void> {
  await host.call("qemu", "prepare");
  statusFile(host);
  await host.call("qemu", "started");
}

async function ended(host: LedgerHost): Promise<void> {
  await running(host);
  host.nodes.delete("/run/libvirt/qemu/web-1.xml");
}

const GONE = 'guest "web-1" (qemu) is gone: it ran, and libvirt has no status of it in /run/libvirt/qemu any more';

Deno.test("reconcile releases what the dead hold", async () => {
  const host = makeHost();
  await ended(host);
  assertEquals(await admin(host, ["reconcile"]), {
    code: 0,
    lines: [`${GONE}: released`, "  sysctl/vm/swappiness: 1 → 60, as before", "1 holder released, 1 resource changed"],
    stderr: "",
  });
  assertEquals([host.text(SWAPPINESS), host.ledgerFiles()], ["60", []]);
});

Deno.test("reconcile --dry-run tells the same and changes nothing", async () => {
  const host = makeHost();
  await ended(host);
  const before = snapshot(host);
  assertEquals((await admin(host, ["reconcile", "--dry-run"])).lines, [
    `${GONE}: would be released`,
    "would change: sysctl/vm/swappiness: 1 → 60, as before",
    "Nothing was done: this was a dry run",
  ]);
  assertEquals(snapshot(host), before);
});

Deno.test("reconcile leaves the living alone, and brings back what somebody else changed", async () => {
  const host = makeHost();
  await running(host);
  host.write(SWAPPINESS, "33\n");
  assertEquals((await admin(host, ["reconcile"])).lines, [
    'guest "web-1" (qemu) exists',
    "sysctl/vm/swappiness: 33 → 1",
    "0 holders released, 1 resource changed",
  ]);
  assertEquals(
    (await admin(host, ["reconcile"])).lines.at(-1),
    "Nothing to do",
  );
});

Deno.test("reconcile releases who may be starting only with --stale", async () => {
  const host = makeHost();
  await host.call("qemu", "prepare");
  const left = await admin(host, ["reconcile"]);
  assertEquals([left.code, left.lines[1], host.text(SWAPPINESS)], [
    0,
    `  if you know that it is gone: virt-hooks release ${ID}`,
    "1",
  ]);
  const done = await admin(host, ["reconcile", "--stale"]);
  assertEquals([done.code, done.lines.at(-1), host.text(SWAPPINESS)], [
    0,
    "1 holder released, 1 resource changed",
    "60",
  ]);
});

Deno.test("reconcile tells what fails, and ends with 4", async () => {
  const reactions = {
    [SWAPPINESS]: (text: string) => text === "60" ? { kind: "refused", reason: "Busy" } as const : text,
  };
  const host = ledgerHost(RULES, { files: FILES, reactions });
  await ended(host);
  const { code, lines } = await admin(host, ["reconcile"]);
  assertEquals([code, lines[1], lines.at(-1)], [
    4,
    "  sysctl/vm/swappiness: FAILED: Busy",
    '1 holder released, 0 resources changed, 1 FAILED: "virt-hooks status" shows them',
  ]);
});

Deno.test("reconcile says that nothing is held", async () => {
  assertEquals((await admin(makeHost(), ["reconcile"])).lines, ["Nothing is held"]);
});

Deno.test("reconcile works while the hooks are disabled, and says so", async () => {
  const host = makeHost();
  await ended(host);
  host.write("/etc/virt-hooks/disabled", "x");
  const { lines } = await admin(host, ["reconcile"]);
  assertStringIncludes(lines[0] ?? "", "/etc/virt-hooks/disabled is there: reconcile works all the same");
  assertEquals(host.text(SWAPPINESS), "60");
});

Deno.test("reconcile --rules brings a running guest to edited rules, without a detour", async () => {
  const written: string[] = [];
  const reactions = { [SWAPPINESS]: (text: string) => (written.push(text), text) };
  const host = ledgerHost(rule("calm", '"vm.swappiness" = 1, "vm.dirty_ratio" = 5'), { files: FILES, reactions });
  await running(host);
  host.write("/etc/virt-hooks/rules.toml", rule("renamed", '"vm.swappiness" = 7'));
  const before = snapshot(host);
  const foretold = await admin(host, ["reconcile", "--rules", "--dry-run"]);
  assertEquals(foretold.lines, [
    "guest web-1 (qemu):",
    '  - sysctl/vm/swappiness  (rule "calm")',
    '  - sysctl/vm/dirty_ratio  (rule "calm")',
    '  + sysctl vm.swappiness = 7  (rule "renamed")',
    "  now sysctl/vm/swappiness: 1 → 7",
    "  first restores what it still holds: sysctl/vm/dirty_ratio: 5 → 20, as before",
    "1 running guest would change, 0 would not",
    "Nothing was done: this was a dry run",
  ]);
  assertEquals(snapshot(host), before);
  const done = await admin(host, ["reconcile", "--rules"]);
  assertEquals([done.code, ...done.lines], [
    0,
    "guest web-1 (qemu):",
    "  restored sysctl/vm/dirty_ratio: 5 → 20, as before",
    "  sysctl/vm/swappiness: 1 → 7",
  ]);
  assertEquals([written, host.text(RATIO)], [["1", "7"], "20"]);
  await host.call("qemu", "release");
  assertEquals([host.text(SWAPPINESS), host.ledgerFiles()], ["60", []]);
});

Deno.test("reconcile --rules reaches a guest that held nothing, and knows it as running from then on", async () => {
  const host = ledgerHost("", { files: FILES });
  statusFile(host);
  host.write("/etc/virt-hooks/rules.toml", RULES);
  assertEquals((await admin(host, ["reconcile", "--rules"])).code, 0);
  assertEquals(host.text(SWAPPINESS), "1");
  host.nodes.delete("/run/libvirt/qemu/web-1.xml");
  await admin(host, ["reconcile"]);
  assertEquals(host.text(SWAPPINESS), "60");
});

Deno.test("reconcile --rules fails where it cannot read what runs, and reaches the other guests", async () => {
  const host = makeHost();
  host.write("/run/libvirt/qemu/a.xml", "<domstatus>");
  statusFile(host);
  const { code, lines } = await admin(host, ["reconcile", "--rules"]);
  assertEquals([code, host.text(SWAPPINESS)], [4, "1"]);
  assertStringIncludes(lines[1] ?? "", "FAILED: left alone: /run/libvirt/qemu/a.xml: ");
});

Deno.test("reconcile --rules leaves guests alone when the rules are broken", async () => {
  const host = makeHost();
  await running(host);
  host.write("/etc/virt-hooks/rules.toml", "x = 1\n");
  const { code, lines } = await admin(host, ["reconcile", "--rules"]);
  assertEquals([code, lines.at(-1), host.text(SWAPPINESS)], [
    3,
    "The rules are broken: guests keep what they hold",
    "1",
  ]);
});

Deno.test("reconcile --rules tells which guest cannot have what the rules want", async () => {
  const host = makeHost();
  await running(host);
  host.write("/etc/virt-hooks/rules.toml", rule("calm", '"vm.swappiness" = 1, "vm.no_such_key" = 1'));
  const { code, lines } = await admin(host, ["reconcile", "--rules"]);
  assertEquals([
    code,
    lines.includes("  FAILED: cannot hold sysctl vm.no_such_key = 1: there is no /proc/sys/vm/no_such_key"),
  ], [
    4,
    true,
  ]);
  assertEquals(host.text(SWAPPINESS), "1");
});

Deno.test("reconcile --rules leaves a running guest the memory that it has", async () => {
  const pools = poolHost({ availableMib: 2300 });
  const large = '[[rule]]\nname = "large"\nwhen = { domain = "*" }\nhugepages = { pages = 1000 }\n';
  const host = ledgerHost(large, { ...pools.host, files: { ...FILES, ...pools.host.files } });
  await running(host);
  const { code, lines } = await admin(host, ["reconcile", "--rules"]);
  assertEquals([code, lines.at(-1), pools.pages(host)], [
    0,
    "Nothing to do",
    [1000],
  ]);
});

Deno.test("reconcile --rules takes nothing from a guest for which it cannot do better", async () => {
  const host = ledgerHost(rule("calm", '"vm.swappiness" = 1, "vm.dirty_ratio" = 5'), { files: FILES });
  await running(host);
  await host.call("qemu", "prepare", DB);
  host.write("/etc/virt-hooks/rules.toml", rule("calm", '"vm.swappiness" = 7'));
  const refused = "FAILED: cannot hold sysctl vm.swappiness = 7";
  const foretold = await admin(host, ["reconcile", "--rules", "--dry-run"]);
  assertEquals(foretold.lines.filter((line) => line.includes("restores")), []);
  const { code, lines } = await admin(host, ["reconcile", "--rules"]);
  assertEquals([code, lines.some((line) => line.includes(refused))], [4, true]);
  await host.call("qemu", "release", DB);
  assertEquals([host.text(SWAPPINESS), host.text(RATIO)], ["1", "5"]);
  await host.call("qemu", "release");
  assertEquals([host.text(SWAPPINESS), host.text(RATIO), host.ledgerFiles()], ["60", "20", []]);
});

const PAGES = 'hugepages = { pages = 64, on_error = "fail" }';
for (
  const { what, edited, failed, written } of [
    {
      what: "the kernel refuses the new",
      edited: rule("renamed", '"vm.swappiness" = 7'),
      failed: "cannot hold sysctl vm.swappiness = 7: Invalid argument",
      written: ["1", "7"],
    },
    {
      what: "something that decides fails behind it",
      edited: `${rule("renamed", '"vm.swappiness" = 5')}${PAGES}\n`,
      failed: "the kernel found memory for only 10 of 64",
      written: ["1", "5", "1"],
    },
  ]
) {
  Deno.test(`reconcile --rules: a running guest keeps what it had, without a detour, where ${what}`, async () => {
    const writes: string[] = [];
    const refused = { kind: "refused", reason: "Invalid argument" } as const;
    const pools = poolHost({ nodes: [{ findable: 10 }] });
    const host = ledgerHost(RULES, {
      files: { ...FILES, ...pools.host.files },
      reactions: {
        ...pools.host.reactions,
        [SWAPPINESS]: (text) => (writes.push(text), text === "7" ? refused : text),
      },
    });
    await running(host);
    host.write("/etc/virt-hooks/rules.toml", edited);
    const { code, lines } = await admin(host, ["reconcile", "--rules"]);
    assertEquals([code, lines.some((line) => line.includes(failed))], [4, true]);
    assertEquals([host.text(SWAPPINESS), writes, pools.pages(host)], ["1", written, [0]]);
    await host.call("qemu", "release");
    assertEquals([host.text(SWAPPINESS), host.ledgerFiles()], ["60", []]);
  });
}

function newRule(action: string): string {
  return `[[rule]]\nname = "new"\nwhen = { domain = "*" }\n${action}\n`;
}

for (
  const { what, edited } of [
    { what: "comes first", edited: newRule('services = { stop = ["x"], on_error = "fail" }') + RULES },
    { what: "cannot be planned", edited: newRule("hugepages = {}") },
  ]
) {
  Deno.test(`reconcile --rules takes nothing from a guest where what fails ${what}`, async () => {
    const host = makeHost();
    await running(host);
    host.write("/etc/virt-hooks/rules.toml", edited);
    const { code, lines } = await admin(host, ["reconcile", "--rules"]);
    assertEquals([code, lines.filter((line) => line.includes("restored ")), host.text(SWAPPINESS)], [4, [], "1"]);
  });
}

const HOLDERS = [["web-1"], [ID], [`domain:${UUID}`], ["--holder", "web-1"]];

for (const holder of HOLDERS) {
  Deno.test(`release takes ${holder.join(" ")}, and restores what it holds`, async () => {
    const host = makeHost();
    await host.call("qemu", "prepare");
    const { code, lines } = await admin(host, ["release", ...holder, "--yes"]);
    assertEquals([code, lines[0], lines.slice(-2)], [
      0,
      `guest "web-1" (qemu), ${ID}`,
      ['guest "web-1" (qemu): released', "  sysctl/vm/swappiness: 1 → 60, as before"],
    ]);
    assertEquals([host.text(SWAPPINESS), host.ledgerFiles()], ["60", []]);
  });
}

Deno.test("release does not ask where nobody can answer", async () => {
  const host = makeHost();
  await host.call("qemu", "prepare");
  const { code, lines, stderr } = await admin(host, ["release", "web-1"]);
  assertEquals([code, lines.at(-1), host.text(SWAPPINESS)], [
    2,
    "  would be restored: sysctl/vm/swappiness: 1 → 60, as before",
    "1",
  ]);
  assertStringIncludes(stderr, "stdin is no terminal\nhint: --yes releases without asking\n");
});

const ANSWERS = [
  { answer: true, code: 0, value: "60" },
  { answer: false, code: 1, value: "1" },
];

for (const { answer, code, value } of ANSWERS) {
  Deno.test(`release asks, and heeds a ${answer ? "yes" : "no"}`, async () => {
    const host = makeHost();
    await running(host);
    const questions: string[] = [];
    const ask = (question: string): boolean => (questions.push(question), answer);
    const said = await admin(host, ["release", "web-1"], { terminal: { stdinIsTerminal: true, ask } });
    assertEquals([said.code, questions, host.text(SWAPPINESS)], [
      code,
      ['Release what guest "web-1" (qemu) holds?'],
      value,
    ]);
    assertEquals(said.lines.slice(1, 3), [
      "  exists",
      "  Warning: this guest is running and will lose these resources",
    ]);
  });
}

Deno.test("release says who else holds it", async () => {
  const host = makeHost();
  await host.call("qemu", "prepare");
  await host.call("qemu", "prepare", DB);
  const { lines } = await admin(host, ["release", "web-1"]);
  assertEquals(
    lines.at(-1),
    '  would be restored: sysctl/vm/swappiness: stays 1, still in use by: guest "db-1" (rule "calm")',
  );
});

const REFUSED = [
  { name: "nobody", args: ["nobody"], told: 'Cannot release "nobody": no holder has this name or id' },
  { name: "no holder", args: [], told: "Cannot release: it takes HOLDER or --resource" },
  { name: "two holders", args: ["web-1", "--holder", "db-1"], told: "Cannot release: it takes HOLDER or --resource" },
  {
    name: "a name that two have",
    args: ["web-1"],
    told: 'Cannot release "web-1": 2 holders have this name',
  },
];

for (const { name, args, told } of REFUSED) {
  Deno.test(`release refuses ${name}`, async () => {
    const host = makeHost();
    await host.call("qemu", "prepare");
    await host.call("qemu", "prepare", { name: "web-1", uuid: DB.uuid });
    const { code, stderr } = await admin(host, ["release", ...args, "--yes"]);
    assertEquals([code === 0, host.text(SWAPPINESS)], [false, "1"]);
    assertStringIncludes(stderr, told);
  });
}

Deno.test("enable first gives back what guests held that ended meanwhile", async () => {
  const host = makeHost();
  await running(host);
  await admin(host, ["disable"]);
  await host.call("qemu", "release");
  host.nodes.delete("/run/libvirt/qemu/web-1.xml");
  assertEquals(host.text(SWAPPINESS), "1");
  const { code, lines } = await admin(host, ["enable"]);
  assertEquals([code, lines, host.text(SWAPPINESS)], [0, [
    `${GONE}: released`,
    "  sysctl/vm/swappiness: 1 → 60, as before",
    "1 holder released, 1 resource changed",
    "Hooks enabled",
  ], "60"]);
});

Deno.test("enable names who is stale with the command that releases", async () => {
  const host = makeHost();
  await host.call("qemu", "prepare");
  await admin(host, ["disable"]);
  const { lines } = await admin(host, ["enable"]);
  assertEquals(lines[1], `  if you know that it is gone: virt-hooks release ${ID}`);
});

Deno.test("enable enables although the ledger cannot be used", async () => {
  const host = makeHost();
  await host.call("qemu", "prepare");
  await admin(host, ["disable"]);
  host.nodes.set("/run/virt-hooks", { kind: "directory", text: "", uid: 1000, mode: 0o755 });
  const { code, lines } = await admin(host, ["enable"]);
  assertStringIncludes(lines[0] ?? "", "Not reconciled: Cannot use /run/virt-hooks");
  assertEquals([code, host.nodes.has("/etc/virt-hooks/disabled")], [4, false]);
});

for (const args of [["reconcile"], ["release", "x"]]) {
  Deno.test(`${args[0]} is root's`, async () => {
    assertStringIncludes((await admin(makeHost(), args, { uid: 1000 })).stderr, "only root can");
  });
}
