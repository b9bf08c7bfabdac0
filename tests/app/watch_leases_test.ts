/**
 * What a hook leaves behind where a guest has no address yet: a process that looks again, on a host in memory.
 * @module
 */
import { hostOf } from "../support/host.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { runHook } from "../../lib/app/run_hook.ts";
import { drivers } from "../../lib/libvirt/drivers.ts";
import type { MemorySys } from "../../lib/sys/memory_sys.ts";
import { type FakeFilter, fakeFilter } from "../support/fake_filter.ts";
import { type LedgerHost, ledgerHost, UUID } from "../support/ledger_host.ts";

const NETWORK = `<networkstatus><network><name>default</name><forward mode='nat'/><bridge name='virbr0'/>
<ip address='192.168.122.1' netmask='255.255.255.0'><dhcp><range start='192.168.122.2' end='192.168.122.254'/></dhcp></ip>
</network></networkstatus>`;
const LEASES = "/var/lib/libvirt/dnsmasq/virbr0.status";
const MAC = "52:54:00:00:00:01";
const LEASE = JSON.stringify([{ "ip-address": "192.168.122.28", "mac-address": MAC, "expiry-time": 1_900_000_000 }]);
const MOVED = { "ip-address": "192.168.122.29", "mac-address": MAC, "expiry-time": 1_900_000_500 };
const RESERVED_LATER = NETWORK.replace("</dhcp>", `<host mac='${MAC}' ip='192.168.122.50'/></dhcp>`);
const DUAL = NETWORK.replace(
  "</network>",
  "<ip family='ipv6' address='fd00:122::1' prefix='64'><dhcp><range start='fd00:122::100' end='fd00:122::1ff'/></dhcp></ip></network>",
);
const GUEST = {
  name: "web-1",
  uuid: UUID,
  xml: `<devices><interface type='network'><mac address='${MAC}'/><source network='default'/></interface></devices>\n`,
};
const RULES = '[[rule]]\nname = "web"\nwhen = { domain = "*" }\nforward = [{ host_port = 80 }, { host_port = 81 }]\n';

interface Story {
  readonly host: LedgerHost;
  readonly filter: FakeFilter;
  readonly launches: MemorySys["launches"];
}

async function startedGuest(leases = "", network = NETWORK): Promise<Story> {
  const filter = fakeFilter();
  const files = { "/run/libvirt/network/default.xml": network, [LEASES]: leases };
  const host = ledgerHost(RULES, { programs: filter.programs, files });
  await host.call("qemu", "prepare", GUEST);
  const { sys } = await host.call("qemu", "started", GUEST);
  return { host, filter, launches: sys.launches };
}

/** Runs what was left behind; `look` is called at each of its pauses. */
async function runLeft({ host, launches }: Story, look: (pause: number) => void | Promise<void>): Promise<MemorySys> {
  const [launch] = launches;
  assert(launch !== undefined, "Nothing was left behind");
  const sys = host.sys(launch.argv.slice(1));
  let pauses = 0;
  const sleep = async (durationMs: number): Promise<void> => {
    sys.clock.elapsedMs += durationMs;
    await look(++pauses);
  };
  assertEquals(await runHook(drivers.qemu, hostOf({ ...sys, sleep })), 0);
  return sys;
}

function ports({ filter }: Story): readonly string[] {
  return filter.rules().flatMap((rule) =>
    /^to_guest .* dport (\S+) .* to 192\.168\.122\.28 /.exec(rule)?.slice(1) ?? []
  );
}

/** Where the ports lead, by whatever family. */
function leadsTo({ filter }: Story): readonly string[] {
  return filter.rules().flatMap((rule) => /^to_guest .* dnat ip6? to (\S+) /.exec(rule)?.slice(1) ?? []);
}

function history({ host }: Story): readonly Readonly<Record<string, unknown>>[] {
  const lines = (host.text("/var/log/virt-hooks/history.jsonl") ?? "").trimEnd().split("\n");
  return lines.map((line): Readonly<Record<string, unknown>> => JSON.parse(line));
}

Deno.test("a hook leaves itself behind, once for all ports", async () => {
  const { launches } = await startedGuest();
  assertEquals(launches.map(({ argv }) => argv), [["/etc/libvirt/hooks/qemu", "--wait-for-guests"]]);
});

Deno.test("where the guest lives is told once for all ports", async () => {
  const story = await startedGuest(LEASE);
  const notes = ['the guest has the address 192.168.122.28, DHCP lease on network "default"'];
  assertEquals([ports(story), history(story).at(-1)?.["notes"]], [["80", "81"], notes]);
});

Deno.test("with a reservation no process is left behind", async () => {
  const reserved = NETWORK.replace("</dhcp>", `<host mac='${MAC}' ip='192.168.122.28'/></dhcp>`);
  const story = await startedGuest("", reserved);
  assertEquals([ports(story), story.launches], [["80", "81"], []]);
});

Deno.test("a lease that moves is followed, and the history tells only of changes", async () => {
  const story = await startedGuest(LEASE);
  const lines = history(story).length;
  const seen: string[] = [];
  await runLeft(story, (pause) => {
    if (pause === 5) story.host.write(LEASES, JSON.stringify([...JSON.parse(LEASE), MOVED]));
    if (pause === 10) story.host.write(LEASES, JSON.stringify([]));
    if (pause === 15) story.host.write(LEASES, JSON.stringify([MOVED]));
    const leads = story.filter.rules().find((rule) => rule.includes("dport 80 "))?.match(/ to ([\d.]+) /)?.[1] ?? "-";
    if (seen.at(-1) !== leads) seen.push(leads);
  });
  assertEquals(seen, ["192.168.122.28", "192.168.122.29", "-", "192.168.122.29"]);
  assertEquals(history(story).slice(lines).map(({ operation, outcome }) => [operation, outcome]), [
    ["waited", "done"],
    ["waited", "done"],
    ["waited", "done"],
  ]);
});

