/**
 * Whether a port of a network lives: libvirt keeps ports of guests that were lost while they started.
 * @module
 */
import { assertEquals, assertStringIncludes } from "../support/assert.ts";
import { assessLiveness, isLeftBehind, type Liveness, viewDaemons } from "../../lib/ledger/liveness.ts";
import type { DemandRecord } from "../../lib/ledger/demand_file.ts";
import { memorySys } from "../../lib/sys/memory_sys.ts";
import { procStat } from "../support/ledger_host.ts";

const PORT = "aaaaaaaa-2222-4333-8444-555555555555";
const GUEST = "bbbbbbbb-2222-4333-8444-555555555555";
const PORT_STATUS = { [`/run/libvirt/network/default/ports/${PORT}.xml`]: `<networkport><uuid>${PORT}</uuid>` };
const QEMU = { "/run/libvirt/qemu/driver.pid": "1\n" };
const GUEST_STATUS = { "/run/libvirt/lxc/ct1.xml": `<domstatus><domain><uuid>${GUEST}</uuid>` };
const NETWORK = { "/run/libvirt/network/default.xml": "<networkstatus/>" };

const holder = { kind: "port", uuid: PORT, network: "n", name: "default", owner: GUEST, ownerName: "ct1" } as const;
const record: DemandRecord = {
  ...{ key: "sysctl/a/b", resource: "sysctl", holder, rule: "r", action: "sysctl", lifetime: "port", order: 0 },
  ...{ demand: {}, daemon: { pid: 1000, startTime: "777", name: "libvirtd" }, since: "2026-01-01T00:00:00.000Z" },
};

async function verdictOn(one: DemandRecord, files: Readonly<Record<string, string>>): Promise<Liveness> {
  const sys = memorySys({ files });
  return await assessLiveness([one], viewDaemons(sys), sys);
}

const CASES = [
  { what: "port and guest are known", files: { ...PORT_STATUS, ...QEMU, ...GUEST_STATUS }, kind: "alive", left: false },
  { what: "the guest is gone", files: { ...PORT_STATUS, ...QEMU }, kind: "dead", left: true },
  {
    what: "another guest has its guest's name",
    files: { ...PORT_STATUS, ...QEMU, "/run/libvirt/lxc/ct1.xml": `<domstatus><domain><uuid>${PORT}</uuid>` },
    kind: "dead",
    left: true,
  },
  {
    what: "nobody can tell whose status its guest's name has",
    files: { ...PORT_STATUS, ...QEMU, "/run/libvirt/lxc/ct1.xml": "not markup" },
    kind: "alive",
    left: false,
  },
  { what: "no driver tells of guests", files: PORT_STATUS, kind: "alive", left: false },
  { what: "the port is gone", files: { ...QEMU, ...NETWORK, ...GUEST_STATUS }, kind: "dead", left: false },
  { what: "no driver tells of networks", files: { ...QEMU, ...GUEST_STATUS }, kind: "unknown", left: false },
];

for (const { what, files, kind, left } of CASES) {
  Deno.test(`a port is ${kind} where ${what}`, async () => {
    assertEquals((await verdictOn(record, files)).kind, kind);
    assertEquals(isLeftBehind(holder, memorySys({ files })), left);
  });
}

for (const free of [{ ...holder, owner: undefined }, { ...holder, ownerName: undefined }]) {
  Deno.test(`a port without an owner is as alive as libvirt says (${JSON.stringify(free)})`, async () => {
    const files = { ...PORT_STATUS, ...QEMU };
    assertEquals((await verdictOn({ ...record, holder: free }, files)).kind, "alive");
    assertEquals(isLeftBehind(free, memorySys({ files })), false);
  });
}

const ROOT = "Name:\tx\nUid:\t0\t0\t0\t0\n";
/** A daemon for each driver, as processes that began in this order; the port's hook began at 1000, this program at 3000. */
function processes(daemons: Readonly<Record<string, number>>, status = ROOT): Record<string, string> {
  const files: Record<string, string> = { "/proc/4242/stat": procStat(4242, "virt-hooks", 3000) };
  for (const [index, [name, startTime]] of Object.entries(daemons).entries()) {
    files[`/proc/${100 + index}/stat`] = procStat(100 + index, name, startTime);
    files[`/proc/${100 + index}/status`] = status;
  }
  return files;
}

const STARTERS = [
  { what: "the guest's daemon began after it", files: processes({ virtnetworkd: 500, virtqemud: 2000 }), kind: "dead" },
  { what: "no daemon of guests runs", files: processes({ virtnetworkd: 500 }), kind: "dead" },
  {
    what: "another driver's daemon ran before it, and may be starting its guest",
    files: processes({ virtnetworkd: 500, virtqemud: 2000, virtlxcd: 600 }),
    kind: "stale",
  },
  {
    what: "the network's daemon alone was restarted",
    files: processes({ virtnetworkd: 2000, virtqemud: 600 }),
    kind: "stale",
  },
  {
    what: "only a program of another user is called like a daemon",
    files: processes({ virtqemud: 600 }, "Uid:\t1000\t1000\t1000\t1000\n"),
    kind: "dead",
  },
  { what: "the processes cannot be listed", files: {}, kind: "unknown" },
  { what: "its hook began after this program", files: processes({}), hookStartTime: "3001", kind: "unknown" },
] as const;

for (const { what, files, kind, ...rest } of STARTERS) {
  Deno.test(`a port whose guest has no status is ${kind} where ${what}`, async () => {
    const hookStartTime = "hookStartTime" in rest ? rest.hookStartTime : "1000";
    const daemon = { pid: 100, startTime: "500", name: "virtnetworkd", hookStartTime };
    const verdict = await verdictOn({ ...record, daemon }, { ...PORT_STATUS, ...QEMU, ...files });
    assertEquals(verdict.kind, kind);
    if (verdict.kind === "stale") assertStringIncludes(verdict.because, "still runs and may be starting it");
  });
}
