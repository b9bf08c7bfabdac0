/** What `status` tells of forwards: where each leads, who says so, what went through, and which wait or are in vain. */
import { amountText } from "../../lib/cli/terminal/format_forward.ts";
import type { HolderReport } from "../../lib/cli/report/status.ts";
import { admin, snapshot } from "../support/admin.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { type FakeFilter, fakeFilter } from "../support/fake_filter.ts";
import { type LedgerHost, ledgerHost, UUID } from "../support/ledger_host.ts";

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
const LEASE = JSON.stringify([{ "ip-address": "192.168.122.28", "mac-address": MAC, "expiry-time": 1_900_000_000 }]);

interface Scene {
  readonly host: LedgerHost;
  readonly filter: FakeFilter;
}

/** A guest that runs, on a network that has given it an address, or not yet. */
async function running(leases: string, rules = RULES): Promise<Scene> {
  const filter = fakeFilter();
  const files = { "/run/libvirt/network/default.xml": NETWORK, [LEASES]: leases, "/run/libvirt/qemu/x": "" };
  const host = ledgerHost(rules, { programs: filter.programs, files });
  await host.call("qemu", "prepare", GUEST);
  host.write("/run/libvirt/qemu/web-1.xml", `<domstatus><domain><uuid>${UUID}</uuid></domain></domstatus>`);
  await host.call("qemu", "started", GUEST);
  return { host, filter };
}

/** The forwards of the report, without what stands before and behind them. */
function forwardsOf(lines: readonly string[]): readonly string[] {
  const start = lines.findIndex((line) => /^ {2}(HOST|\*)/.test(line));
  return lines.slice(start, lines.findIndex((line) => line.startsWith("1 resource")));
}

const RANGE = [
  "  *:6000-6003/tcp+udp  192.168.122.9:6000-6003  active         0      0    0",
  '    guest "web-1" (qemu), rule "web": set in its rule, since 2026-01-02 03:04:05Z',
];

Deno.test("status tells where a port leads, and that one waits for an address until there is one", async () => {
  const { host, filter } = await running("");
  const before = snapshot(host);
  const waiting = await admin(host, ["status"]);
  assertEquals(forwardsOf(waiting.lines), [
    "  HOST                 GUEST                    FORWARD  PACKETS  BYTES  NEW",
    ...RANGE,
    "  *:8080/tcp           ?:80                     pending        -      -    -",
    '    guest "web-1" (qemu), rule "web": no address yet: waits for a lease of network "default", since',
    "      2026-01-02 03:04:05Z",
  ]);
  assertEquals([waiting.code, snapshot(host)], [0, before]);
  host.write(LEASES, LEASE);
  const found = await admin(host, ["status"]);
  assertEquals([found.code, ...forwardsOf(found.lines).slice(3, 5)], [
    1,
    "  *:8080/tcp           192.168.122.28:80        drift          -      -    -",
    "    some of its rules are missing from the table inet virt_hooks",
  ]);
  const told = found.lines.slice(0, found.lines.findIndex((line) => line.startsWith("  HOST"))).join(" ");
  assert(/what is wanted has changed since it was written/.test(told.replace(/\s+/g, " ")), told);
  assertEquals((await admin(host, ["reconcile"])).code, 0);
  assertEquals((await admin(host, ["status"])).code, 0);
  assertEquals(filter.rules().some((rule) => rule.includes("192.168.122.28:80")), true);
});

const PASSES = {
  "/proc/sys/net/ipv4/ip_forward": "0\n",
  "/proc/sys/net/ipv6/conf/all/forwarding": "0\n",
  "/proc/sys/net/ipv4/conf/all/forwarding": "0\n",
  "/proc/sys/net/ipv4/conf/virbr0/forwarding": "0\n",
};

