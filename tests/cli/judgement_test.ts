/** What `status`, `check` and `check --host` say alike of the hooks, the rules and the guests that run. */
import { admin, snapshot } from "../support/admin.ts";
import { assertEquals } from "../support/assert.ts";
import { ELF_START } from "../support/elf.ts";
import { type LedgerHost, ledgerHost, UUID } from "../support/ledger_host.ts";

const FILES = { "/proc/sys/vm/swappiness": "60\n", "/proc/sys/vm/dirty_ratio": "20\n", "/run/libvirt/qemu/x": "" };
const RULES_FILE = "/etc/virt-hooks/rules.toml";

function rule(name: string, sysctl: string): string {
  return `[[rule]]\nname = "${name}"\nwhen = { domain = "*" }\nsysctl = { ${sysctl} }\n`;
}

const CALM = rule("calm", '"vm.swappiness" = 1');

/** A guest that runs with what the rules give it. */
async function running(rules = CALM): Promise<LedgerHost> {
  const host = ledgerHost(rules, { files: FILES });
  await host.call("qemu", "prepare");
  host.write(
    "/run/libvirt/qemu/web-1.xml",
    `<domstatus><domain><name>web-1</name><uuid>${UUID}</uuid></domain></domstatus>`,
  );
  await host.call("qemu", "started");
  return host;
}

const DIFFERS = "1 running guest differs from the rules (web-1)";

const CASES = [
  { name: "the same rules", edited: CALM, differs: false },
  { name: "another value", edited: rule("calm", '"vm.swappiness" = 7'), differs: true },
  { name: "one more key", edited: rule("calm", '"vm.swappiness" = 1, "vm.dirty_ratio" = 5'), differs: true },
  { name: "no rule any more", edited: "", differs: true },
  { name: "another name of the rule", edited: rule("renamed", '"vm.swappiness" = 1'), differs: false },
  { name: "a rule for other guests", edited: CALM.replace('"*"', '"db-*"'), differs: true },
  {
    name: "a rule for networks beside it",
    edited: `${CALM}${
      CALM.replace("calm", "net").replace('domain = "*"', 'network = "x"').replace(
        "sysctl",
        'while = "network"\nsysctl',
      )
    }`,
    differs: false,
  },
];

for (const { name, edited, differs } of CASES) {
  Deno.test(`status, check and check --host agree whether a guest that runs differs: ${name}`, async () => {
    const host = await running();
    host.write(RULES_FILE, edited);
    const before = snapshot(host);
    const [status, check, checkHost] = [
      await admin(host, ["status"]),
      await admin(host, ["check"]),
      await admin(host, ["check", "--host"]),
    ];
    const json = await admin(host, ["status", "--json"]);
    const foretold = await admin(host, ["reconcile", "--rules", "--dry-run", "--exit-code"]);
    assertEquals(
      [status, check, checkHost].map(({ lines }) => lines.some((line) => line.includes(DIFFERS))),
      [differs, differs, differs],
    );
    assertEquals([status.code, check.code, checkHost.code, foretold.code], differs ? [1, 0, 0, 10] : [0, 0, 0, 0]);
    assertEquals(JSON.parse(json.lines[0] ?? "").ok, !differs);
    assertEquals(snapshot(host), before);
  });
}

Deno.test("status --json tells how many demands the rules add and remove", async () => {
  const host = await running();
  host.write(RULES_FILE, rule("calm", '"vm.swappiness" = 1, "vm.dirty_ratio" = 5'));
  const { guests } = JSON.parse((await admin(host, ["status", "--json"])).lines[0] ?? "");
  assertEquals(guests, { differing: [{ name: "web-1", driver: "qemu", added: 1, removed: 0 }], unknown: [] });
});

Deno.test("reconcile --rules ends the difference", async () => {
  const host = await running();
  host.write(RULES_FILE, rule("calm", '"vm.swappiness" = 7'));
  assertEquals((await admin(host, ["reconcile", "--rules", "--exit-code"])).code, 0);
  assertEquals((await admin(host, ["status"])).code, 0);
  assertEquals((await admin(host, ["reconcile", "--rules", "--dry-run", "--exit-code"])).code, 0);
});

