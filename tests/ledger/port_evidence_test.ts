/**
 * Whether a port of a network lives: libvirt keeps ports of guests that were lost while they started.
 * @module
 */
import { assertEquals } from "../support/assert.ts";
import { isLeftBehind, judge } from "../../lib/ledger/evidence.ts";
import type { DemandRecord } from "../../lib/ledger/demand_file.ts";
import { memorySys } from "../../lib/sys/memory_sys.ts";

const PORT = "aaaaaaaa-2222-4333-8444-555555555555";
const GUEST = "bbbbbbbb-2222-4333-8444-555555555555";
const PORT_STATUS = { [`/run/libvirt/network/default/ports/${PORT}.xml`]: `<networkport><uuid>${PORT}</uuid>` };
const QEMU = { "/run/libvirt/qemu/driver.pid": "1\n" };
const GUEST_STATUS = { "/run/libvirt/lxc/ct1.xml": `<domstatus><uuid>${GUEST}</uuid>` };
const NETWORK = { "/run/libvirt/network/default.xml": "<networkstatus/>" };

const holder = { kind: "port", uuid: PORT, network: "n", name: "default", owner: GUEST } as const;
const record: DemandRecord = {
  ...{ key: "sysctl/a/b", resource: "sysctl", holder, rule: "r", action: "sysctl", lifetime: "port", order: 0 },
  ...{ demand: {}, daemon: { pid: 1000, startTime: "777", name: "libvirtd" }, since: "2026-01-01T00:00:00.000Z" },
};

const CASES = [
  { what: "port and guest are known", files: { ...PORT_STATUS, ...QEMU, ...GUEST_STATUS }, kind: "alive", left: false },
  { what: "the guest is gone", files: { ...PORT_STATUS, ...QEMU }, kind: "dead", left: true },
  { what: "no driver tells of guests", files: PORT_STATUS, kind: "alive", left: false },
  { what: "the port is gone", files: { ...QEMU, ...NETWORK, ...GUEST_STATUS }, kind: "dead", left: false },
  { what: "no driver tells of networks", files: { ...QEMU, ...GUEST_STATUS }, kind: "unknown", left: false },
];

for (const { what, files, kind, left } of CASES) {
  Deno.test(`a port is ${kind} where ${what}`, async () => {
    const sys = memorySys({ files });
    assertEquals((await judge([record], sys)).kind, kind);
    assertEquals(isLeftBehind(holder, sys), left);
  });
}

Deno.test("a port without an owner is as alive as libvirt says", async () => {
  const free = { ...holder, owner: undefined };
  const sys = memorySys({ files: { ...PORT_STATUS, ...QEMU } });
  assertEquals((await judge([{ ...record, holder: free }], sys)).kind, "alive");
  assertEquals(isLeftBehind(free, sys), false);
});
