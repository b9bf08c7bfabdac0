/** Plans and mistakes of `forward` and `open`. */
import type { DriverName } from "../../lib/libvirt/driver.ts";
import type { Plan } from "../../lib/plan/plan.ts";
import { renderIntent } from "../../lib/plan/render.ts";
import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { mistakesIn, planFor } from "../support/plan_for.ts";

const GUEST = `<domain type='kvm'><name>web-1</name><uuid>71b82105-90e8-4513-810a-f629d2aaf0d2</uuid><devices>
<interface type='network'><mac address='52:54:00:00:00:01'/><source network='default'/></interface>
<interface type='bridge'><mac address='52:54:00:00:00:02'/><source bridge='br0'/></interface></devices></domain>`;
const NETWORK = `<hookData><network><name>lab</name><uuid>71b82105-90e8-4513-810a-f629d2aaf0d1</uuid>
<bridge name='virbr7'/><ip address='192.168.7.1' netmask='255.255.255.0'/>
<ip family='ipv6' address='fd00:7::1' prefix='64'/></network></hookData>`;

function planOf(text: string, driver: DriverName = "qemu", document = GUEST): Promise<Plan> {
  return planFor(text, { driver, document });
}

function rule(action: string, life = ""): string {
  return `[[rule]]\nname = "r"\nwhen = {}\n${life}${action}\n`;
}

const PLANS: Readonly<Record<string, string>> = {
  "{ host_port = 2222, guest_port = 22 }": "port 2222 (tcp) of the host to the guest at 22",
  '{ host_port = "8000-8010", protocol = "both" }': "ports 8000-8010 (tcp and udp) of the host to the guest",
  '{ host_port = "8000-8010", guest_port = 80 }': "ports 8000-8010 (tcp) of the host to the guest at 80-90",
  '{ host_port = "80-90", guest_port = "8000-8010" }': "ports 80-90 (tcp) of the host to the guest at 8000-8010",
  '{ host_port = 53, protocol = "udp", host_address = ["203.0.113.1", "2001:DB8::1"] }':
    "port 53 (udp) of 203.0.113.1, 2001:db8::1 to the guest",
  '{ host_port = 80, from = ["10.0.0.0/8", "192.0.2.1"], to = "192.168.122.9" }':
    "port 80 (tcp) of the host to 192.168.122.9, for 10.0.0.0/8, 192.0.2.1/32",
  '{ host_port = 80, network = "default" }': 'port 80 (tcp) of the host to the guest on network "default"',
  '{ host_port = 80, mac = "52:54:0:0:0:2" }':
    "port 80 (tcp) of the host to the guest with the MAC address 52:54:00:00:00:02",
};

for (const [config, text] of Object.entries(PLANS)) {
  Deno.test(`forward = ${config}`, async () => {
    const plan = await planOf(rule(`forward = ${config}`));
    assertEquals(plan.map(renderIntent), [`hold  ${text}, while the guest runs; a failure is noted`]);
  });
}

Deno.test("forward: the demand has the selected interfaces, and the mark of the settings", async () => {
  const settings = "[settings]\nforward_mark = 0x2000\n";
  const [hold] = await planOf(settings + rule('forward = { host_port = 80, network = "default" }'));
  assert(hold?.kind === "hold" && hold.resource === "nft" && hold.demand.kind === "forward");
  assertEquals([hold.demand.mark, hold.demand.interfaces], [0x2000, [
    { mac: "52:54:00:00:00:01", network: "default", bridge: null, addresses: [] },
    // The network of this interface is determined on the host.
    { mac: "52:54:00:00:00:02", network: null, bridge: "br0", addresses: [] },
  ]]);
});