Deno.test("reconcile --exit-code tells what failed from what is pending", async () => {
  const host = await running();
  host.write(RULES_FILE, rule("calm", '"vm.no_such_key" = 7'));
  assertEquals((await admin(host, ["reconcile", "--rules", "--exit-code"])).code, 1);
  host.write(RULES_FILE, "x = 1\n");
  assertEquals((await admin(host, ["reconcile", "--rules", "--dry-run", "--exit-code"])).code, 1);
  assertEquals((await admin(host, ["reconcile", "--rules", "--dry-run"])).code, 3);
});

Deno.test("a guest of which libvirt's status cannot be read is unknown, not well", async () => {
  const host = await running();
  host.write("/run/libvirt/qemu/web-1.xml", "<domstatus>");
  const { lines } = await admin(host, ["status"], { terminal: { columns: 400 } });
  assertEquals(
    lines[0]?.startsWith("1 running guest cannot be compared with the rules: /run/libvirt/qemu/web-1.xml: "),
    true,
  );
});

Deno.test("a ledger of another boot says nothing of what a guest holds now", async () => {
  const host = await running();
  host.write("/proc/sys/kernel/random/boot_id", "another\n");
  const { code, lines } = await admin(host, ["status"]);
  assertEquals([code, lines[0]?.startsWith(DIFFERS)], [1, true]);
});

Deno.test("a ledger that others can write is not compared with", async () => {
  const host = await running();
  host.nodes.set("/run/virt-hooks/ledger", { kind: "directory", text: "", uid: 0, mode: 0o777 });
  const { lines } = await admin(host, ["check"]);
  assertEquals(lines.at(-1)?.startsWith("1 running guest cannot be compared with the rules: web-1: Cannot use "), true);
});

Deno.test("a demand of an older version, which does not say what its rule asked for, is compared by its rule", async () => {
  const host = await running();
  for (const [path, node] of host.nodes) {
    if (path.includes("/demands/")) host.write(path, node.text.replace(/"asked":"[0-9a-f]*",/, ""));
  }
  assertEquals((await admin(host, ["status"])).code, 0);
});

const BROKEN = [
  {
    name: "broken rules",
    change: (host: LedgerHost) => host.write(RULES_FILE, "x = 1\n"),
    first: "The rules are broken (1 mistake), so nothing new starts: virt-hooks check",
    state: "broken",
  },
  {
    name: "rules that others can write",
    change: (host: LedgerHost) => host.nodes.set(RULES_FILE, { kind: "file", text: CALM, uid: 1000, mode: 0o644 }),
    first: "The rules are broken (1 mistake), so nothing new starts: virt-hooks check",
    state: "broken",
  },
  {
    name: "a program that others can write",
    change: (host: LedgerHost) => {
      host.write("/opt/x", "");
      host.nodes.set("/opt/x", { kind: "file", text: "\x7fELF", uid: 1000, mode: 0o755 });
      host.write(
        RULES_FILE,
        `${CALM}[[rule]]\nname = "p"\nwhen = { driver = "qemu", on = "start" }\nrun = { argv = ["/opt/x"] }\n`,
      );
    },
    first: "1 program that rules name will not be run: virt-hooks check",
    state: "refused-program",
  },
];

for (const { name, change, first, state } of BROKEN) {
  Deno.test(`status and check agree about ${name}`, async () => {
    const host = await running();
    change(host);
    const status = await admin(host, ["status"], { terminal: { columns: 400 } });
    const report = JSON.parse((await admin(host, ["status", "--json"])).lines[0] ?? "");
    const [check, checkHost] = [await admin(host, ["check"]), await admin(host, ["check", "--host"])];
    assertEquals([status.code, status.lines[0], report.ok, report.rules.state], [1, first, false, state]);
    assertEquals([check.code, checkHost.code], [3, 3]);
  });
}

