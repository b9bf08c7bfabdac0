/** What `check --host` finds where ports shall be forwarded. */
import type { MemoryHost } from "../../lib/sys/memory_sys.ts";
import { admin, type AdminOptions, snapshot } from "../support/admin.ts";
import { assertEquals } from "../support/assert.ts";
import { type FakeFilter, fakeFilter } from "../support/fake_filter.ts";
import { ledgerHost } from "../support/ledger_host.ts";

const RULES = `[[rule]]
name = "web"
when = { driver = "qemu", domain = "*" }
forward = [{ host_port = 8080 }, { host_port = 5353, protocol = "udp" }]
`;
const FILES: NonNullable<MemoryHost["files"]> = {
  "/run/libvirt/qemu/x": "",
  "/proc/sys/net/ipv4/ip_forward": "1\n",
  "/proc/sys/net/ipv6/conf/all/forwarding": "0\n",
  "/usr/sbin/conntrack": "",
};
const REST = "00000000:00000000 00:00000000 00000000     0        0 12345 1\n";

/** What it finds behind what it finds on every host, and before what it says of each action. */
async function found(
  { rules = RULES, files = {}, set, gone = [], ...options }: AdminOptions & {
    readonly rules?: string;
    readonly files?: NonNullable<MemoryHost["files"]>;
    readonly set?: (filter: FakeFilter) => unknown;
    readonly gone?: readonly string[];
  } = {},
): Promise<{ readonly code: number; readonly lines: readonly string[] }> {
  const filter = fakeFilter();
  set?.(filter);
  const host = ledgerHost(rules, { programs: filter.programs, files: { ...FILES, ...files } });
  for (const path of gone) host.nodes.delete(path);
  const before = snapshot(host);
  const { code, lines } = await admin(host, ["check", "--host"], options);
  assertEquals([snapshot(host), filter.writes.count], [before, 0]);
  const start = lines.findIndex((line) => line.endsWith("/run/libvirt/qemu tells which guests and networks exist"));
  return {
    code,
    lines: lines.slice(start + 1).filter((line) => !/what it comes to depends on the guest|^Not checked/.test(line)),
  };
}

const WELL = [
  "ok    /usr/sbin/nft is there: nftables v1.0.6 (Lester Gooch #5)",
  "ok    what is passed on to guests is filtered by libvirt (iptables), libvirt (ip6tables): forwards are let through there",
  "ok    IPv4 forwarding is on (net.ipv4.ip_forward = 1)",
  "ok    IPv6 forwarding is off (net.ipv6.conf.all.forwarding)",
  "ok    /usr/sbin/conntrack is there",
];
const END = "This host can do what the rules ask, but for what was not checked";

Deno.test("check --host tells what it takes to forward ports, and that it is there", async () => {
  assertEquals(await found(), { code: 0, lines: [...WELL, END] });
});

Deno.test("check --host does not speak of the packet filter where no rule needs it", async () => {
  const rules = '[[rule]]\nname = "calm"\nwhen = { driver = "qemu", domain = "*" }\nsysctl = { "vm.swappiness" = 1 }\n';
  const { lines } = await found({ rules, files: { "/proc/sys/vm/swappiness": "60\n" } });
  assertEquals(lines, [
    'ok    rule "calm": sysctl vm.swappiness = 1: can be held',
    "This host can do what the rules ask",
  ]);
});

const DROPPING = {
  chain: {
    ...{ family: "inet", table: "filter", name: "forward" },
    ...{ type: "filter", hook: "forward", prio: 0, policy: "drop" },
  },
};
const ACCEPTED = {
  rule: {
    ...{ family: "inet", table: "filter", chain: "forward" },
    expr: [
      { match: { op: "==", left: { "&": [{ meta: { key: "mark" } }, 0x10000000] }, right: 0x10000000 } },
      { accept: null },
    ],
  },
};
const DROP_LINE = "warn  the chain forward of table inet filter drops what it does not accept, forwards too; " +
  "let them through: nft insert rule inet filter forward meta mark '&' 0x10000000 == 0x10000000 accept";

