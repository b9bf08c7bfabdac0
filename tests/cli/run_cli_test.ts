import { hostOf } from "../support/host.ts";
import { ELF_START } from "../support/elf.ts";
import { HISTORY_FILE, VERSION } from "../../lib/app/product.ts";
import { runCli } from "../../lib/cli/run_cli.ts";
import { type MemoryHost, type MemorySys, memorySys } from "../../lib/sys/memory_sys.ts";
import { assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { testTerminal } from "../support/terminal.ts";

const RULES = `[[rule]]
name = "web"
when = { on = "prepare", domain = "web-*" }
run = { argv = ["/opt/check", "\${domain}"], timeout = "2s" }

[[rule]]
name = "maintenance"
when = { on = "prepare", file = "/run/maintenance" }
deny = "no starts today"
`;

async function cli(
  args: readonly string[],
  host: MemoryHost = {},
  isTerminal = false,
  readTextFile?: MemorySys["paths"]["readTextFile"],
): Promise<{ readonly code: number; readonly sys: MemorySys }> {
  const memory = memorySys({ ...host, args });
  const sys = readTextFile === undefined ? memory : { ...memory, paths: { ...memory.paths, readTextFile } };
  const terminal = testTerminal({
    isTerminal,
    readTail: (path, offset) => sys.readTextFile(path, Infinity).slice(offset),
  });
  return { code: await runCli(hostOf(sys), terminal), sys };
}

const RULES_HOST: MemoryHost = {
  files: { "/etc/virt-hooks/rules.toml": RULES, "/opt/check": { text: ELF_START, mode: 0o755 } },
};

const USAGE = [
  { args: ["chek"], told: 'Cannot run "chek": there is no such command\nhint: did you mean "check"?' },
  {
    args: ["explain", "qemu", "x"],
    told: 'Cannot run "explain": OPERATION is missing\nhint: usage: virt-hooks explain [OPTIONS] DRIVER',
  },
  { args: ["explain", "qemo", "x", "prepare"], told: 'there is no such driver\nhint: did you mean "qemu"?' },
  {
    args: ["explain", "qemu", "x", "prepar"],
    told: 'the qemu driver has no such operation\nhint: did you mean "prepare"?',
  },
  {
    args: ["explain", "qemu", "x", "prepare", "--ruls", "d"],
    told: 'unknown option "--ruls"\nhint: did you mean "--rules"?',
  },
  { args: ["explain", "qemu", "x", "prepare", "--rules"], told: "Cannot read --rules: it needs one value" },
  { args: ["history", "--jsn"], told: 'unknown option "--jsn"\nhint: did you mean "--json"?' },
  { args: ["edit"], told: 'Cannot run "edit": OPERATION is missing' },
  {
    args: ["explain", "qemu", "x", "prepare", "--rules", "/none"],
    told: "Cannot read rules: there is no folder /none\n",
  },
  { args: ["help", "chek"], told: 'there is no such command\nhint: did you mean "check"?' },
  { args: ["version", "x"], told: 'Cannot run "version": unexpected argument "x"' },
];

for (const { args, told } of USAGE) {
  Deno.test(`runCli() refuses ${args.join(" ")}`, async () => {
    const { code, sys } = await cli(args);
    assertEquals([code, sys.written.stdout], [2, ""]);
    assertStringIncludes(sys.written.stderr, told);
  });
}

const NAMES = [
  ...["check", "explain", "edit", "xml", "history", "status", "reconcile", "release"],
  ...["enable", "disable", "version"],
];

for (const name of NAMES) {
  Deno.test(`runCli() helps with ${name}`, async () => {
    for (const flag of ["--help", "-h"]) {
      const { code, sys } = await cli([name, flag]);
      assertEquals(code, 0);
      assertStringIncludes(sys.written.stdout, `Usage: virt-hooks ${name}`);
    }
    assertStringIncludes((await cli(["--help"])).sys.written.stdout, `  ${name}`);
    const [asked, flagged] = [await cli(["help", name]), await cli([name, "--help"])];
    assertEquals([asked.code, asked.sys.written.stdout], [0, flagged.sys.written.stdout]);
  });
}

Deno.test("runCli() prints its version", async () => {
  for (const args of [["version"], ["--version"]]) {
    assertEquals((await cli(args)).sys.written.stdout, `virt-hooks ${VERSION}\n`);
  }
});

Deno.test("check says that rules are right", async () => {
  const { code, sys } = await cli(["check"], RULES_HOST);
  assertEquals([code, sys.written.stdout], [0, "2 rules in 1 file: no mistakes\n"]);
});

Deno.test("check says that there are no rules", async () => {
  assertEquals(
    (await cli(["check"])).sys.written.stdout,
    "There are no rules in /etc/virt-hooks: the hooks do nothing\n",
  );
});

Deno.test("check of files without rules does not speak of this host's", async () => {
  const { sys } = await cli(["check", "/tmp/mine.toml"], { files: { "/tmp/mine.toml": "[settings]\n" } });
  assertEquals(sys.written.stdout, "There are no rules in the files given\n");
});

Deno.test("check finds programs that the hooks would refuse, where it reads this host's rules", async () => {
  const files = { "/etc/virt-hooks/rules.toml": RULES, "/opt/check": { mode: 0o777 } };
  const { code, sys } = await cli(["check"], { files });
  assertEquals(code, 3);
  assertStringIncludes(
    sys.written.stdout,
    'rule "web": cannot run /opt/check: not trusted: /opt/check can be written by others',
  );
  assertStringIncludes(sys.written.stdout, "try: chmod go-w /opt/check");
});

Deno.test("check and explain find every program of what lasts: a run, its undo, a process", async () => {
  const rules = '[[rule]]\nname = "all"\nwhen = { domain = "*" }\n' +
    'run = { argv = ["/opt/begin"], undo = ["/opt/end"] }\nprocess = { argv = ["/usr/bin/systemd-inhibit", "/opt/watch"] }\n';
  const program = { text: ELF_START, mode: 0o755 };
  const files = {
    "/etc/virt-hooks/rules.toml": rules,
    "/usr/bin/systemd-inhibit": program,
    ...Object.fromEntries(["/opt/begin", "/opt/end", "/opt/watch"].map((path) => [path, { ...program, uid: 1000 }])),
  };
  const { sys } = await cli(["check"], { files });
  const explained = await cli(["explain", "qemu", "web-1", "prepare"], { files });
  for (const path of ["/opt/begin", "/opt/end", "/opt/watch"]) {
    const before = path === "/opt/watch" ? `the argument ${path} could be run, and is not trusted` : "not trusted";
    const told = `${before}: ${path} belongs to user 1000, not to root; try: chown root:root ${path}`;
    assertStringIncludes(sys.written.stdout, told);
    assertStringIncludes(explained.sys.written.stdout, `would not be run: ${told}`);
  }
});

Deno.test("check notes a rule that guests' owners choose", async () => {
  const rule = (when: string): string =>
    `[[rule]]\nname = "r"\nwhen = { on = "prepare", ${when} }\nrun = { argv = ["/opt/x"] }\n`;
  const files = { "/a.toml": rule('label.role = "x"'), "/b.toml": rule('label.role = "x", domain = "y"') };
  const saved = await cli(["check", "/a.toml"], { files });
  assertEquals(saved.code, 0);
  assertStringIncludes(saved.sys.written.stdout, '/a.toml: rule "r": note: a label alone selects it');
  assertEquals((await cli(["check", "/b.toml"], { files })).sys.written.stdout, "1 rule in 1 file: no mistakes\n");
});

Deno.test("check notes a rule by which guests' owners reach the host", async () => {
  const files = { "/a.toml": '[[rule]]\nname = "r"\nwhen = { label.role = "x" }\nsysctl = { "vm.swappiness" = 1 }\n' };
  const { code, sys } = await cli(["check", "/a.toml"], { files });
  assertEquals(code, 0);
  assertStringIncludes(
    sys.written.stdout,
    'rule "r": note: a label alone selects it, so whoever may edit guests may have its sysctl take effect on this host',
  );
});

Deno.test("check marks the place on a terminal", async () => {
  const files = { "/r.toml": '[[rule]]\nname = "a"\n\twhen = { on = "prepar" }\ndeny = "x"\n' };
  const { code, sys } = await cli(["check", "/r.toml"], { files }, true);
  assertEquals(code, 3);
  // deno-lint-ignore no-control-regex
  const lines = sys.written.stdout.replace(/\x1b\[\d*m/g, "").split("\n");
  assertEquals(lines.slice(1), ['  3 |  when = { on = "prepar" }', "    |                ^", "1 mistake", ""]);
});

Deno.test("check tells of a file that cannot be read, and reads the others", async () => {
  const { code, sys } = await cli(["check", "/none.toml", "/b.toml"], { files: { "/b.toml": "x = 1\n" } });
  assertEquals(code, 3);
  assertEquals(sys.written.stdout.split("\n").length, 4);
  assertStringIncludes(sys.written.stdout, "/none.toml: found nothing there, expected a file");
});

Deno.test("explain prints the plan, and why each rule matches or not", async () => {
  const { code, sys } = await cli(["explain", "qemu", "web-1", "prepare"], RULES_HOST);
  assertEquals(code, 0);
  assertEquals(
    sys.written.stdout,
    `qemu web-1 prepare begin - on host hv-01
if this hook fails, libvirt aborts the operation
rule "web" matches: operation is prepare, domain "web-1" matches "web-*"
rule "maintenance" does not match: there is no /run/maintenance
plan:
  run   /opt/check web-1, for 2 s at most; a failure fails the call  (rule "web")
`,
  );
});

Deno.test("explain takes a guest that is called like a flag", async () => {
  const { code, sys } = await cli(["explain", "qemu", "--", "--help", "prepare"], RULES_HOST);
  assertEquals(code, 0);
  assertStringIncludes(sys.written.stdout, 'domain "--help" does not match');
});

Deno.test("explain takes a guest that is called like a number", async () => {
  const { sys } = await cli(["explain", "qemu", "007", "prepare"], RULES_HOST);
  assertStringIncludes(sys.written.stdout, 'domain "007" does not match');
});

Deno.test("explain knows an older name of an operation", async () => {
  assertStringIncludes(
    (await cli(["explain", "network", "default", "plugged"])).sys.written.stdout,
    "network default port-created begin -",
  );
});

Deno.test("explain says what broken rules would do", async () => {
  const host = { files: { "/etc/virt-hooks/rules.toml": "x = 1\n" } };
  const start = await cli(["explain", "qemu", "a", "start"], host);
  assertEquals(start.code, 3);
  assertStringIncludes(start.sys.written.stdout, "The rules are broken: this call would fail with exit code 3");
  const reconnect = await cli(["explain", "qemu", "a", "reconnect"], host);
  assertStringIncludes(reconnect.sys.written.stdout, "The rules are broken: this call would do nothing and exit 0");
});

Deno.test("disable and enable switch the hooks, twice as once", async () => {
  const files = { "/etc/virt-hooks/rules.toml": RULES };
  const off = await cli(["disable", "--reason", "firmware"], { files });
  assertEquals(off.code, 0);
  assertMatch(off.sys.nodes.get("/etc/virt-hooks/disabled")?.text ?? "", /^2026-01-02T\S+Z firmware\n$/);
  const again = await cli(["disable"], { files: { "/etc/virt-hooks/disabled": "x" } });
  assertStringIncludes(again.sys.written.stdout, "disabled already");
  const on = await cli(["enable"], { files: { "/etc/virt-hooks/disabled": "x" } });
  assertEquals([on.code, on.sys.nodes.has("/etc/virt-hooks/disabled")], [0, false]);
  assertStringIncludes((await cli(["enable"], { files })).sys.written.stdout, "enabled already");
});

Deno.test("disable, enable and explain see a stranger's file as the hooks do: it counts for nothing", async () => {
  const strange = { "/etc/virt-hooks/disabled": { text: "x", uid: 1000 }, "/etc/virt-hooks/rules.toml": RULES };
  const explained = await cli(["explain", "qemu", "a", "start"], { files: strange });
  assertEquals(explained.sys.written.stdout.includes("/etc/virt-hooks/disabled"), false);
  const heeded = await cli(["explain", "qemu", "a", "start"], { files: { "/etc/virt-hooks/disabled": "x" } });
  assertStringIncludes(heeded.sys.written.stdout, "/etc/virt-hooks/disabled is there");
  const on = await cli(["enable"], { files: strange });
  assertStringIncludes(on.sys.written.stdout, "enabled already: /etc/virt-hooks/disabled is not root's");
  const off = await cli(["disable", "--reason", "firmware"], { files: strange });
  assertStringIncludes(off.sys.written.stdout, "Hooks disabled");
  const node = off.sys.nodes.get("/etc/virt-hooks/disabled");
  assertEquals([node?.uid, node?.text.endsWith(" firmware\n")], [0, true]);
});

Deno.test("disable, enable and history are root's", async () => {
  for (const name of ["disable", "enable", "history"]) {
    const { code, sys } = await cli([name], { uid: 1000 });
    assertEquals(code, 1);
    assertStringIncludes(sys.written.stderr, `only root can\nhint: sudo virt-hooks ${name}`);
  }
});

const LINES = [
  {
    datetime: "2026-01-02T03:04:05.678Z",
    level: "INFO",
    message: "qemu web-1 prepare: done",
    object: "web-1",
    durationMs: 5.5,
    rules: [{ name: "web" }],
  },
  {
    datetime: "2026-01-02T03:04:06.000Z",
    level: "ERROR",
    message: "qemu db-1 prepare: \u001b[2Jx",
    object: "db-1",
    durationMs: 1,
    rules: [],
  },
].map((entry) => JSON.stringify(entry));

Deno.test("history shows the calls, oldest first, the rotated file's before", async () => {
  const files = { [`${HISTORY_FILE}.1`]: `${LINES[0]}\n`, [HISTORY_FILE]: `${LINES[1]}\nnot JSON\n` };
  const { sys } = await cli(["history"], { files });
  assertEquals(sys.written.stdout.split("\n"), [
    '2026-01-02 03:04:05Z  INFO      qemu web-1 prepare: done  (5.5 ms, rules "web")',
    "2026-01-02 03:04:06Z  ERROR     qemu db-1 prepare: \\x1b[2Jx  (1 ms)",
    "not JSON",
    "",
  ]);
});

Deno.test("history shows what changed on the host, and what else was found", async () => {
  const entry = {
    datetime: "2026-01-02T03:04:05.678Z",
    level: "INFO",
    message: "qemu web-1 prepare: done",
    object: "web-1",
    durationMs: 5.5,
    rules: [],
    actions: [
      { action: "sysctl", end: "done", resource: "sysctl/vm/swappiness", change: { from: "60", to: "1" } },
      { action: "sysctl", end: "done", resource: "sysctl/vm/dirty_ratio" },
      { action: "run", end: "done" },
    ],
    holds: [
      { resource: "sysctl/a", end: "changed", change: { from: "2", to: "1" } },
      { resource: "sysctl/b", end: "restored", change: { from: "1", to: "0" } },
      { resource: "sysctl/c", end: "left", problem: "it is \x1b3" },
      { resource: 5 },
    ],
    notes: ["something odd"],
  };
  const files = { [HISTORY_FILE]: `${JSON.stringify(entry)}\n` };
  assertEquals((await cli(["history"], { files })).sys.written.stdout.split("\n").slice(1), [
    "    sysctl/vm/swappiness: 60 → 1",
    "    sysctl/a: 2 → 1",
    "    sysctl/b: 1 → 0, restored",
    "    sysctl/c: left, it is \\x1b3",
    "    note: something odd",
    "",
  ]);
});

Deno.test("history tells every failure of a call, also those that its message leaves out", async () => {
  const entry = {
    ...{ datetime: "2026-01-02T03:04:05.678Z", level: "ERROR", object: "web-1", durationMs: 5.5, rules: [] },
    message: 'qemu web-1 started: rule "a": exited with status 1 (and 2 more failures)',
    actions: [
      { rule: "a", action: "run", end: "failed", problem: "exited with status 1" },
      { rule: "b", action: "run", end: "failed", problem: "exited with status 1" },
      { rule: "c", action: "run", end: "done" },
      { rule: "d", action: "run", end: "late", problem: "did not end: \x1b" },
    ],
  };
  const files = { [HISTORY_FILE]: `${JSON.stringify(entry)}\n` };
  assertEquals((await cli(["history"], { files })).sys.written.stdout.split("\n").slice(1), [
    '    rule "b": exited with status 1',
    '    rule "d": did not end: \\x1b',
    "",
  ]);
});

Deno.test("history selects an object, and prints JSON as it is", async () => {
  const files = { [HISTORY_FILE]: LINES.map((line) => `${line}\n`).join("") };
  assertEquals((await cli(["history", "--json", "--object", "db-*"], { files })).sys.written.stdout, `${LINES[1]}\n`);
});

Deno.test("history says that nothing has happened yet", async () => {
  const { code, sys } = await cli(["history"]);
  assertEquals([code, sys.written.stdout, sys.written.stderr], [
    0,
    "",
    "The history is empty: no hook was called yet\n",
  ]);
});

const LOG_FOLDER = "/var/log/virt-hooks";
const BAD_LOGS = [
  { name: "others can write the folder", file: LOG_FOLDER, node: { kind: "directory", mode: 0o775 } },
  { name: "the folder is a stranger's", file: LOG_FOLDER, node: { kind: "directory", uid: 1000, mode: 0o755 } },
  { name: "the folder is a link", file: LOG_FOLDER, node: { kind: "symlink", text: "/srv" } },
] as const;

for (const { name, file, node } of BAD_LOGS) {
  Deno.test(`history says why no hook writes it: ${name}`, async () => {
    const { code, sys } = await cli(["history"], { files: { [file]: node } });
    assertEquals([code, sys.written.stdout], [1, ""]);
    assertStringIncludes(
      sys.written.stderr,
      "Cannot read the history: /var/log/virt-hooks is not a folder that only root can write\n",
    );
  });
}

Deno.test("history says why no hook writes it: it is no regular file", async () => {
  const { code, sys } = await cli(["history"], { files: { [HISTORY_FILE]: { kind: "other" } } });
  assertEquals(code, 1);
  assertStringIncludes(sys.written.stderr, `Cannot read the history: ${HISTORY_FILE} is not a regular file\n`);
});

for (const error of ["NotCapable", "PermissionDenied"]) {
  Deno.test(`check tells of a file that it may not open: ${error}`, async () => {
    const files = { "/proc/1/mem": "" };
    const { code, sys } = await cli(["check", "/proc/1/mem"], { files }, false, () => {
      throw Object.assign(new Error("Specify the required permissions during compilation"), { name: error });
    });
    assertEquals([code, sys.written.stdout], [
      3,
      "/proc/1/mem: found a file that virt-hooks may not open, expected a text file\n1 mistake\n",
    ]);
  });
}

Deno.test("disable and enable say that a folder others can write keeps the hooks from heeding them", async () => {
  for (const name of ["disable", "enable"]) {
    const { code, sys } = await cli([name], { files: { "/etc/virt-hooks": { kind: "directory", mode: 0o777 } } });
    assertEquals([code, sys.nodes.has("/etc/virt-hooks/disabled")], [1, false]);
    assertStringIncludes(sys.written.stderr, "the hooks ignore /etc/virt-hooks/disabled, since /etc/virt-hooks can be");
    assertStringIncludes(sys.written.stderr, "hint: try: chmod go-w /etc/virt-hooks\n");
  }
});

Deno.test("history shows no character that a terminal obeys or hides, also of lines that are no JSON", async () => {
  const files = { [HISTORY_FILE]: `{"object":"a\u009bb","message":"m\u202e"}\n{"cut \u009b\n` };
  const json = await cli(["history", "--json"], { files });
  assertEquals(json.sys.written.stdout, '{"object":"a\\u009bb","message":"m\\u202e"}\n{"cut \\x9b\n');
  const text = await cli(["history"], { files });
  assertEquals(/[\u009b\u202e]/.test(text.sys.written.stdout), false);
});
