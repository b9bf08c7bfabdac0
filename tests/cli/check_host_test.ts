/** What `check --host` finds. */
import type { MemoryHost } from "../../lib/sys/memory_sys.ts";
import { admin, snapshot } from "../support/admin.ts";
import { assertEquals, assertStringIncludes } from "../support/assert.ts";
import { ledgerHost } from "../support/ledger_host.ts";

const RULES = `[[rule]]
name = "calm"
when = { driver = "qemu", domain = "*" }
sysctl = { "vm.swappiness" = 1 }
`;
const FILES: NonNullable<MemoryHost["files"]> = { "/proc/sys/vm/swappiness": "60\n", "/run/libvirt/qemu/x": "" };

Deno.test("check --host says that this host can do what the rules ask, and changes nothing", async () => {
  const host = ledgerHost(RULES, { files: FILES });
  const before = snapshot(host);
  assertEquals(await admin(host, ["check", "--host"]), {
    code: 0,
    lines: [
      "1 rule in 1 file: no mistakes",
      "ok    /usr/bin/head is there",
      "ok    /usr/bin/dd is there",
      "ok    /usr/bin/find is there",
      "ok    there is no /run/virt-hooks yet: it is made when something is first held",
      "ok    libvirt is 11.3.0: /usr/lib64/libvirt.so.0",
      "ok    the environment of libvirtd (1000) lets hooks start",
      "ok    /run/libvirt/qemu tells which guests and networks exist",
      'ok    rule "calm": sysctl vm.swappiness = 1: can be held',
      "This host can do what the rules ask",
    ],
    stderr: "",
  });
  assertEquals(snapshot(host), before);
});

Deno.test("check --host looks at the ledger", async () => {
  const host = ledgerHost(RULES, { files: FILES });
  await host.call("qemu", "prepare");
  const there = await admin(host, ["check", "--host"]);
  assertEquals(there.lines[4], "ok    /run/virt-hooks/ledger is root's and of this boot");
  host.write("/proc/sys/kernel/random/boot_id", "another\n");
  const other = await admin(host, ["check", "--host"]);
  assertEquals([other.code, other.lines[4], other.lines.at(-1)], [
    0,
    "warn  /run/virt-hooks/ledger is of another boot: the next hook call sets it aside",
    "This host can do what the rules ask, but for the warnings above",
  ]);
});

const FOUND = [
  {
    name: "a tool that is missing",
    gone: ["/usr/bin/dd"],
    files: FILES,
    code: 1,
    told: "FAIL  there is no /usr/bin/dd: nothing can be held; install coreutils",
  },
  {
    name: "a key that this kernel lacks",
    gone: ["/proc/sys/vm/swappiness"],
    files: FILES,
    code: 1,
    told: 'FAIL  rule "calm": sysctl vm.swappiness = 1: there is no /proc/sys/vm/swappiness; see: sysctl -a',
  },
  {
    name: "a folder that is not root's alone",
    gone: [],
    files: { ...FILES, "/run/virt-hooks": { kind: "directory", mode: 0o777 } as const },
    code: 1,
    told:
      "FAIL  /run/virt-hooks is not a folder that only root can write: nothing can be held; see: ls -ld /run/virt-hooks",
  },
  {
    name: "a driver without status files",
    gone: ["/run/libvirt/qemu", "/run/libvirt/qemu/x"],
    files: FILES,
    code: 0,
    told: "ok    there is no /run/libvirt/qemu yet: libvirt's daemon for qemu has not run since the boot",
  },
];

for (const { name, gone, files, code, told } of FOUND) {
  Deno.test(`check --host finds ${name}`, async () => {
    const host = ledgerHost(RULES, { files });
    for (const path of gone) host.nodes.delete(path);
    const said = await admin(host, ["check", "--host"]);
    assertEquals([said.code, said.lines.includes(told)], [code, true]);
  });
}

Deno.test("check --host speaks of drivers whose hook is there, and of those that a rule names", async () => {
  const rules = RULES.replace('driver = "qemu", ', "");
  const host = ledgerHost(rules, { files: { ...FILES, "/etc/libvirt/hooks/lxc": "", "/run/libvirt/qemu/x": "" } });
  const { lines } = await admin(host, ["check", "--host"]);
  assertEquals(lines.filter((line) => line.includes("/run/libvirt/lxc")).map((line) => line.slice(0, 24)), [
    "ok    there is no /run/l",
  ]);
});

Deno.test("check --host tells of broken rules, and then looks no further", async () => {
  const { code, lines } = await admin(ledgerHost("x = 1\n"), ["check", "--host"]);
  assertEquals([code, lines.at(-1)], [3, "1 mistake"]);
});

Deno.test("check --host says what it cannot see without root", async () => {
  const { code, lines } = await admin(ledgerHost(RULES, { files: FILES }), ["check", "--host"], { uid: 1000 });
  assertEquals([code, lines[4]], [
    0,
    "skip  what is held, libvirt's daemons and the installed hooks can only be checked by root; sudo virt-hooks check --host",
  ]);
});

Deno.test("check --host does not say that what is refused to a user will fail", async () => {
  const files = { ...FILES, "/proc/sys/vm/swappiness": { text: "60\n", mode: 0o444 } };
  const { code, lines } = await admin(ledgerHost(RULES, { files }), ["check", "--host"], { uid: 1000 });
  assertEquals([code, lines.filter((line) => line.startsWith("FAIL"))], [0, []]);
});

Deno.test("check takes either files or --host", async () => {
  const { code, stderr } = await admin(ledgerHost(RULES), ["check", "--host", "/a.toml"]);
  assertEquals(code, 2);
  assertStringIncludes(stderr, "Cannot check files and --host at once");
});
