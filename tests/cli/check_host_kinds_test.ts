/** What `check --host` says of libvirt, its daemons, the installed hooks, PCI devices and one guest; and what it does not check. */
import type { MemoryHost } from "../../lib/sys/memory_sys.ts";
import { admin, snapshot } from "../support/admin.ts";
import { assertEquals } from "../support/assert.ts";
import { ELF_START } from "../support/elf.ts";
import { type LedgerHost, ledgerHost, procStat, UUID } from "../support/ledger_host.ts";

type Files = NonNullable<MemoryHost["files"]>;

const CALM = '[[rule]]\nname = "calm"\nwhen = { driver = "qemu", domain = "*" }\nsysctl = { "vm.swappiness" = 1 }\n';
const DIED =
  `[[rule]]\nname = "died"\nwhen = { on = "release", reason = "crashed" }\nrun = { argv = ["/usr/bin/find"] }\n`;
const FILES: Files = { "/proc/sys/vm/swappiness": "60\n", "/run/libvirt/qemu/x": "" };
const MAPPED = "/proc/1000/map_files/7f00-7f01";
const NEVER =
  'FAIL  rule "died" never matches: it selects by "reason"; libvirt passes the shut-off reason to hooks from 10.5.0 on, ' +
  'and this host has 9.0.0; upgrade libvirt to 10.5.0 or later, or select without "reason"';

function library(version: string): Files[string] {
  return { kind: "symlink", text: `/usr/lib/x86_64-linux-gnu/libvirt.so.0.${version}` };
}

interface Case {
  readonly rules?: string;
  readonly files?: Files;
  readonly gone?: readonly string[];
  readonly programs?: MemoryHost["programs"];
  readonly args?: readonly string[];
  readonly code: number;
  readonly told: readonly string[];
}

function makeHost({ rules = CALM, files = {}, gone = [], programs = {} }: Partial<Case>): LedgerHost {
  const host = ledgerHost(rules, { files: { ...FILES, ...files }, programs });
  for (const path of gone) host.nodes.delete(path);
  return host;
}

const HOOK = "/etc/libvirt/hooks/qemu";
const RECORD: Files = {
  "/var/lib/virt-hooks/install/record": `# virt-hooks install record\nfile 00 hook:qemu ${HOOK}\nfile 00 admin /x\n`,
  [HOOK]: { text: ELF_START, mode: 0o755 },
};
const USAGE = { end: { kind: "exited", code: 2 }, stderr: "virt-hooks: usage\n" } as const;
const PCI = '[[rule]]\nname = "gpu"\nwhen = { domain = "*" }\npci = { devices = "hostdev" }\n';
const GROUPS: Files = { "/sys/kernel/iommu_groups/1/x": "" };
const VFIO: Files = { "/sys/bus/pci/drivers/vfio-pci/bind": "" };
const DEFINITION = `<domain type='kvm'><name>web-1</name><uuid>${UUID}</uuid></domain>`;

const PROGRAM: Files = { "/opt/tell": { text: ELF_START, mode: 0o755 } };

function eventRule(operation: string): string {
  return `[[rule]]\nname = "at ${operation}"\nwhen = { on = "${operation}", driver = "qemu" }\n` +
    'run = { argv = ["/opt/tell", "the pager"] }\n';
}

