/** What `explain` tells of forwards: the very text that the hook then loads. */
import { admin, type AdminOptions, snapshot } from "../support/admin.ts";
import { assertEquals } from "../support/assert.ts";
import { fakeFilter } from "../support/fake_filter.ts";
import { TOOLS } from "../../lib/sys/tools.ts";
import { type LedgerHost, ledgerHost, UUID } from "../support/ledger_host.ts";

const NETWORK = `<networkstatus><network><name>default</name><forward mode='nat'/><bridge name='virbr0'/>
<ip address='192.168.122.1' netmask='255.255.255.0'><dhcp><range start='192.168.122.2' end='192.168.122.254'/>
<host mac='52:54:00:00:00:01' ip='192.168.122.11'/></dhcp></ip></network></networkstatus>`;
const INTERFACE =
  "<devices><interface type='network'><mac address='52:54:00:00:00:01'/><source network='default'/></interface></devices>\n";
const DOCUMENT = `<domain type='kvm'>\n  <name>web-1</name>\n  <uuid>${UUID}</uuid>\n${INTERFACE}</domain>\n`;

const ADDRESSES = JSON.stringify([{ addr_info: [{ local: "203.0.113.10", prefixlen: 24 }] }]);

function rules(...forwards: readonly string[]): string {
  return `[[rule]]\nname = "web"\nwhen = { domain = "*" }\nforward = [${forwards.join(", ")}]\n`;
}

function makeHost(text: string): { readonly host: LedgerHost; readonly filter: ReturnType<typeof fakeFilter> } {
  const filter = fakeFilter();
  const files = { "/run/libvirt/network/default.xml": NETWORK, "/run/libvirt/qemu/x": "" };
  const programs = { ...filter.programs, [TOOLS.ip]: () => ({ stdout: ADDRESSES }) };
  return { host: ledgerHost(text, { programs, files }), filter };
}

async function plan(host: LedgerHost, operation: string, args: readonly string[] = []): Promise<readonly string[]> {
  const before = snapshot(host);
  const options: AdminOptions = { stdin: DOCUMENT };
  const { lines } = await admin(host, ["explain", "qemu", "web-1", operation, ...args], options);
  assertEquals(snapshot(host), before);
  return lines.slice(lines.indexOf("plan:") + 1);
}

const TWO = rules("{ host_port = 8080, guest_port = 80 }", "{ host_port = 5353, protocol = 'udp' }");
const LIVES = 'the guest has the address 192.168.122.11, DHCP reservation on network "default"';
const COMMENT = 'comment "guest web-1 (rule web)"';

Deno.test("explain shows at started what would be loaded, once for all ports, and the rules in others' chains", async () => {
  const { host, filter } = makeHost(TWO);
  assertEquals(await plan(host, "started"), [
    '  hold  port 8080 (tcp) of the host to the guest at 80, while the guest runs; a failure is noted  (rule "web")',
    "        now nft: web-1 opened tcp 8080 → 192.168.122.11:80 (reservation)",
    `        ${LIVES}`,
    '  hold  port 5353 (udp) of the host to the guest, while the guest runs; a failure is noted  (rule "web")',
    "        now nft: web-1 opened udp 5353 → 192.168.122.11 (reservation)",
    `        ${LIVES}`,
    ...[
      "/usr/sbin/iptables -w -I FORWARD 1 -m mark --mark 0x10000000/0x10000000 -m comment --comment virt-hooks -j ACCEPT",
      "/usr/sbin/ip6tables -w -I FORWARD 1 -m mark --mark 0x10000000/0x10000000 -m comment --comment virt-hooks -j ACCEPT",
      "/usr/sbin/nft -f -",
      "  add table inet virt_hooks",
      "  add counter inet virt_hooks f_tcp_8080",
      "  add counter inet virt_hooks f_udp_5353",
      "  add counter inet virt_hooks new_tcp_8080",
      "  add counter inet virt_hooks new_udp_5353",
      "  add chain inet virt_hooks to_guest",
      "  add chain inet virt_hooks prerouting { type nat hook prerouting priority -105 ; policy accept ; }",
      "  add chain inet virt_hooks output { type nat hook output priority -105 ; policy accept ; }",
      "  add chain inet virt_hooks postrouting { type nat hook postrouting priority 95 ; policy accept ; }",
      "  add chain inet virt_hooks forward { type filter hook forward priority -5 ; policy accept ; }",
      `  add rule inet virt_hooks to_guest meta nfproto ipv4 tcp dport 8080 counter name new_tcp_8080 dnat ip to 192.168.122.11:80 ${COMMENT}`,
      `  add rule inet virt_hooks to_guest meta nfproto ipv4 udp dport 5353 counter name new_udp_5353 dnat ip to 192.168.122.11 ${COMMENT}`,
      "  add rule inet virt_hooks prerouting fib daddr type local jump to_guest",
      "  add rule inet virt_hooks output ip daddr 127.0.0.0/8 return",
      "  add rule inet virt_hooks output ip6 daddr ::1 return",
      "  add rule inet virt_hooks output fib daddr type local jump to_guest",
      "  add rule inet virt_hooks postrouting ct status dnat ip saddr 192.168.122.0/24 ip daddr 192.168.122.0/24 " +
      'masquerade comment "hairpin"',
      ...[["tcp", 8080], ["udp", 5353]].map(([protocol, port]) =>
        `  add rule inet virt_hooks forward ct status dnat ct reply ip saddr 192.168.122.11 meta l4proto ${protocol} ` +
        `ct original proto-dst ${port} counter name f_${protocol}_${port} meta mark set meta mark | 0x10000000`
      ),
    ].map((line) => `          ${line}`),
  ]);
  assertEquals([filter.writes.count, filter.rules()], [0, []]);
});