Deno.test("the ports stay of the family that was decided when the guest started", async () => {
  const story = await startedGuest("", DUAL);
  const leases: unknown[] = [{ "ip-address": "fd00:122::1c8", "mac-address": MAC, "expiry-time": 1_900_000_000 }];
  const seen: (readonly string[])[] = [];
  await runLeft(story, (pause) => {
    if (pause === 2) story.host.write(LEASES, JSON.stringify(leases));
    if (pause === 8) seen.push(leadsTo(story));
    if (pause === 9) story.host.write(LEASES, JSON.stringify([...leases, ...JSON.parse(LEASE)]));
    if (pause === 15) seen.push(leadsTo(story));
    if (pause === 16) story.host.write(LEASES, JSON.stringify(leases));
    if (pause === 20) seen.push(leadsTo(story));
  });
  assertEquals(seen, [[], ["192.168.122.28", "192.168.122.28"], []]);
});

Deno.test("a reservation that is made while the guest runs changes nothing as long as its lease lasts", async () => {
  const story = await startedGuest("");
  const seen: (readonly string[])[] = [];
  await runLeft(story, (pause) => {
    if (pause === 2) story.host.write(LEASES, LEASE);
    if (pause === 8) seen.push(leadsTo(story));
    if (pause === 9) story.host.write("/run/libvirt/network/default.xml", RESERVED_LATER);
    if (pause === 14) seen.push(leadsTo(story));
    if (pause === 15) story.host.write(LEASES, "");
    if (pause === 20) seen.push(leadsTo(story));
  });
  const [leased, reserved] = ["192.168.122.28", "192.168.122.50"];
  assertEquals(seen, [[leased, leased], [leased, leased], [reserved, reserved]]);
});

Deno.test("when the lease is there the ports are, and the history tells", async () => {
  const story = await startedGuest();
  let opened = 0;
  await runLeft(story, (pause) => {
    if (pause === 3) story.host.write(LEASES, LEASE);
    if (opened === 0 && ports(story).length > 0) opened = pause;
  });
  assertEquals([ports(story), opened], [["80", "81"], 4]);
  const last = history(story).at(-1);
  assertEquals([last?.["operation"], last?.["outcome"]], ["waited", "done"]);
});

Deno.test("a guest that stops is not waited for", async () => {
  const story = await startedGuest();
  let pauses = 0;
  await runLeft(story, async (pause) => {
    pauses = pause;
    if (pause === 2) await story.host.call("qemu", "stopped", GUEST);
  });
  assertEquals([ports(story), pauses], [[], 2]);
});

Deno.test('"fail" does not wait longer than ten minutes', async () => {
  const story = await startedGuest();
  const sys = await runLeft(story, () => {});
  assert(sys.clock.elapsedMs > 590_000 && sys.clock.elapsedMs < 610_000, `${sys.clock.elapsedMs} ms`);
});

Deno.test("a guest that starts while another is waited for is waited for too", async () => {
  const story = await startedGuest();
  const other = { ...GUEST, name: "web-2", uuid: "99999999-2222-4333-8444-555555555555" };
  story.host.write("/etc/virt-hooks/rules.toml", RULES.replace("80 }", "90 }").replace("81 }", "91 }"));
  await runLeft(story, async (pause) => {
    if (pause !== 2) return;
    await story.host.call("qemu", "stopped", GUEST);
    for (const operation of ["prepare", "started"]) await story.host.call("qemu", operation, other);
    story.host.write(LEASES, LEASE);
  });
  assertEquals(ports(story), ["90", "91"]);
});

Deno.test("a second one ends at once: the first waits for all", async () => {
  const story = await startedGuest();
  const [launch] = story.launches;
  const sys = story.host.sys(launch?.argv.slice(1));
  const lock = (path: string): Disposable | undefined => path.endsWith("waiter.lock") ? undefined : sys.lock(path);
  assertEquals(await runHook(drivers.qemu, hostOf({ ...sys, lock })), 0);
  assertEquals(sys.clock.elapsedMs < 10, true);
});

Deno.test("where nobody can be left behind, the history says what helps", async () => {
  const filter = fakeFilter();
  const files = { "/run/libvirt/network/default.xml": NETWORK, [LEASES]: "" };
  const end = { kind: "not-started", reason: "Resource temporarily unavailable" } as const;
  const host = ledgerHost(RULES, { programs: filter.programs, files, dying: { "/etc/libvirt/hooks/qemu": end } });
  await host.call("qemu", "prepare", GUEST);
  const { history: line, code } = await host.call("qemu", "started", GUEST);
  assertEquals([code, JSON.stringify(line["notes"]).includes("virt-hooks reconcile")], [0, true]);
});

Deno.test("what goes wrong while waiting stands in the history", async () => {
  const story = await startedGuest();
  const [launch] = story.launches;
  const sys = story.host.sys(launch?.argv.slice(1));
  const readDirectory = (): never => {
    throw new Error("Input/output error (os error 5)");
  };
  assertEquals(await runHook(drivers.qemu, hostOf({ ...sys, readDirectory })), 0);
  const last = history(story).at(-1);
  assertEquals([last?.["operation"], last?.["outcome"]], ["waited", "failed"]);
});