const CASES: Readonly<Record<string, Case>> = {
  "a daemon of an older version than the library that is installed": {
    rules: DIED,
    files: { [MAPPED]: library("9000.0") },
    code: 1,
    told: ["ok    libvirt is 9.0.0: libvirtd (1000)", NEVER],
  },
  "a program of another user that is called as a daemon is": {
    rules: DIED,
    files: {
      "/proc/2000/stat": procStat(2000, "libvirtd", 999),
      "/proc/2000/status": "Name:\tlibvirtd\nUid:\t1000\t1000\t1000\t1000\n",
      "/proc/2000/map_files/1-2": library("9000.0"),
      "/proc/2000/environ": "TMPDIR=\0",
    },
    code: 0,
    told: [
      "ok    libvirt is 11.3.0: /usr/lib64/libvirt.so.0",
      "This host can do what the rules ask, but for what was not checked",
    ],
  },
  "daemons of two versions": {
    rules: DIED,
    files: {
      [MAPPED]: library("9000.0"),
      "/proc/2000/stat": procStat(2000, "virtqemud", 999),
      "/proc/2000/status": "Uid:\t0\t0\t0\t0\n",
      "/proc/2000/map_files/1-2": library("11003.0"),
      "/proc/2000/environ": "PATH=/bin\0",
    },
    code: 0,
    told: [
      "skip  the version of libvirt is unknown: there are several: libvirtd (1000) is 9.0.0, virtqemud (2000) is 11.3.0",
    ],
  },
  "a library that was replaced under the daemon": {
    rules: DIED,
    files: { [MAPPED]: { kind: "symlink", text: "/usr/lib/libvirt.so.0.9000.0 (deleted)" } },
    code: 1,
    told: [NEVER],
  },
  "an installed libvirt that is too old": {
    rules: DIED,
    files: { "/usr/lib64/libvirt.so.0": { kind: "symlink", text: "libvirt.so.0.9000.0" } },
    code: 1,
    told: ["ok    libvirt is 9.0.0: /usr/lib64/libvirt.so.0", NEVER],
  },
  "a libvirt that passes reasons": { rules: DIED, code: 0, told: ["ok    libvirt is 11.3.0: /usr/lib64/libvirt.so.0"] },
  "a reason that excludes": {
    rules: DIED.replace('reason = "crashed" }', 'domain = "*" }\nunless = { reason = "crashed" }'),
    files: { [MAPPED]: library("9000.0") },
    code: 1,
    told: [
      'FAIL  rule "died": its "unless" with "reason" never excludes anything; libvirt passes the shut-off reason to hooks ' +
      'from 10.5.0 on, and this host has 9.0.0; upgrade libvirt to 10.5.0 or later, or select without "reason"',
    ],
  },
  "an operation that this libvirt calls no more": {
    rules: DIED.replace('"release", reason = "crashed"', '"attach", driver = "qemu"'),
    code: 1,
    told: ['FAIL  rule "died": libvirt 11.3.0 never calls qemu attach (from 0.9.13 until 5.5.0)'],
  },
  "a version that nobody can tell": {
    rules: DIED,
    gone: ["/usr/lib64/libvirt.so.0"],
    code: 0,
    told: [
      "skip  the version of libvirt is unknown: no daemon of libvirt runs, and no library folder has libvirt.so.0",
      'skip  rule "died" selects by "reason", which libvirt passes from 10.5.0 on',
      "Not checked: 3 things, marked skip",
      "This host can do what the rules ask, but for what was not checked",
    ],
  },
  "a hook that starts": {
    files: RECORD,
    programs: { [HOOK]: () => USAGE },
    code: 0,
    told: [`ok    ${HOOK} starts`, "This host can do what the rules ask"],
  },
  "a hook that does not start": {
    files: RECORD,
    programs: { [HOOK]: () => ({ end: { kind: "signalled", signal: "SIGTRAP" } }) },
    code: 1,
    told: [
      `FAIL  the hook ${HOOK} does not start: it is ended by SIGTRAP; run install.sh again: it names the likely cause`,
    ],
  },
  "a hook of ours that others can write": {
    files: { ...RECORD, [HOOK]: { text: ELF_START, mode: 0o777 } },
    code: 1,
    told: [
      `FAIL  the hook ${HOOK} was not started: ${HOOK} can be written by others than root (mode 0777); run install.sh again`,
    ],
  },
  "hooks that are disabled": {
    files: { "/etc/virt-hooks/disabled": "x" },
    code: 1,
    told: ['FAIL  the hooks are disabled by /etc/virt-hooks/disabled and do nothing until "virt-hooks enable"'],
  },
  "a host without an IOMMU": {
    rules: PCI,
    files: VFIO,
    code: 1,
    told: [
      'FAIL  rule "gpu": pci: the host has no IOMMU groups, so no PCI device can be given to a guest; switch the IOMMU on ' +
      "in the firmware, and boot with intel_iommu=on or amd_iommu=on",
      'ok    rule "gpu": pci: the driver vfio-pci is loaded',
    ],
  },
  "a driver that is not loaded": {
    rules: PCI,
    files: GROUPS,
    code: 0,
    told: [
      'ok    rule "gpu": pci: the host has 1 IOMMU groups',
      "warn  rule \"gpu\": pci: the driver vfio-pci is not loaded, and no rule loads it: only devices with managed='yes' " +
      'can be held; let the rule load it: modules = { load = ["vfio-pci"] }',
    ],
  },
  "a driver that a rule loads": {
    rules: `${PCI}modules = { load = ["vfio-pci"] }\n`,
    files: { ...GROUPS, "/sys/module/vfio_pci/initstate": "live\n" },
    code: 0,
    told: ['skip  rule "gpu": pci: whether the driver vfio-pci is there once a rule has loaded it'],
  },
  "a guest by its definition": {
    files: { "/etc/libvirt/qemu/web-1.xml": DEFINITION },
    args: ["--guest", "web-1"],
    code: 0,
    told: [
      'ok    guest "web-1" (qemu): its document is read from /etc/libvirt/qemu/web-1.xml',
      'ok    rule "calm": sysctl vm.swappiness = 1: can be held',
      "ok    1 of 1 rule applies at its start",
    ],
  },
  "a guest at whose start programs are run": {
    rules: ["prepare", "started", "stopped"].map(eventRule).join("\n"),
    files: { "/etc/libvirt/qemu/web-1.xml": DEFINITION, ...PROGRAM },
    args: ["--guest", "web-1"],
    code: 0,
    told: [
      'skip  rule "at prepare": what /opt/tell does at the start',
      'skip  rule "at started": what it does at started',
      "ok    2 of 3 rules apply at its start",
      "Not checked: 2 things, marked skip",
    ],
  },
  "programs that are run at operations": {
    rules: ["prepare", "stopped"].map(eventRule).join("\n"),
    files: PROGRAM,
    code: 0,
    told: [
      'skip  rule "at prepare": run /opt/tell "the pager": may be run; what it does was not tried',
      'skip  rule "at stopped": run /opt/tell "the pager": may be run; what it does was not tried',
      "This host can do what the rules ask, but for what was not checked",
    ],
  },
  "a guest that cannot have what the rules want": {
    rules: PCI,
    files: {
      ...GROUPS,
      ...VFIO,
      "/etc/libvirt/qemu/web-1.xml": DEFINITION.replace(
        "</domain>",
        "<devices><hostdev type='pci' managed='no'><source><address domain='0' bus='1' slot='0' function='0'/></source>" +
          "</hostdev></devices></domain>",
      ),
    },
    args: ["--guest", "web-1"],
    code: 1,
    told: [
      'FAIL  rule "gpu": PCI device 0000:01:00.0 with vfio-pci (refused while it is in use): there is no PCI device ' +
      "0000:01:00.0; see: lspci -D",
    ],
  },
};

