/** What `status` tells, and that it changes nothing. */
import { admin, snapshot } from "../support/admin.ts";
import { assertEquals, assertStringIncludes } from "../support/assert.ts";
import { ELF_START } from "../support/elf.ts";
import { type LedgerHost, ledgerHost, UUID } from "../support/ledger_host.ts";

const SWAPPINESS = "/proc/sys/vm/swappiness";
const RATIO = "/proc/sys/vm/dirty_ratio";
const RULES = `[[rule]]
name = "calm"
when = { domain = "*" }
sysctl = { "vm.swappiness" = 1, "vm.dirty_ratio" = 5 }
`;
const FILES = { [SWAPPINESS]: "60\n", [RATIO]: "20\n", "/run/libvirt/qemu/x": "" };
const SINCE = "2026-01-02 03:04:05Z";
const LATER_MS = 300_000;

function makeHost(): LedgerHost {
  return ledgerHost(RULES, { files: FILES });
}

/** A guest that libvirt says is running. */
async function running(host: LedgerHost): Promise<void> {
  await host.call("qemu", "prepare");
  host.write(
    "/run/libvirt/qemu/web-1.xml",
    `<domstatus><domain><name>web-1</name><uuid>${UUID}</uuid></domain></domstatus>`,
  );
  await host.call("qemu", "started");
}

/** The state file of a resource, changed. */
function changeState(host: LedgerHost, key: string, change: Readonly<Record<string, unknown>>): void {
  const found = Object.entries(host.tree("/run/virt-hooks/ledger"))
    .find(([path, text]) => path.endsWith("/state.json") && text.includes(key));
  if (found === undefined) throw new Error(`There is no state of ${key}`);
  const [path, text] = found;
  host.write(path, JSON.stringify({ ...JSON.parse(text), ...change }));
}

Deno.test("status says that nothing is held, in one line", async () => {
  const host = makeHost();
  const before = snapshot(host);
  assertEquals(await admin(host, ["status"]), { code: 0, lines: ["Nothing is held"], stderr: "" });
  assertEquals(snapshot(host), before);
});

Deno.test("status shows each resource with its holders", async () => {
  const host = makeHost();
  await running(host);
  const before = snapshot(host);
  const { code, lines } = await admin(host, ["status"]);
  assertEquals([code, ...lines], [
    0,
    "STATE    RESOURCE               NOW  WANTED  BEFORE",
    "ok       sysctl/vm/dirty_ratio  5    5       20",
    `         guest "web-1" (qemu), rule "calm", since ${SINCE}`,
    "ok       sysctl/vm/swappiness   1    1       60",
    `         guest "web-1" (qemu), rule "calm", since ${SINCE}`,
    "2 resources, 1 holder: all ok",
  ]);
  assertEquals(snapshot(host), before);
});

Deno.test("status shows what somebody else changed", async () => {
  const host = makeHost();
  await running(host);
  host.write(RATIO, "33\n");
  const { code, lines } = await admin(host, ["status"]);
  assertEquals([code, lines[1], lines[2], lines.at(-2)], [
    1,
    "drift    sysctl/vm/dirty_ratio  33   5       20",
    "         it is 33, not 5: something else changed it",
    "2 resources, 1 holder: 1 drift",
  ]);
  assertStringIncludes(lines.at(-1) ?? "", '"virt-hooks reconcile"');
});

const PROBLEMS = [
  {
    name: "the last try failed",
    change: { problem: "Device or resource busy" },
    row: "STUCK      sysctl/vm/dirty_ratio  5    5       20",
    said: "the last try failed: Device or resource busy",
  },
  {
    name: "a hook was killed at it",
    change: { pending: "7" },
    row: "pending  sysctl/vm/dirty_ratio  5    5       20",
    said: "7 was to be written: a hook is working on it, or did not finish",
  },
  {
    name: "another version wrote it",
    change: { resource: "moon" },
    row: 'STUCK  sysctl/vm/dirty_ratio  -    -       "20"',
    said: "this version knows no resource of the kind moon",
  },
];

