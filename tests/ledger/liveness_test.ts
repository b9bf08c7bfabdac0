/** How holders are judged: what is read for it, what is done when time runs out, and whose daemon tells of what. */
import type { MemorySys } from "../../lib/sys/memory_sys.ts";
import type { Sys } from "../../lib/sys/sys.ts";
import { admin } from "../support/admin.ts";
import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { type LedgerHost, ledgerHost, procStat, UUID } from "../support/ledger_host.ts";

const SWAPPINESS = "/proc/sys/vm/swappiness";
const COUNT = 1000;

function rule(life: string): string {
  return `[[rule]]\nname = "calm"\nwhen = {}\nwhile = "${life}"\nsysctl = { "vm.swappiness" = 1 }\n`;
}

function hostWith(life: string, files: Readonly<Record<string, string>> = {}): LedgerHost {
  return ledgerHost(rule(life), { files: { [SWAPPINESS]: "60\n", "/run/libvirt/qemu/x": "", ...files } });
}

function statusFile(host: LedgerHost, name: string, { uuid = UUID, driver = "qemu" } = {}): void {
  const text = `<domstatus><vcpus/><domain><name>${name}</name><uuid>${uuid}</uuid></domain></domstatus>`;
  host.write(`/run/libvirt/${driver}/${name}.xml`, text);
}

function uuidOf(index: number): string {
  return `00000000-0000-4000-8000-${String(index).padStart(12, "0")}`;
}

/** A host with many guests that run: one is started by a hook, the others' files are made like its. */
async function crowded(): Promise<LedgerHost> {
  const host = hostWith("guest");
  await host.call("qemu", "prepare");
  statusFile(host, "web-1");
  await host.call("qemu", "started");
  const [path = "", text = ""] =
    Object.entries(host.tree("/run/virt-hooks/ledger")).find(([each]) => each.includes("/demands/")) ?? [];
  for (let index = 0; index < COUNT - 1; index++) {
    const name = `guest-${index}`;
    host.write(
      path.replace(/h-[0-9a-f]+-/, `h-${String(index).padStart(32, "0")}-`),
      text.replaceAll(UUID, uuidOf(index)).replaceAll("web-1", name),
    );
    statusFile(host, name, { uuid: uuidOf(index) });
  }
  return host;
}

/** How often each file was read. */
function counting(reads: Map<string, number>): (sys: MemorySys) => Sys {
  const count = (path: string): void => void reads.set(path, (reads.get(path) ?? 0) + 1);
  return (sys) => ({
    ...sys,
    readStart: (path, bytesMax) => (count(path), sys.readStart(path, bytesMax)),
    readTextFile: (path, bytesMax) => (count(path), sys.readTextFile(path, bytesMax)),
  });
}

function assertStatusReadOnce(reads: ReadonlyMap<string, number>): void {
  const counts = [...reads].filter(([path]) => path.startsWith("/run/libvirt/")).map(([, count]) => count);
  assertEquals([counts.length, Math.max(...counts)], [COUNT, 1]);
}

Deno.test("the daemon's start reads each status file once", async () => {
  const host = await crowded();
  const reads = new Map<string, number>();
  const { code, history } = await host.call("daemon", "start", {}, counting(reads));
  assertEquals([code, history["outcome"], host.text(SWAPPINESS)], [0, "done", "1"]);
  assertStatusReadOnce(reads);
});

/** A host on which time goes by with each status file that is read. */
function slow(ms: number): (sys: MemorySys) => Sys {
  return (sys) => ({
    ...sys,
    readStart: (path, bytesMax) => {
      sys.clock.elapsedMs += ms;
      return sys.readStart(path, bytesMax);
    },
  });
}

Deno.test("the daemon's start says what no time was left for, and brings what is held back all the same", async () => {
  const host = await crowded();
  host.write(SWAPPINESS, "33");
  const { code, history } = await host.call("daemon", "start", {}, slow(100));
  assertEquals([code, history["outcome"], host.text(SWAPPINESS)], [0, "failed", "1"]);
  assertStringIncludes(String(history["message"]), `no time was left to look at 925 of ${COUNT} holders`);
});

/** Runs the command on a host on which a status file takes as long to read. */
async function adminSlow(host: LedgerHost, args: readonly string[], ms: number): ReturnType<typeof admin> {
  return await admin({ ...host, sys: (given) => ({ ...host.sys(given), ...slowed(host, given, ms) }) }, args);
}

function slowed(host: LedgerHost, args: readonly string[] | undefined, ms: number): MemorySys {
  const sys = host.sys(args);
  return { ...sys, ...slow(ms)(sys) };
}

