/**
 * What the start of a daemon leaves behind: a process that looks again once libvirt has written its own rules, on a host in
 * memory.
 * @module
 */
import { hostOf } from "../support/host.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { runHook } from "../../lib/app/run_hook.ts";
import { drivers } from "../../lib/libvirt/drivers.ts";
import { fakeFilter } from "../support/fake_filter.ts";
import { ledgerHost, UUID } from "../support/ledger_host.ts";

const RULES = '[[rule]]\nname = "web"\nwhen = { domain = "*" }\nforward = { host_port = 80, to = "10.0.0.7" }\n';
const GUEST = { name: "web-1", uuid: UUID, xml: "<devices/>\n" };
const OURS = "-m mark --mark 0x10000000/0x10000000 -m comment --comment virt-hooks -j ACCEPT";

Deno.test("at a daemon's start a process is left behind that looks again, for two minutes, and tells once", async () => {
  const filter = fakeFilter();
  const host = ledgerHost(RULES, { programs: filter.programs });
  await host.call("qemu", "prepare", GUEST);
  await host.call("qemu", "started", GUEST);
  host.write("/run/libvirt/qemu/web-1.xml", `<domstatus><domain><uuid>${UUID}</uuid></domain></domstatus>`);
  const [launch] = (await host.call("daemon", "start")).sys.launches;
  assertEquals(launch?.argv.slice(1), ["--wait-for-firewall"]);
  assert(launch !== undefined);
  const sys = host.sys(launch.argv.slice(1));
  let [pauses, libvirtAtMs] = [0, 0];
  const sleep = (durationMs: number): Promise<void> => {
    sys.clock.elapsedMs += durationMs;
    if (++pauses === 10) {
      libvirtAtMs = sys.clock.elapsedMs;
      filter.forward.iptables.unshift("-j LIBVIRT_FWI");
    }
    return Promise.resolve();
  };
  assertEquals(await runHook(drivers.daemon, hostOf({ ...sys, sleep })), 0);
  assertEquals(filter.forward.iptables[0], OURS);
  assert(libvirtAtMs > 3_000 && sys.clock.elapsedMs >= 120_000 && sys.clock.elapsedMs < 125_000);
  const lines = (host.text("/var/log/virt-hooks/history.jsonl") ?? "").split("\n");
  assertEquals(lines.filter((line) => line.includes("waited")).length, 1);
});

Deno.test("where nothing is held of the packet filter, or a daemon has no networks, nothing is left behind", async () => {
  const filter = fakeFilter();
  const host = ledgerHost(RULES, { programs: filter.programs });
  assertEquals((await host.call("daemon", "start")).sys.launches, []);
  await host.call("qemu", "prepare", GUEST);
  await host.call("qemu", "started", GUEST);
  host.write("/proc/1000/stat", (host.text("/proc/1000/stat") ?? "").replace("libvirtd", "virtqemud"));
  assertEquals((await host.call("daemon", "start")).sys.launches, []);
});