Deno.test("what explain --all shows is what the hook loads", async () => {
  const ports = Array.from({ length: 30 }, (_, index) => `{ host_port = ${9000 + index} }`);
  const { host, filter } = makeHost(rules(...ports));
  const cut = await plan(host, "started");
  const lines = await plan(host, "started", ["--all"]);
  assertEquals([lines.length - cut.length, cut.at(-1)], [103, "          … and 104 lines more: --all shows them"]);
  await host.call("qemu", "prepare", { xml: INTERFACE });
  await host.call("qemu", "started", { xml: INTERFACE });
  const shown = lines.flatMap((line) => /^ +add rule inet virt_hooks (.*)$/.exec(line)?.slice(1) ?? []);
  assertEquals(shown, filter.rules());
});

Deno.test("explain tells of an address that the host does not have", async () => {
  const { host } = makeHost(rules('{ host_port = 8080, host_address = ["203.0.113.10", "203.0.113.77"] }'));
  assertEquals(
    (await plan(host, "prepare"))[2],
    `        ${LIVES}; 203.0.113.77 is not an address of this host: no packets arrive there until it is`,
  );
});

Deno.test("explain shows only what is missing of forwards that are there", async () => {
  const { host } = makeHost(TWO);
  await host.call("qemu", "prepare", { xml: INTERFACE });
  await host.call("qemu", "started", { xml: INTERFACE });
  host.write("/etc/virt-hooks/rules.toml", TWO.replace(/\]\n$/, ", { host_port = 8081 }]\n"));
  const lines = await plan(host, "started");
  assertEquals(
    lines.slice(-6).map((line) => line.trim().slice(0, 60)),
    [
      LIVES.slice(0, 60),
      "/usr/sbin/nft -f -",
      "add counter inet virt_hooks f_tcp_8081",
      "add counter inet virt_hooks new_tcp_8081",
      "add rule inet virt_hooks to_guest meta nfproto ipv4 tcp dport",
      "add rule inet virt_hooks forward ct status dnat ct reply ip s",
    ].map((line) => line.slice(0, 60)),
  );
});

Deno.test("explain tells at prepare where the guest lives, and loads nothing", async () => {
  const { host } = makeHost(rules("{ host_port = 8080 }"));
  assertEquals((await plan(host, "prepare")).slice(1), [
    "        only checked at prepare: acquired when the guest runs",
    `        ${LIVES}`,
  ]);
});

Deno.test("explain tells at prepare whose port it is now, and the history at started", async () => {
  const { host } = makeHost(rules("{ host_port = 8080 }"));
  host.write(
    "/proc/net/tcp",
    "   0: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 12345 1\n",
  );
  const told =
    `${LIVES}; a program of this host listens at 0.0.0.0:8080/tcp: clients from outside reach the guest instead`;
  assertEquals((await plan(host, "prepare"))[2], `        ${told}`);
  await host.call("qemu", "prepare", { xml: INTERFACE });
  const { history } = await host.call("qemu", "started", { xml: INTERFACE });
  assertEquals(history["notes"], [told]);
});

const DOCKER = {
  chain: {
    family: "ip",
    table: "nat",
    name: "PREROUTING",
    type: "nat",
    hook: "prerouting",
    prio: -100,
    policy: "accept",
  },
};
const PUBLISHED = {
  rule: {
    chain: "DOCKER",
    expr: [
      { match: { op: "==", left: { payload: { protocol: "tcp", field: "dport" } }, right: 8080 } },
      { xt: { type: "target", name: "DNAT" } },
    ],
  },
};
const TAKEN =
  "others forward 8080/tcp (chain DOCKER of table ip nat), too: packets go to the guest instead, as our table " +
  "comes first";

Deno.test("explain and check --host tell beforehand whose forward is taken over; a hook does not look", async () => {
  const { host, filter } = makeHost(TWO);
  filter.others.chains.push(DOCKER);
  filter.others.rules.push(PUBLISHED);
  for (const operation of ["prepare", "started"]) {
    assertEquals((await plan(host, operation)).filter((line) => line.includes("others forward")), [`        ${TAKEN}`]);
  }
  const { lines } = await admin(host, ["check", "--host"]);
  assertEquals(lines.filter((line) => line.includes("others forward")), [`warn  rule "web": ${TAKEN}`]);
  const { sys } = await host.call("qemu", "prepare", { xml: INTERFACE });
  assertEquals(sys.commands.filter(({ argv }) => argv.includes("chains")), []);
});