for (const command of [["status"], ["reconcile", "--dry-run"], ["reconcile"]]) {
  Deno.test(`${command.join(" ")} says of whom nothing is known as no time was left`, async () => {
    const host = await crowded();
    const { code, lines } = await adminSlow(host, command, 10_000);
    assert(code !== 0);
    assert(lines.some((line) => line.includes("not looked at: no time was left")), lines.slice(0, 5).join("\n"));
    assert(!lines.some((line) => /all ok|[Nn]othing to release/.test(line)), lines.at(-1));
  });
}

const PORT_UUID = "22222222-2222-4333-8444-555555555555";
const PORT = {
  name: "default",
  uuid: "33333333-2222-4333-8444-555555555555",
  xml: `<networkport><uuid>${PORT_UUID}</uuid><owner><name>web-1</name><uuid>${UUID}</uuid></owner></networkport>`,
};
const NETWORK_FILE = "/run/libvirt/network/default.xml";
const PORT_FILE = `/run/libvirt/network/default/ports/${PORT_UUID}.xml`;

/** Whether the port's hold lasts. */
async function held(host: LedgerHost, driver: "qemu" | "lxc", operation: string, name: string): Promise<boolean> {
  assertEquals((await host.call(driver, operation, { name })).code, 0);
  return host.text(SWAPPINESS)?.trim() === "1";
}

Deno.test("a port ends with its own guest alone, where two drivers have a guest of its owner's UUID", async () => {
  const host = hostWith("port", { "/run/libvirt/lxc/x": "" });
  await host.call("network", "port-created", PORT);
  statusFile(host, "web-1");
  // Of its name, then of another one.
  for (const name of ["web-1", "other"]) {
    for (const operation of ["prepare", "started", "stopped", "release"]) {
      assert(await held(host, "lxc", operation, name), `lxc ${operation} of ${name} took it`);
    }
  }
  statusFile(host, "web-1", { driver: "lxc" });
  host.nodes.delete("/run/libvirt/qemu/web-1.xml");
  assert(await held(host, "qemu", "release", "web-1"), "it may be the container's");
  host.nodes.delete("/run/libvirt/lxc/web-1.xml");
  assert(!await held(host, "qemu", "prepare", "web-1"));
});

/** A process; the host in memory makes no folder by itself. */
function process(host: LedgerHost, pid: number, name: string, startTime: number): void {
  host.nodes.set(`/proc/${pid}`, { kind: "directory", text: "", uid: 0, mode: 0o755 });
  host.write(`/proc/${pid}/stat`, procStat(pid, name, startTime));
}

const ROOT = "Uid:\t0\t0\t0\t0\n";

/** Modular daemons: the guest was lost in its start, of which its port is left, and the network's daemon runs on. */
async function lostInStart(): Promise<LedgerHost> {
  const host = hostWith("port", {
    [NETWORK_FILE]: "<networkstatus/>",
    "/proc/1000/stat": procStat(1000, "virtnetworkd", 500),
    "/proc/2000/stat": procStat(2000, "virtqemud", 600),
    "/proc/2000/status": ROOT,
  });
  process(host, 20_001, "network", 1000);
  assertEquals((await host.call("network", "port-created", PORT)).code, 0);
  host.write(PORT_FILE, "<networkport/>");
  return host;
}

/** A daemon starts; the hook that it calls begins a little later. */
async function daemonStart(host: LedgerHost, name: string, startTime: number): Promise<void> {
  process(host, 1000, name, startTime);
  host.write("/proc/1000/status", ROOT);
  for (let pid = 20_001; pid < 20_010; pid++) process(host, pid, "hook", startTime + pid - 20_000);
  await host.call("daemon", "start");
}

Deno.test("a port of a guest that was lost in its start is given back when the guest's own daemon starts", async () => {
  const host = await lostInStart();
  host.nodes.delete("/proc/2000/stat");
  await daemonStart(host, "virtqemud", 2000);
  assertEquals([host.text(SWAPPINESS), host.ledgerFiles()], ["60", []]);
});

Deno.test("a port of a guest that another daemon may be starting stays when a daemon starts", async () => {
  for (const name of ["virtlxcd", "virtnetworkd", "virtqemud"]) {
    const host = await lostInStart();
    await daemonStart(host, name, 2000);
    assertEquals([name, host.text(SWAPPINESS)], [name, "1"]);
  }
});

Deno.test("a port whose guest may be starting is announced again by a new daemon of networks, and keeps its hold", async () => {
  const host = await lostInStart();
  await daemonStart(host, "virtnetworkd", 2000);
  await host.call("network", "port-created", PORT);
  assertEquals(host.text(SWAPPINESS), "1");
  host.nodes.delete("/proc/2000/stat");
  await host.call("network", "port-created", PORT);
  assertEquals(host.text(SWAPPINESS), "60");
});