Deno.test("forward: hairpin applies to the host devices of the selected interfaces, once they exist", async () => {
  const devices = async (dev: string): Promise<readonly unknown[]> => {
    const document = GUEST.replace("</interface>", `<target dev='${dev}'/></interface>`);
    const plan = await planOf(rule("forward = { host_port = 80, hairpin = true }"), "qemu", document);
    return plan.flatMap((hold) => hold.kind === "hold" && hold.resource === "hairpin" ? [hold.demand.dev] : []);
  };
  assertEquals([await devices("vnet0"), await devices("../vnet0"), await devices("..")], [["vnet0"], [], []]);
});

Deno.test("forward: hairpin applies only to ports of bridges", async () => {
  const direct =
    "<interface type='direct'><source dev='eth0' mode='bridge'/><target dev='macvtap0'/></interface></devices>";
  const document = GUEST.replace("</interface>", "<target dev='vnet0'/></interface>").replace("</devices>", direct);
  const plan = await planOf(rule("forward = { host_port = 80, hairpin = true }"), "qemu", document);
  assertEquals(plan.flatMap((hold) => hold.kind === "hold" && hold.resource === "hairpin" ? [hold.demand.dev] : []), [
    "vnet0",
  ]);
});

Deno.test("forward: several in one rule are numbered", async () => {
  const plan = await planOf(rule("forward = [{ host_port = 80 }, { host_port = 81 }]"));
  assertEquals(plan.map((intent) => intent.kind === "hold" ? intent.action : ""), ["forward.1", "forward.2"]);
});

Deno.test("forward: a guest without such an interface is a fault", async () => {
  const mac = "52:54:00:00:00:01";
  const plan = await planOf(rule(`forward = { host_port = 80, network = "lab", mac = "${mac}" }`));
  assertEquals(plan.map(renderIntent), [
    `FAIL  forward: the guest has no interface on network "lab" with the MAC address ${mac}; a failure is noted`,
  ]);
});

Deno.test("forward: a guest with only user networking is a fault with advice", async () => {
  const document = GUEST.replace(
    /<interface[^]*<\/interface>/,
    "<interface type='user'><backend type='passt'/></interface>",
  );
  const [fault] = (await planOf(rule("forward = { host_port = 80 }"), "qemu", document)).map(renderIntent);
  assertStringIncludes(fault ?? "", "uses user networking (SLIRP or passt)");
  assertStringIncludes(fault ?? "", "<portForward>");
});

Deno.test("open: addresses that are routed to a network's guests", async () => {
  const text = 'open = { to = ["203.0.113.16/28", "2001:db8::7"], ports = 443 }';
  const [hold] = await planOf(rule(text, 'while = "network"\n'), "network", NETWORK);
  assert(hold?.kind === "hold" && hold.resource === "nft" && hold.demand.kind === "open");
  assertEquals([hold.demand.networks, renderIntent(hold)], [
    ["203.0.113.16/28", "2001:db8::7"],
    "hold  203.0.113.16/28, 2001:db8::7 opened to all, port 443 (tcp), while the network is active; a failure is noted",
  ]);
});

Deno.test("open: a network's own addresses", async () => {
  const text = 'open = { from = "10.0.0.0/8", ports = [22, "80-90"] }';
  assertEquals((await planOf(rule(text, 'while = "network"\n'), "network", NETWORK)).map(renderIntent), [
    "hold  192.168.7.0/24, fd00:7::/64 opened to 10.0.0.0/8, port 22 (tcp), ports 80-90 (tcp), while the network is active; " +
    "a failure is noted",
  ]);
  for (const all of ["open = {}", "open = true"]) {
    assertEquals((await planOf(rule(all, 'while = "network"\n'), "network", NETWORK)).map(renderIntent), [
      "hold  192.168.7.0/24, fd00:7::/64 opened to all, while the network is active; a failure is noted",
    ]);
  }
});

Deno.test("open: one guest", async () => {
  assertEquals((await planOf(rule('open = { ports = 22, network = "default" }'))).map(renderIntent), [
    'hold  the guest on network "default" opened to all, port 22 (tcp), while the guest runs; a failure is noted',
  ]);
});