for (const { name, change, row, said } of PROBLEMS) {
  Deno.test(`status tells that ${name}`, async () => {
    const host = makeHost();
    await running(host);
    changeState(host, "dirty_ratio", change);
    const { code, lines } = await admin(host, ["status"]);
    assertEquals([code, lines[1]?.replace(/ +/g, " "), lines[2]], [1, row.replace(/ +/g, " "), `         ${said}`]);
  });
}

Deno.test("status tells of what nobody holds and could not be put back", async () => {
  const reactions = { [RATIO]: (text: string) => text === "20" ? { kind: "refused", reason: "Busy" } as const : text };
  const host = ledgerHost(RULES, { files: FILES, reactions });
  await running(host);
  await host.call("qemu", "release");
  host.nodes.delete("/run/libvirt/qemu/web-1.xml");
  const { code, lines } = await admin(host, ["status"]);
  assertEquals([code, lines], [1, [
    "STATE    RESOURCE               NOW  WANTED  BEFORE",
    "STUCK    sysctl/vm/dirty_ratio  5    20      20",
    "         the last try failed: Busy",
    "1 resource, 0 holders: 1 STUCK",
    '"virt-hooks reconcile" releases what is gone and tries again; --dry-run only tells',
  ]]);
});

const LIVES = [
  { name: "starting", laterMs: 45_000, code: 0, word: "starting", since: "since 45 s: " },
  { name: "starting", laterMs: 119_999, code: 0, word: "starting", since: "since 119 s: " },
  { name: "stale", laterMs: 120_000, code: 1, word: "STALE", since: "" },
  { name: "stale", laterMs: LATER_MS, code: 1, word: "STALE", since: "" },
  { name: "stale", laterMs: -60_000, code: 1, word: "STALE", since: "" },
];

for (const { name, laterMs, code, word, since } of LIVES) {
  Deno.test(`status says of a guest without a status file that it is ${name} after ${laterMs} ms`, async () => {
    const host = makeHost();
    await host.call("qemu", "prepare");
    const said = await admin(host, ["status"], { laterMs });
    assertEquals([said.code, said.lines[2]], [
      code,
      `         guest "web-1" (qemu), rule "calm", since ${SINCE}, ${word}`,
    ]);
    const why =
      "libvirt has no status of it in /run/libvirt/qemu, but libvirtd (1000) still runs and may be starting it";
    assertStringIncludes(said.lines.join(" ").replace(/ +/g, " "), `guest "web-1" (qemu) ${word}: ${since}${why}`);
    const release = `  if you know that it is gone: virt-hooks release qemu/domain/${UUID}`;
    assertEquals(said.lines.includes(release), name === "stale");
  });
}

Deno.test("status does not say that all is ok where nobody can tell whether a guest lives", async () => {
  const host = makeHost();
  await running(host);
  host.write("/run/libvirt/qemu/web-1.xml", "not markup");
  const { code, lines } = await admin(host, ["status"], { terminal: { columns: 400 } });
  assertEquals([code, lines.slice(2, 4), lines[6]], [1, [
    "stale    sysctl/vm/dirty_ratio  5    5       20",
    `         guest "web-1" (qemu), rule "calm", since ${SINCE}, may exist`,
  ], "2 resources, 1 holder: 2 stale"]);
  assertStringIncludes(lines.join("\n"), "may exist: /run/libvirt/qemu/web-1.xml has no domstatus/domain/uuid");
});

Deno.test("status says of a guest that ran and is gone why that is known", async () => {
  const host = makeHost();
  await running(host);
  host.nodes.delete("/run/libvirt/qemu/web-1.xml");
  const { code, lines } = await admin(host, ["status"]);
  assertEquals([code, lines[1]], [1, "stale    sysctl/vm/dirty_ratio  5    5       20"]);
  assertEquals(
    lines.includes('guest "web-1" (qemu) GONE: it ran, and libvirt has no status of it in /run/libvirt/qemu any more'),
    true,
  );
});