for (const [what, { args = [], code, told, ...given }] of Object.entries(CASES)) {
  Deno.test(`check --host tells of ${what}`, async () => {
    const host = makeHost(given);
    const before = snapshot(host);
    const said = await admin(host, ["check", "--host", ...args]);
    assertEquals([said.code, told.filter((line) => !said.lines.includes(line))], [code, []], said.lines.join("\n"));
    assertEquals(snapshot(host), before);
  });
}

const TEMPORARY = [
  ["/var/tmp", true],
  ["/nowhere/./x", true],
  ["/tmp/..x", true],
  ["", false],
  ["tmp", false],
  ["/tmp/../tmp", false],
  ["/tmp/..", false],
] as const;

for (const [value, isUsable] of TEMPORARY) {
  Deno.test(`check --host ${isUsable ? "accepts" : "refuses"} a daemon's TMPDIR=${JSON.stringify(value)}`, async () => {
    const host = makeHost({ files: { "/proc/1000/environ": `LC_ALL=C\0TMPDIR=${value}\0PATH=/bin\0` } });
    const { code, lines } = await admin(host, ["check", "--host"]);
    const told = lines.filter((line) => /environment|TMPDIR/.test(line)).map((line) => line.slice(0, 4));
    assertEquals([code, told], isUsable ? [0, ["ok  "]] : [1, ["FAIL"]]);
  });
}

Deno.test("check --host says that a guest is unknown to libvirt", async () => {
  const { code, stderr } = await admin(makeHost({}), ["check", "--host", "--guest", "../x"]);
  assertEquals([code, stderr.split("\n")[0]], [
    1,
    'virt-hooks: Cannot check guest "../x": libvirt has no document of it',
  ]);
});

Deno.test("check takes a guest with --host alone", async () => {
  const { code, stderr } = await admin(makeHost({}), ["check", "--guest", "web-1"]);
  assertEquals([code, stderr.split("\n")[0]], [2, "virt-hooks: Cannot check a guest without --host"]);
});

Deno.test("explain says that this libvirt passes no reason", async () => {
  const host = makeHost({ rules: DIED, files: { [MAPPED]: library("9000.0") } });
  const { lines } = await admin(host, ["explain", "qemu", "web-1", "release", "end", "crashed"]);
  const note =
    'note: libvirt 9.0.0 of this host passes no shut-off reason here (from 10.5.0 on it does), so no rule with "reason" matches';
  assertEquals(lines.filter((line) => line.startsWith("note:")), [note]);
});

Deno.test("a release without a reason is noted where a rule waits for one", async () => {
  const host = makeHost({ rules: DIED, files: { [MAPPED]: library("9000.0") } });
  const { history } = await host.call("qemu", "release");
  assertEquals([history["outcome"], history["notes"]], ["done", [
    'shut-off reason not passed by libvirt 9.0.0: it is passed from 10.5.0 on, so rules with "reason" do not match',
  ]]);
  const without = makeHost({ files: { [MAPPED]: library("9000.0") } });
  assertEquals((await without.call("qemu", "release")).history["notes"], undefined);
});