Deno.test("status does not call a port active where the kernel passes nothing on, nor says that all ok", async () => {
  const { host } = await running(LEASE);
  for (const [path, text] of Object.entries(PASSES)) host.write(path, text);
  for (const path of ["/proc/sys/net/ipv4/conf", "/proc/sys/net/ipv4/conf/all", "/proc/sys/net/ipv4/conf/virbr0"]) {
    host.nodes.set(path, { kind: "directory", text: "", uid: 0, mode: 0o755 });
  }
  const { code, lines } = await admin(host, ["status"], { terminal: { columns: 400 } });
  const why = "IPv4 forwarding is off (net.ipv4.ip_forward is 0): nothing from outside arrives; " +
    "sysctl -w net.ipv4.ip_forward=1";
  assertEquals(
    [code, lines.at(-1)],
    [1, '"virt-hooks reconcile" cannot cure this: do what the lines above say'],
  );
  assertEquals(lines.filter((line) => line.includes("IPv")).map((line) => line.trim()), [why, why, why]);
  assertEquals(lines.filter((line) => line.includes(" outranked ")).length, 2);
  host.write("/proc/sys/net/ipv4/conf/virbr0/forwarding", "1\n");
  assertEquals((await admin(host, ["status"])).code, 0, "a device passes on by itself");
});

Deno.test("status tells what differs where a lease has moved and the rules read the same", async () => {
  const { host } = await running(LEASE);
  host.write(LEASES, LEASE.replace("192.168.122.28", "192.168.122.83"));
  const { code, lines } = await admin(host, ["status"], { terminal: { columns: 400 } });
  assertEquals([code, lines.filter((line) => /^ {9}(now|wanted|it would)/.test(line))], [1, [
    "         now: 11 rules, open; before: nothing",
    "         it would change (web-1 closed tcp 8080 → 192.168.122.28:80, " +
    "web-1 opened tcp 8080 → 192.168.122.83:80 (lease)): what is wanted has changed since it was written",
  ]]);
});

Deno.test("status tells what went through a forward, in 80 columns", async () => {
  const { host, filter } = await running(LEASE);
  filter.counted["f_tcp_8080"] = { packets: 1_234_567, bytes: 123_456_789 };
  filter.counted["new_tcp_8080"] = { packets: 12, bytes: 720 };
  const { lines } = await admin(host, ["status"], { terminal: { columns: 80 } });
  assertEquals(forwardsOf(lines), [
    "  HOST                 GUEST                    FORWARD  PACKETS  BYTES  NEW",
    RANGE[0] ?? "",
    ...['    guest "web-1" (qemu), rule "web": set in its rule, since 2026-01-02', "      03:04:05Z"],
    "  *:8080/tcp           192.168.122.28:80        active      1.2M   123M   12",
    '    guest "web-1" (qemu), rule "web": DHCP lease on network "default", since',
    "      2026-01-02 03:04:05Z",
  ]);
  assert(lines.every((line) => line.length <= 80));
});

Deno.test("status tells of a forward in words where a table is too wide", async () => {
  const { host } = await running(LEASE);
  const { lines } = await admin(host, ["status"], { terminal: { columns: 60 } });
  assertEquals(forwardsOf(lines).slice(4, 6), [
    "  *:8080/tcp → 192.168.122.28:80: active, 0 packets, 0",
    "    bytes, 0 connections",
  ]);
});

const UNDONE = [
  {
    name: "is outranked by another's rule in front of ours",
    undo: ({ filter }: Scene) => filter.forward.iptables.unshift("-j LIBVIRT_FWI"),
    state: "outranked",
    because: "outranked by FORWARD of iptables (its chain LIBVIRT_FWI), which may reject it first",
  },
  {
    name: "is not outranked by what sees another family alone",
    undo: ({ filter }: Scene) => filter.forward.ip6tables.unshift("-j LIBVIRT_FWI"),
    state: "active",
    because: null,
  },
  {
    name: "is gone with the table",
    undo: ({ filter }: Scene) => filter.flush(),
    state: "drift",
    because: "some of its rules are missing from the table inet virt_hooks",
  },
] as const;

for (const { name, undo, state, because } of UNDONE) {
  Deno.test(`status --json tells that a forward ${name}`, async () => {
    const scene = await running(LEASE);
    undo(scene);
    const { code, lines } = await admin(scene.host, ["status", "--json"]);
    const [{ holders }] = JSON.parse(lines.join("")).resources;
    const counts = state === "drift" ? null : 0;
    assertEquals([code, holders[0].forward], [state === "active" ? 0 : 1, {
      ...{ addresses: [], ports: "8080", protocol: "tcp", from: [] },
      guest: { address: "192.168.122.28", ports: "80", source: "lease", network: "default" },
      ...{ state, because, packets: counts, bytes: counts, connections: counts },
    }]);
  });
}