const CASES = [
  {
    name: "a kernel that passes nothing on",
    files: { "/proc/sys/net/ipv4/ip_forward": "0\n" },
    told:
      "warn  IPv4 forwarding is off (net.ipv4.ip_forward is 0): nothing forwarded or opened reaches a guest by IPv4; " +
      'libvirt sets it to 1 for a network with a way out; for others: a rule with sysctl = { "net.ipv4.ip_forward" = 1 }',
  },
  {
    name: "bridged packets that iptables sees",
    files: { "/proc/sys/net/bridge/bridge-nf-call-iptables": "1\n" },
    told:
      "warn  bridged packets go through iptables (net.bridge.bridge-nf-call-iptables = 1); a guest that calls its own " +
      "forwarded port by the host's address waits in vain without hairpin = true",
  },
  {
    name: "Docker and ufw",
    set: ({ forward }: FakeFilter) => forward.iptables.push("-j DOCKER-USER", "-j DOCKER", "-j ufw-before-forward"),
    told: "ok    what is passed on to guests is filtered by libvirt (iptables), Docker (iptables), ufw (iptables), " +
      "libvirt (ip6tables): forwards are let through there",
  },
  {
    name: "firewalld and libvirt's own tables",
    set: ({ others }: FakeFilter) =>
      others.chains.push(
        { chain: { ...DROPPING.chain, table: "firewalld", name: "filter_FORWARD" } },
        { chain: { ...DROPPING.chain, family: "ip", table: "libvirt_network" } },
      ),
    told:
      "ok    what is passed on to guests is filtered by libvirt (iptables), libvirt (ip6tables), libvirt (nftables), " +
      "firewalld: forwards are let through there",
  },
  {
    name: "a chain of somebody's own that drops everything",
    set: ({ others }: FakeFilter) => others.chains.push(DROPPING),
    told: DROP_LINE,
  },
  {
    name: "a chain that is asked before",
    set: ({ others }: FakeFilter) =>
      others.chains.push({
        chain: { family: "ip", table: "lb", name: "in", type: "nat", hook: "prerouting", prio: -150, policy: "accept" },
      }),
    told: "warn  the chain in of table ip lb is asked before a forward (priority -150), and may send elsewhere; " +
      "see: nft list chain ip lb in",
  },
  {
    name: "a filter of the older iptables",
    files: { "/proc/net/ip_tables_names": "nat\nfilter\n", "/proc/net/ip6_tables_names": "nat\n" },
    told: "warn  the kernel also has a filter of iptables-legacy: forwards are not let through there; " +
      "see: iptables-legacy -S FORWARD",
  },
  {
    name: "a chain of nft's own by the name of one of the older iptables",
    files: {
      "/usr/sbin/iptables": { kind: "symlink", text: "xtables-legacy-multi" } as const,
      "/usr/sbin/xtables-legacy-multi": "",
    },
    set: ({ others }: FakeFilter) =>
      others.chains.push({ chain: { ...DROPPING.chain, family: "ip", name: "FORWARD" } }),
    told: "warn  the chain FORWARD of table ip filter drops what it does not accept, forwards too; " +
      "let them through: nft insert rule ip filter FORWARD meta mark '&' 0x10000000 == 0x10000000 accept",
  },
  {
    name: "no conntrack",
    gone: ["/usr/sbin/conntrack"],
    told: "warn  there is no /usr/sbin/conntrack: connections live on when the port that they came by is gone; " +
      "install conntrack, if that matters",
  },
  {
    name: "a program that listens on a port",
    files: { "/proc/net/tcp": `   0: 00000000:1F90 00000000:0000 0A ${REST}` },
    told:
      'warn  rule "web": a program of this host listens at 0.0.0.0:8080/tcp: clients from outside reach the guest instead',
  },
  {
    name: "that it is not root",
    uid: 1000,
    told: "warn  only root can read the packet filter; sudo virt-hooks check --host",
  },
];

for (const { name, told, ...options } of CASES) {
  Deno.test(`check --host finds ${name}`, async () => {
    const { code, lines } = await found(options);
    assertEquals([code, lines.filter((line) => line === told)], [0, [told]]);
  });
}

const FAILING = [
  {
    name: "no nft",
    gone: ["/usr/sbin/nft"],
    told: "FAIL  there is no /usr/sbin/nft: nothing can be forwarded; install nftables",
  },
  {
    name: "a packet filter that cannot be read",
    set: ({ breakNft }: FakeFilter) => breakNft("Operation not supported"),
    told: "FAIL  the packet filter cannot be read: Error: Operation not supported",
  },
];

for (const { name, told, ...options } of FAILING) {
  Deno.test(`check --host finds ${name}, which will fail`, async () => {
    const { code, lines } = await found(options);
    assertEquals([code, lines.filter((line) => line === told)], [1, [told]]);
  });
}

Deno.test("check --host says nothing of a chain that lets our mark through", async () => {
  const { lines } = await found({ set: ({ others }) => [others.chains.push(DROPPING), others.rules.push(ACCEPTED)] });
  assertEquals(lines, [...WELL, END]);
});

Deno.test("check --host wants the mark of the settings let through", async () => {
  const { lines } = await found({
    rules: `[settings]\nforward_mark = 0x2000\n${RULES}`,
    set: ({ others }) => [others.chains.push(DROPPING), others.rules.push(ACCEPTED)],
  });
  assertEquals(lines.filter((line) => line.includes("inet filter")), [DROP_LINE.replaceAll("0x10000000", "0x2000")]);
});

const FAMILIES = {
  'forward = { host_port = 8080, from = "::/0" }': [],
  'forward = { host_port = 8080, host_address = "2001:db8::1" }': [],
  'open = { from = ["2001:db8::/32", "10.0.0.0/8"] }': ["IPv4"],
  'open = { to = "2001:db8::7" }': [],
  "forward = { host_port = 8080 }": ["IPv4"],
} as const;

for (const [action, expected] of Object.entries(FAMILIES)) {
  Deno.test(`check --host judges a rule by its family: ${action}`, async () => {
    const passed = async (values: Readonly<Record<string, string>>): Promise<readonly string[]> => {
      const rules = `[[rule]]\nname = "web"\nwhen = { driver = "qemu", domain = "*" }\n${action}\n`;
      const { lines } = await found({ rules, files: values });
      return lines.flatMap((line) => /^warn {2}(\S+) forwarding is off/.exec(line)?.slice(1) ?? []);
    };
    const [four, six] = ["/proc/sys/net/ipv4/ip_forward", "/proc/sys/net/ipv6/conf/all/forwarding"];
    assertEquals(await passed({ [four]: "0\n", [six]: "1\n" }), [...expected]);
    assertEquals(await passed({ [four]: "1\n", [six]: "0\n" }), expected.length === 0 ? ["IPv6"] : []);
  });
}