Deno.test("status leaves a damaged file where it is, and tells of it", async () => {
  const host = makeHost();
  await running(host);
  const path = host.ledgerFiles().find((file) => file.includes("/demands/"));
  host.write(path ?? "", "{");
  const before = snapshot(host);
  const { code, lines } = await admin(host, ["status"], { terminal: { columns: 400 } });
  assertEquals([code, snapshot(host)], [1, before]);
  assertEquals(lines.some((line) => line.startsWith(`damaged: ${path} cannot be read (`)), true);
});

Deno.test("status tells of files that were set aside", async () => {
  const host = makeHost();
  await running(host);
  host.write("/run/virt-hooks/ledger/damaged/1-2-x.json", "{");
  const { code, lines } = await admin(host, ["status", "--json"]);
  assertEquals([code, JSON.parse(lines[0] ?? "").damaged], [
    1,
    ["/run/virt-hooks/ledger/damaged/1-2-x.json could not be read and was set aside"],
  ]);
});

Deno.test("status leaves a ledger of another boot alone", async () => {
  const host = makeHost();
  await running(host);
  host.write("/proc/sys/kernel/random/boot_id", "another\n");
  host.nodes.delete("/run/libvirt/qemu/web-1.xml");
  const before = snapshot(host);
  const { code, lines } = await admin(host, ["status"]);
  assertEquals([code, lines, snapshot(host)], [0, [
    "The ledger is of another boot and counts for nothing; the next hook call sets it aside",
    "Nothing is held",
  ], before]);
});

Deno.test("status says that the hooks are disabled", async () => {
  const host = makeHost();
  host.write("/etc/virt-hooks/disabled", "x");
  const { code, lines } = await admin(host, ["status"]);
  assertEquals([code, lines[0]], [
    1,
    'The hooks are disabled by /etc/virt-hooks/disabled and do nothing until "virt-hooks enable"',
  ]);
});

Deno.test("status is root's", async () => {
  const { code, stderr } = await admin(makeHost(), ["status"], { uid: 1000 });
  assertEquals([code, stderr], [
    1,
    "virt-hooks: Cannot read what is held: only root can\nhint: sudo virt-hooks status\n",
  ]);
});

Deno.test("status does not believe a ledger that others can write", async () => {
  const host = makeHost();
  await running(host);
  host.nodes.set("/run/virt-hooks/ledger", { kind: "directory", text: "", uid: 0, mode: 0o777 });
  const { code, stderr } = await admin(host, ["status"]);
  assertEquals([code, stderr.split("\n")[0]], [
    1,
    "virt-hooks: Cannot use /run/virt-hooks/ledger: it must be a folder that only root can write",
  ]);
});

Deno.test("status --json is one object", async () => {
  const host = makeHost();
  await running(host);
  host.write(RATIO, "33\n");
  const { code, lines } = await admin(host, ["status", "--json"]);
  const report = JSON.parse(lines.join("\n"));
  const holder = {
    id: `qemu/domain/${UUID}`,
    kind: "domain",
    driver: "qemu",
    name: "web-1",
    uuid: UUID,
    rule: "calm",
    lifetime: "domain",
    since: report.resources[0].holders[0].since,
    life: "alive",
    because: null,
  };
  const rest = { kind: "sysctl", pending: null, remarks: [] };
  assertEquals([code, report], [1, {
    format: 1,
    version: report.version,
    host: "hv-01",
    time: report.time,
    ok: false,
    disabled: false,
    rules: { state: "ok", problems: 0, first: null },
    guests: { differing: [], unknown: [] },
    ledger: "open",
    resources: [
      {
        ...rest,
        key: "sysctl/vm/dirty_ratio",
        state: "drift",
        reasons: [{ state: "drift", text: "it is 33, not 5: something else changed it" }],
        original: "20",
        actual: "33",
        wanted: "5",
        holders: [{ ...holder, action: "sysctl.2" }],
      },
      {
        ...rest,
        key: "sysctl/vm/swappiness",
        state: "ok",
        reasons: [],
        original: "60",
        actual: "1",
        wanted: "1",
        holders: [{ ...holder, action: "sysctl.1" }],
      },
    ],
    damaged: [],
  }]);
});