const INPUT = {
  chain: {
    ...{ family: "inet", table: "fw", name: "input", type: "filter" },
    ...{ hook: "input", prio: 0, policy: "drop" },
  },
};

Deno.test("status says which chain keeps a guest from getting an address", async () => {
  const { host, filter } = await running("");
  assertEquals((await admin(host, ["status"])).code, 0);
  filter.others.chains.push(INPUT);
  const { code, lines } = await admin(host, ["status", "--json"]);
  const [{ holders, reasons }] = JSON.parse(lines.join("")).resources;
  const why = 'the chain input of table inet fw rejects what guests of network "default" send to its DHCP server; ' +
    "allow it: nft insert rule inet fw input iifname virbr0 accept";
  assertEquals([code, holders[0].forward.state, holders[0].forward.because, reasons], [
    1,
    "pending",
    `no address yet: waits for a lease of network "default"; ${why}`,
    [{ state: "drift", text: why, curable: false }],
  ]);
  const reconciled = (await admin(host, ["reconcile"])).lines;
  assert(!reconciled.some((line) => /as it should be|all ok/.test(line)), reconciled.at(-1));
});

Deno.test("status says where libvirt's own rules are missing", async () => {
  const { host, filter } = await running(LEASE);
  for (const rules of [filter.forward.iptables, filter.forward.ip6tables]) {
    rules.splice(rules.indexOf("-j LIBVIRT_FWI"), 1);
  }
  const { code, lines } = await admin(host, ["status", "--json"]);
  const [{ reasons }] = JSON.parse(lines.join("")).resources;
  assertEquals([code, reasons], [1, [{
    state: "drift",
    curable: false,
    text:
      'libvirt\'s own rules for network "default" (bridge virbr0) are missing, so its guests may not reach the outside: ' +
      "restart its daemon (systemctl restart libvirtd)",
  }]]);
});

const BY_RECONCILE = '"virt-hooks reconcile" releases what is gone and tries again; --dry-run only tells';
const BY_HAND = '"virt-hooks reconcile" cannot cure this: do what the lines above say';

for (
  const { name, harm, advice } of [
    { name: "another program's chain", harm: ({ filter }: Scene) => filter.others.chains.push(INPUT), advice: BY_HAND },
    { name: "no bridge", harm: (scene: Scene) => plug(scene, { master: false }), advice: BY_HAND },
    { name: "a table that is gone", harm: ({ filter }: Scene) => filter.flush(), advice: BY_RECONCILE },
    {
      name: "a table that is gone beside another program's chain",
      harm: ({ filter }: Scene) => {
        filter.others.chains.push(INPUT);
        filter.flush();
      },
      advice: BY_RECONCILE,
    },
  ]
) {
  Deno.test(`status advises reconcile only where it helps: ${name}`, async () => {
    const scene = await running("");
    harm(scene);
    const { code, lines } = await admin(scene.host, ["status"]);
    assertEquals([code, lines.at(-1)], [1, advice]);
  });
}

Deno.test("status tells for which clients a port is", async () => {
  const { host } = await running(
    LEASE,
    '[[rule]]\nname = "ssh"\nwhen = { domain = "*" }\nforward = { host_port = 2222, guest_port = 22, from = "198.51.100.0/24" }\n',
  );
  const { lines } = await admin(host, ["status"], { terminal: { columns: 200 } });
  assertEquals(
    forwardsOf(lines).at(-1)?.trim(),
    [
      'guest "web-1" (qemu), rule "ssh": only from 198.51.100.0/24; DHCP lease on network "default",',
      "since 2026-01-02 03:04:05Z",
    ].join(" "),
  );
});

Deno.test("status says so where the packet filter cannot be read", async () => {
  const { host, filter } = await running(LEASE);
  filter.breakNft("Operation not permitted");
  const { code, lines } = await admin(host, ["status", "--json"]);
  const [{ holders }] = JSON.parse(lines.join("")).resources;
  assertEquals([code, holders[0].forward.state, /not permitted/.test(holders[0].forward.because)], [
    1,
    "unknown",
    true,
  ]);
});

