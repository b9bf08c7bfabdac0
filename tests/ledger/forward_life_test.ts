/**
 * Forwards over the lives of guests, on a host in memory: waiting for an address, ensured whoever is called, one change for
 * many.
 * @module
 */
import { assertEquals, assertStringIncludes } from "../support/assert.ts";
import { type FakeFilter, fakeFilter } from "../support/fake_filter.ts";
import { type LedgerHost, ledgerHost } from "../support/ledger_host.ts";

const NETWORK = `<networkstatus><network><name>default</name><forward mode='nat'/><bridge name='virbr0'/>
<ip address='192.168.122.1' netmask='255.255.255.0'><dhcp><range start='192.168.122.2' end='192.168.122.254'/></dhcp></ip>
</network></networkstatus>`;
const LEASES = "/var/lib/libvirt/dnsmasq/virbr0.status";
const MAC = "52:54:00:00:00:01";

function guest(name: string, digit: string, mac = MAC): { name: string; uuid: string; xml: string } {
  return {
    name,
    uuid: `${digit.repeat(8)}-2222-4333-8444-555555555555`,
    xml:
      `<devices><interface type='network'><mac address='${mac}'/><source network='default'/></interface></devices>\n`,
  };
}

const WEB = guest("web-1", "1");

function rulesOf(forwards: string): string {
  return `[[rule]]\nname = "web"\nwhen = { domain = "*" }\nforward = ${forwards}\n`;
}

function hostWith(forwards: string): { readonly host: LedgerHost; readonly filter: FakeFilter } {
  const filter = fakeFilter();
  const files = { "/run/libvirt/network/default.xml": NETWORK, [LEASES]: "" };
  return { host: ledgerHost(rulesOf(forwards), { programs: filter.programs, files }), filter };
}

function lease(address: string): string {
  return JSON.stringify([{ "ip-address": address, "mac-address": MAC, "expiry-time": 1_900_000_000 }]);
}

function targets({ rules }: FakeFilter): readonly string[] {
  return rules().flatMap((rule) => /^to_guest .* dport (\S+) .* to (\S+) /.exec(rule)?.slice(1, 3).join(" ") ?? []);
}

Deno.test("ten forwards are one change of each part of the packet filter, and so is their end", async () => {
  const ports = Array.from({ length: 10 }, (_, index) => `{ host_port = ${8000 + index}, to = "192.168.122.9" }`);
  const { host, filter } = hostWith(`[${ports.join(", ")}]`);
  await host.call("qemu", "prepare", WEB);
  assertEquals(filter.writes.count, 0);
  const { history } = await host.call("qemu", "started", WEB);
  assertEquals([targets(filter).length, filter.writes.count], [10, 3]);
  assertEquals(history["exitCode"], 0);
  await host.call("qemu", "stopped", WEB);
  assertEquals([targets(filter).length, filter.writes.count], [0, 6]);
  await host.call("qemu", "release", WEB);
  assertEquals([host.ledgerFiles(), filter.forward.iptables], [[], ["-j LIBVIRT_FWI"]]);
});

Deno.test("a guest without an address yet gets its ports when anything happens after its lease", async () => {
  const { host, filter } = hostWith("{ host_port = 8080, guest_port = 80 }");
  await host.call("qemu", "prepare", WEB);
  const { history, code } = await host.call("qemu", "started", WEB);
  assertEquals([code, targets(filter)], [0, []]);
  assertStringIncludes(JSON.stringify(history["notes"]), "waits for a lease of network");
  host.write(LEASES, lease("192.168.122.28"));
  await host.call("network", "updated", { name: "default", uuid: "99999999-2222-4333-8444-555555555555" });
  assertEquals(targets(filter), ["8080 192.168.122.28:80"]);
});

Deno.test("a lease that moves takes the ports along; one that is over ends them", async () => {
  const { host, filter } = hostWith("{ host_port = 8080, guest_port = 80 }");
  host.write(LEASES, lease("192.168.122.28"));
  for (const operation of ["prepare", "started"]) await host.call("qemu", operation, WEB);
  host.write(LEASES, lease("192.168.122.29"));
  await host.call("qemu", "reconnect", WEB);
  assertEquals(targets(filter), ["8080 192.168.122.29:80"]);
  host.write(LEASES, "[]");
  await host.call("daemon", "reload");
  assertEquals(targets(filter), []);
});

Deno.test("a lease that is over takes no other guest's ports along, and none of the same guest's for the other family", async () => {
  const { host, filter } = hostWith('[{ host_port = 8080 }, { host_port = 8080, to = "fd00:122::11" }]');
  const six = '<ip family="ipv6" address="fd00:122::1" prefix="64"/></network></networkstatus>';
  host.write("/run/libvirt/network/default.xml", NETWORK.replace("</network></networkstatus>", six));
  host.write(LEASES, lease("192.168.122.28"));
  for (const operation of ["prepare", "started"]) await host.call("qemu", operation, WEB);
  host.write("/etc/virt-hooks/rules.toml", rulesOf('{ host_port = 9090, to = "192.168.122.9" }'));
  const other = guest("web-2", "2", "52:54:00:00:00:02");
  for (const operation of ["prepare", "started"]) await host.call("qemu", operation, other);
  assertEquals(targets(filter), ["8080 192.168.122.28", "8080 fd00:122::11", "9090 192.168.122.9"]);
  host.write(LEASES, "[]");
  await host.call("qemu", "stopped", other);
  assertEquals(targets(filter), ["8080 fd00:122::11"]);
  host.write(LEASES, lease("192.168.122.29"));
  await host.call("daemon", "reload");
  assertEquals(targets(filter).toSorted(), ["8080 192.168.122.29", "8080 fd00:122::11"]);
});

const MOMENTS = [
  ["network", "started"],
  ["network", "updated"],
  ["lxc", "started"],
  ["qemu", "reconnect"],
  ["daemon", "reload"],
  ["daemon", "start"],
] as const;

for (const [driver, operation] of MOMENTS) {
  Deno.test(`what somebody took away is there again at ${driver} ${operation}, whoever is called`, async () => {
    const { host, filter } = hostWith('{ host_port = 8080, to = "192.168.122.9" }');
    for (const phase of ["prepare", "started"]) await host.call("qemu", phase, WEB);
    host.write("/etc/virt-hooks/rules.toml", "");
    filter.forward.iptables.reverse();
    const other = { name: "other", uuid: "99999999-2222-4333-8444-555555555555" };
    const { code } = await host.call(driver, operation, driver === "daemon" ? {} : other);
    assertEquals([code, filter.forward.iptables.at(-1)], [0, "-j LIBVIRT_FWI"]);
    assertEquals(targets(filter), ["8080 192.168.122.9"]);
  });
}

Deno.test("a guest that wants a port of another is refused before it starts, and both are named", async () => {
  const { host, filter } = hostWith('[{ host_port = "8000-8010" }, { host_port = 22 }]');
  host.write(LEASES, lease("192.168.122.28"));
  for (const operation of ["prepare", "started"]) await host.call("qemu", operation, WEB);
  const { code, stderr } = await host.call("qemu", "prepare", guest("web-2", "2", "52:54:00:00:00:02"));
  assertEquals([code, targets(filter).length], [4, 2]);
  assertStringIncludes(stderr, 'guest "web-1" (rule "web") wants tcp port 8000-8010');
  assertStringIncludes(stderr, 'guest "web-2" (rule "web") wants tcp port 8000-8010');
});