Deno.test("status is coloured on a terminal, and puts values beneath each other where the table does not fit", async () => {
  const host = makeHost();
  await running(host);
  host.write(RATIO, "33\n");
  const { lines } = await admin(host, ["status"], { terminal: { isTerminal: true, columns: 40 } });
  assertStringIncludes(lines[0] ?? "", "\x1b[33mdrift  \x1b[0m");
  // deno-lint-ignore no-control-regex
  const plain = lines.map((line) => line.replace(/\x1b\[\d*m/g, ""));
  assertEquals(plain.slice(0, 7), [
    "drift    sysctl/vm/dirty_ratio",
    "         now: 33",
    "         wanted: 5",
    "         before: 20",
    "         it is 33, not 5: something else",
    "           changed it",
    '         guest "web-1" (qemu), rule',
  ]);
  assertEquals(plain.every((line) => line.length <= 40 || line.includes("virt-hooks")), true);
});

Deno.test("status does not say that nothing is held where it cannot read what is", async () => {
  const host = ledgerHost('[[rule]]\nname = "calm"\nwhen = { domain = "*" }\nsysctl = { "vm.swappiness" = 1 }\n', {
    files: { "/proc/sys/vm/swappiness": "60\n" },
  });
  await host.call("qemu", "prepare");
  changeState(host, "swappiness", { format: 2 });
  const { code, lines } = await admin(host, ["status"], { terminal: { columns: 400 } });
  assertEquals([code, ...lines.slice(1)], [
    1,
    "What such a file holds is not restored by itself. Damaged: look at it, then remove it. " +
    "Of another version: leave it there, and have that version back",
    "Nothing else is held",
  ]);
});

Deno.test("status shows the others when another version wrote a file", async () => {
  const host = makeHost();
  await running(host);
  changeState(host, "dirty_ratio", { format: 2 });
  const { code, lines } = await admin(host, ["status"], { terminal: { columns: 400 } });
  assertEquals([code, lines[1]], [1, "ok       sysctl/vm/swappiness  1    1       60"]);
  assertStringIncludes(lines[3] ?? "", "another version of virt-hooks wrote it");
});

Deno.test("status says of a program that was run that nothing verifies it", async () => {
  const program = { text: ELF_START, mode: 0o755 };
  const host = ledgerHost(
    '[[rule]]\nname = "r"\nwhen = { domain = "*" }\nrun = { argv = ["/opt/a"], undo = ["/opt/b"] }\n',
    {
      files: { "/opt/a": program, "/opt/b": program, "/run/libvirt/qemu/x": "" },
      programs: { "/opt/a": () => ({}), "/opt/b": () => ({}) },
    },
  );
  await running(host);
  const { code, lines } = await admin(host, ["status"]);
  assertEquals(code, 0);
  assertStringIncludes(lines.join("\n"), "not verified: it was run when its holder began");
  assertStringIncludes(lines.join("\n"), "1 resource, 1 holder: 1 not verified, the rest is well");
  const { resources: [one] } = JSON.parse((await admin(host, ["status", "--json"])).lines.join("\n"));
  assertEquals([one.state, one.verified], ["ok", false]);
});

Deno.test("status says of a process that is over that it ended by itself, not that another changed it", async () => {
  const program = { text: ELF_START, mode: 0o755 };
  const host = ledgerHost('[[rule]]\nname = "r"\nwhen = { domain = "*" }\nprocess = { argv = ["/opt/a"] }\n', {
    files: { "/opt/a": program, "/run/libvirt/qemu/x": "" },
  });
  await running(host);
  await host.call("qemu", "started");
  const pids = [...host.nodes].filter(([path, { text }]) =>
    path.endsWith("/environ") && text.includes("VIRT_HOOKS_HOLD=")
  ).map(([path]) => path.slice(0, -"environ".length));
  for (const path of [...host.nodes.keys()].filter((each) => pids.some((pid) => each.startsWith(pid)))) {
    host.nodes.delete(path);
  }
  const { code, lines } = await admin(host, ["status"]);
  assertEquals(code, 1);
  const text = lines.map((line) => line.trim()).join(" ");
  assertStringIncludes(text, "/opt/a ended by itself: the reason is unknown");
  assertEquals(text.includes("something else changed it"), false);
});