Deno.test("status, check and check --host say first that the hooks are disabled", async () => {
  const host = await running();
  host.write("/etc/virt-hooks/disabled", "x");
  const said = [await admin(host, ["status"]), await admin(host, ["check"]), await admin(host, ["check", "--host"])];
  assertEquals(said.map(({ code }) => code), [1, 0, 1]);
  const places = said.map(({ lines }) =>
    lines.findIndex((line) => line.includes("hooks are disabled by /etc/virt-hooks/disabled"))
  );
  // Before a finding of the host stands what is said of the rules.
  assertEquals(places, [0, 0, 1]);
  assertEquals(JSON.parse((await admin(host, ["status", "--json"])).lines[0] ?? "").ok, false);
});

Deno.test("check --host says what status says of what is held", async () => {
  const host = await running();
  host.write("/proc/sys/vm/swappiness", "33\n");
  const { lines } = await admin(host, ["check", "--host"]);
  const told =
    "warn  sysctl/vm/swappiness is held and drift: it is 33, not 1: something else changed it; see: virt-hooks status";
  assertEquals(lines.includes(told), true, lines.join("\n"));
});

Deno.test("a program that a rule names twice is refused once", async () => {
  const host = await running();
  host.write(
    RULES_FILE,
    '[[rule]]\nname = "r"\nwhen = { domain = "*" }\nrun = { argv = ["/opt/no", "up"], undo = ["/opt/no", "down"] }\n',
  );
  assertEquals((await admin(host, ["check"])).lines.length, 1);
  assertEquals((await admin(host, ["status"])).lines[0], "1 program that rules name will not be run: virt-hooks check");
  const { lines } = await admin(host, ["explain", "qemu", "web-1", "prepare"]);
  assertEquals(lines.filter((line) => line.includes("would not be run")).length, 1);
});

const PROGRAM = { kind: "file", text: ELF_START, uid: 0, mode: 0o755 } as const;

Deno.test("check --host does not say of a program that it was tried", async () => {
  const host = await running();
  host.nodes.set("/usr/sbin/a", PROGRAM);
  const rules =
    'run = { argv = ["/usr/sbin/a"], undo = ["/usr/sbin/a", "off"] }\nprocess = { argv = ["/usr/sbin/a"] }\n';
  host.write(RULES_FILE, `[[rule]]\nname = "r"\nwhen = { domain = "*" }\n${rules}`);
  for (const args of [["check", "--host"], ["check", "--host", "--guest", "web-1"]]) {
    const { lines } = await admin(host, args);
    assertEquals(lines.filter((line) => line.includes('rule "r": ')).sort(), [
      'skip  rule "r": process /usr/sbin/a: may be run; what it does was not tried',
      'skip  rule "r": run /usr/sbin/a, undone by /usr/sbin/a off: may be run; what it does was not tried',
    ]);
  }
});

Deno.test("check --host says of what nobody holds any more that it is left over", async () => {
  const host = await running();
  host.write("/proc/sys/vm/swappiness", "33\n");
  const key = "/run/virt-hooks/ledger/resources";
  for (const path of [...host.nodes.keys()].filter((path) => path.startsWith(key) && path.includes("/demands/"))) {
    host.nodes.delete(path);
  }
  const { lines } = await admin(host, ["check", "--host"]);
  assertEquals(lines.filter((line) => line.startsWith("warn  sysctl/vm/swappiness is left over and ")).length, 1);
});

for (
  const [life, then] of [
    ["guest", "keeps the next start from succeeding"],
    ["network", "then its program is not run when the network starts next"],
  ] as const
) {
  Deno.test(`check says what becomes of the next start of a ${life} where an undo fails`, async () => {
    const host = await running();
    host.nodes.set("/usr/sbin/ip", PROGRAM);
    const select = life === "guest" ? 'domain = "*" }' : 'network = "*" }\nwhile = "network"';
    const run = 'run = { argv = ["/usr/sbin/ip", "a"], undo = ["/usr/sbin/ip", "link", "del", "br9"] }';
    host.write(RULES_FILE, `[[rule]]\nname = "r"\nwhen = { ${select}\n${run}\n`);
    const { lines } = await admin(host, ["check"]);
    assertEquals(lines.filter((line) => line.includes(`fails when what it undoes is gone, and ${then}: `)).length, 1);
  });
}