const PORT = 'a port from 1 to 65535, or several such as "8000-8010"';
const PREFIX = 'an IP address or a network such as "192.0.2.0/24", without bits behind its length';

const MISTAKES: Readonly<Record<string, string>> = {
  "forward = {}": 'forward: found nothing, expected the key "host_port"',
  "forward = { host_port = 0 }": `forward.host_port: found 0, expected ${PORT}`,
  "forward = { host_port = 65536 }": `forward.host_port: found 65536, expected ${PORT}`,
  'forward = { host_port = "90-80" }': `forward.host_port: found "90-80", expected ${PORT}`,
  'forward = { host_port = "ssh" }': `forward.host_port: found "ssh", expected ${PORT}`,
  'forward = { host_port = 80, protocol = "sctp" }': 'forward.protocol: found "sctp", expected "tcp", "udp" or "both"',
  'forward = { host_port = 80, from = "10.0.0.1/8" }': `forward.from: found "10.0.0.1/8", expected ${PREFIX}`,
  'forward = { host_port = 80, to = "web.example" }': 'forward.to: found "web.example", expected an IP address',
  'forward = { host_port = 80, mac = "x" }':
    'forward.mac: found "x", expected a MAC address such as "52:54:00:12:34:56"',
  'forward = { host_port = "80-90", guest_port = "1-5" }':
    "forward: found a table, expected as many ports in guest_port as in host_port, or just the first of them",
  'forward = { host_port = "80-90", guest_port = 65530 }':
    "forward: found a table, expected guest_port with room for 10 more ports below 65536",
  'forward = { host_port = "1-2000", guest_port = 5 }':
    "forward: found a table, expected 1000 ports at most where guest_port is another than host_port",
  'while = "network"\nforward = { host_port = 80 }':
    'forward: found forward in a rule for a network, expected a rule with while = "guest"',
  'forward = { host_port = 80, host_address = "127.0.0.1" }':
    'forward.host_address: found "127.0.0.1", expected an address that others reach: no loopback address, nor 0.0.0.0 or ::',
  'forward = { host_port = 80, host_address = ["192.0.2.1", "::"] }':
    'forward.host_address[1]: found "::", expected an address that others reach: no loopback address, nor 0.0.0.0 or ::',
  'forward = { host_port = 80, to = "::1" }':
    'forward.to: found "::1", expected an address that others reach: no loopback address, nor 0.0.0.0 or ::',
  'open = { protocol = "udp" }':
    "open: found a table, expected ports beside protocol: without them everything is open, whatever its protocol",
  "open = false": "open: found false, expected true, or a table with from and ports",
  'while = "port"\nopen = true':
    'open: found open in a rule for a port, expected a rule with while = "guest" or "network"',
  'while = "network"\nopen = { mac = "52:54:00:00:00:01" }':
    'open.mac: found the key "mac", expected no such key: it selects an interface of a guest',
  'open = { to = "203.0.113.16/28" }':
    'open.to: found 203.0.113.16/28, expected one address of the guest (several, or a network, in a rule with while = "network")',
  'open = { to = "127.0.0.1" }':
    "open.to: found a table, expected an address that others reach: no loopback address, nor 0.0.0.0 or ::; or a network of such",
  "forward = { host_port = 80 }\n[settings]\nforward_mark = 3":
    "settings.forward_mark: found 3, expected one bit of a packet's mark, such as 0x10000000",
};

for (const [parts, told] of Object.entries(MISTAKES)) {
  Deno.test(`a mistake in: ${parts.replaceAll("\n", " ")}`, async () => {
    const where = told.startsWith("settings") ? told : `rule[0].${told}`;
    assertEquals((await mistakesIn(rule(parts))).map((line) => line.replace(/^rules\.toml:\d+:\d+: /, "")), [where]);
  });
}