for (
  const [amount, text] of [
    ...[[null, "-"], [0, "0"], [9_999, "9999"], [10_000, "10k"], [12_345, "12.3k"]] as const,
    ...[[99_999, "99.9k"], [456_789, "456k"], [999_999, "999k"], [1_000_000, "1M"], [5e15, "5P"]] as const,
  ]
) {
  Deno.test(`${amount} is told as ${text}`, () => assertEquals(amountText(amount), text));
}

/** Makes libvirt's status of the guest one with its interface, and the host's end of that a device in the kernel. */
function plug({ host }: Scene, { master }: { readonly master: boolean }): void {
  const device = "/sys/class/net/vnet0";
  const xml = GUEST.xml.replace("</interface>", "<target dev='vnet0'/></interface>");
  host.write(
    "/run/libvirt/qemu/web-1.xml",
    `<domstatus><domain><name>web-1</name><uuid>${UUID}</uuid>${xml}</domain></domstatus>`,
  );
  host.write(`${device}/ifindex`, "7");
  host.nodes.set(device, { kind: "directory", text: "", uid: 0, mode: 0o755 });
  if (master) host.write(`${device}/master`, "");
  else host.nodes.delete(`${device}/master`);
}

const OFF_BRIDGE =
  "guest web-1 is not on bridge virbr0: its device vnet0 is on no bridge, as after a restart of its network; " +
  "cure: restart libvirt's daemon (systemctl restart libvirtd)";

Deno.test("status tells of a guest that is on no bridge, and what helps", async () => {
  const scene = await running(LEASE);
  plug(scene, { master: true });
  assertEquals((await admin(scene.host, ["status"])).code, 0);
  plug(scene, { master: false });
  const { code, lines } = await admin(scene.host, ["status"]);
  assertEquals(code, 1);
  const text = lines.join(" ").replace(/\s+/g, " ");
  assertEquals(text.split(OFF_BRIDGE).length, 2, text);
  assertEquals(lines.filter((line) => / unplugged /.test(line)).length, 2);
  const report = JSON.parse((await admin(scene.host, ["status", "--json"])).lines.join(""));
  assertEquals([report.ok, report.resources[0].state, report.resources[0].reasons], [
    false,
    "stuck",
    [{ state: "stuck", text: OFF_BRIDGE, curable: false }],
  ]);
  assertEquals(report.resources[0].holders.map((one: HolderReport) => [one.forward?.state, one.forward?.because]), [
    ["unplugged", OFF_BRIDGE],
    ["unplugged", OFF_BRIDGE],
  ]);
});

Deno.test("status tells of a guest whose network was stopped, and how to start that", async () => {
  const scene = await running(LEASE);
  plug(scene, { master: false });
  scene.host.nodes.delete("/run/libvirt/network/default.xml");
  const { code, lines } = await admin(scene.host, ["status"]);
  const text = lines.join(" ").replace(/\s+/g, " ");
  assertEquals([code, /cure: virsh net-start default, then restart libvirt's daemon/.test(text)], [1, true], text);
});

Deno.test("a guest that waits for a lease and is on no bridge waits in vain, and status says so", async () => {
  const scene = await running("");
  plug(scene, { master: false });
  const { code, lines } = await admin(scene.host, ["status"]);
  assertEquals([code, lines.some((line) => /\?:80 +unplugged/.test(line))], [1, true]);
});

Deno.test("whether a guest is on a bridge is not told where libvirt's status does not name its device", async () => {
  const scene = await running(LEASE);
  const { code } = await admin(scene.host, ["status"]);
  assertEquals(code, 0);
});

Deno.test("reconcile --rules leaves a running guest at its lease, whatever was reserved meanwhile", async () => {
  const scene = await running(LEASE);
  plug(scene, { master: true });
  const reserved = NETWORK.replace("</dhcp>", `<host mac='${MAC}' ip='192.168.122.50'/></dhcp>`);
  scene.host.write("/run/libvirt/network/default.xml", reserved);
  scene.host.write("/etc/virt-hooks/rules.toml", RULES.replace("host_port = 8080", "host_port = 8090"));
  assertEquals((await admin(scene.host, ["reconcile", "--rules"])).code, 0);
  const leads = scene.filter.rules().filter((rule) => rule.includes("dport 8090")).map((rule) =>
    / to (\S+) /.exec(rule)?.[1]
  );
  assertEquals(leads, ["192.168.122.28:80"]);
});
