/** What `status` tells of forwards: where each leads, who says so, and which wait. */
import { admin, snapshot } from "../support/admin.ts";
import { assertEquals } from "../support/assert.ts";
import { fakeFilter } from "../support/fake_filter.ts";
import { ledgerHost, UUID } from "../support/ledger_host.ts";

const NETWORK = `<networkstatus><network><name>default</name><forward mode='nat'/><bridge name='virbr0'/>
<ip address='192.168.122.1' netmask='255.255.255.0'><dhcp><range start='192.168.122.2' end='192.168.122.254'/></dhcp></ip>
</network></networkstatus>`;
const LEASES = "/var/lib/libvirt/dnsmasq/virbr0.status";
const MAC = "52:54:00:00:00:01";
const RULES = `[[rule]]\nname = "web"\nwhen = { domain = "*" }
forward = [{ host_port = 8080, guest_port = 80 }, { host_port = "6000-6003", to = "192.168.122.9", protocol = "both" }]\n`;
const GUEST = {
  xml: `<devices><interface type='network'><mac address='${MAC}'/><source network='default'/></interface></devices>\n`,
};

Deno.test("status tells where a port leads, and that one waits for an address until there is one", async () => {
  const filter = fakeFilter();
  const files = { "/run/libvirt/network/default.xml": NETWORK, [LEASES]: "", "/run/libvirt/qemu/x": "" };
  const host = ledgerHost(RULES, { programs: filter.programs, files });
  await host.call("qemu", "prepare", GUEST);
  host.write("/run/libvirt/qemu/web-1.xml", `<domstatus><domain><uuid>${UUID}</uuid></domain></domstatus>`);
  await host.call("qemu", "started", GUEST);
  const before = snapshot(host);
  const waiting = await admin(host, ["status"]);
  const wants = (lines: readonly string[]): readonly string[] =>
    lines.join("\n").replace(/\n {9,}(?!guest)/g, " ").split("\n").flatMap((line) =>
      /rule "web": (.*), since /.exec(line)?.slice(1) ?? []
    ).toSorted();
  assertEquals(wants(waiting.lines), [
    "port 8080 (tcp) to the guest at 80, which has no address yet",
    "ports 6000-6003 (tcp and udp) to 192.168.122.9, as its rule says",
  ]);
  assertEquals([waiting.code, snapshot(host)], [0, before]);
  host.write(
    LEASES,
    JSON.stringify([{ "ip-address": "192.168.122.28", "mac-address": MAC, "expiry-time": 1_900_000_000 }]),
  );
  const found = await admin(host, ["status"]);
  assertEquals(wants(found.lines)[0], 'port 8080 (tcp) to 192.168.122.28, leased to it by network "default" at 80');
  assertEquals((await admin(host, ["reconcile"])).code, 0);
  assertEquals((await admin(host, ["status"])).code, 0);
  assertEquals(filter.rules().some((rule) => rule.includes("192.168.122.28:80")), true);
});
