/**
 * Who reaches what by which way: every kind of forward, tried by somebody in each place there is, with real packets of both
 * protocols and families.
 * @module
 */
import { assertEquals, assertStringIncludes } from "../support/assert.ts";
import { define, DUAL_STACK_NETWORK } from "./guests.ts";
import { LXC } from "./node.ts";
import { reachableDomain } from "./reachable.ts";
import { sceneOnSystems } from "./scene.ts";
import { connectClient, containerPid, OUTSIDE } from "./client.ts";

const { host, otherHost, host6, client6 } = OUTSIDE;

/** Both families for each kind; the address says which. */
const RULES = `
[[rule]]
name = "web"
when = { domain = "web-1" }
forward = [
${
  ["192.168.122.11", "fd00:122::11"].map((to) => `
  { to = "${to}", host_port = 8080, guest_port = 80 },
  { to = "${to}", host_port = 5300, guest_port = 53, protocol = "udp" },
  { to = "${to}", host_port = 7000, protocol = "both" },
  { to = "${to}", host_port = "6000-6003", guest_port = 5000, protocol = "both" },
  { to = "${to}", host_port = "9000-9002", protocol = "both" },
  { to = "${to}", host_port = 8081, guest_port = 80, from = ["198.51.100.0/24", "2001:db8:99::/64"] },
  { to = "${to}", host_port = 8083, guest_port = 80, from = ["${OUTSIDE.client}", "2001:db8:1::/64"] },`).join("")
}
  { host_port = 8082, guest_port = 80, host_address = "${otherHost}" },
]

[[rule]]
name = "the same port elsewhere"
when = { domain = "web-2" }
forward = { host_port = 8082, guest_port = 80, host_address = "${host}" }
`;

const GUESTS = ["web-1", "web-2"] as const;

/** A guest that wants some of the ports of another. */
const LATE = `
[[rule]]
name = "some of the same"
when = { domain = "web-3" }
forward = { host_port = "6002-6010", protocol = "udp" }
`;

/** Who asks, how and where; and what comes of it. */
interface Row {
  readonly from: "client" | "host" | "web-1" | "web-2";
  readonly kind: "tcp" | "udp";
  readonly to: string;
  readonly port: number;
  readonly answer: string;
}

function row(from: Row["from"], kind: Row["kind"], to: string, port: number, answer: string): Row {
  return { from, kind, to, port, answer };
}

/** What a client outside gets, by either family. */
function outside(to: string, seen: string): readonly Row[] {
  const sees = `web-1 sees ${seen} at`;
  return [
    row("client", "tcp", to, 8080, `${sees} 80`),
    row("client", "udp", to, 8080, "silence"),
    row("client", "udp", to, 5300, `${sees} 53`),
    row("client", "tcp", to, 5300, "refused"),
    row("client", "tcp", to, 7000, `${sees} 7000`),
    row("client", "udp", to, 7000, `${sees} 7000`),
    row("client", "tcp", to, 6000, `${sees} 5000`),
    row("client", "udp", to, 6003, `${sees} 5003`),
    row("client", "tcp", to, 6004, "refused"),
    row("client", "tcp", to, 9000, `${sees} 9000`),
    row("client", "udp", to, 9002, `${sees} 9002`),
    row("client", "tcp", to, 9003, "refused"),
    row("client", "tcp", to, 8081, "refused"),
    row("client", "tcp", to, 8083, `${sees} 80`),
  ];
}

const ROWS: Readonly<Record<string, readonly Row[]>> = {
  "outside, IPv4": outside(host, OUTSIDE.client),
  "outside, IPv6": outside(host6, client6),
  "one port of two addresses to two guests": [
    row("client", "tcp", otherHost, 8082, `web-1 sees ${OUTSIDE.client} at 80`),
    row("client", "tcp", host, 8082, `web-2 sees ${OUTSIDE.client} at 80`),
  ],
  "the host itself, by its outer address and by the bridge's": [
    row("host", "tcp", host, 8080, "web-1 sees"),
    row("host", "udp", host, 7000, "web-1 sees"),
    row("host", "tcp", "192.168.122.1", 8080, "web-1 sees 192.168.122.1 at 80"),
    row("host", "tcp", host6, 8080, "web-1 sees"),
    row("host", "tcp", "fd00:122::1", 8080, "web-1 sees fd00:122::1 at 80"),
  ],
  "the host's own loopback services": [
    row("host", "tcp", "127.0.0.1", 8080, "host sees 127.0.0.1 at 8080"),
    row("host", "udp", "127.0.0.1", 7000, "host sees 127.0.0.1 at 7000"),
    row("host", "tcp", "::1", 8080, "host sees ::1 at 8080"),
  ],
  "another guest, by the host's address and by the bridge's": [
    row("web-2", "tcp", host, 8080, "web-1 sees 192.168.122.1 at 80"),
    row("web-2", "udp", host, 7000, "web-1 sees 192.168.122.1 at 7000"),
    row("web-2", "tcp", "192.168.122.1", 8080, "web-1 sees 192.168.122.1 at 80"),
    row("web-2", "tcp", host6, 8080, "web-1 sees fd00:122::1 at 80"),
  ],
  "a guest's way out to the same port of another machine": [
    row("web-2", "tcp", OUTSIDE.client, 8080, `client sees ${host} at 8080`),
  ],
};

sceneOnSystems("every way to a forwarded port", async ({ nodeWith, step }, system) => {
  const node = await nodeWith(`matrix-${system.name}`, {
    system,
    hooks: ["daemon", "lxc", "network"],
    rules: RULES,
    network: DUAL_STACK_NETWORK,
  });
  await using client = await connectClient(node);
  await client.serve("host", "host", "127.0.0.1", [8080, 7000]);
  await client.serve("host", "host", "::1", [8080]);
  await client.serve("client", "client", "0.0.0.0", [8080]);
  const pids: Record<string, number> = {};
  for (const [index, name] of GUESTS.entries()) {
    const word = `${name}-${crypto.randomUUID()}`;
    const addresses = [`192.168.122.1${index + 1}/24`, `fd00:122::1${index + 1}/64`];
    const domain = await reachableDomain(node, name, { mac: `52:54:00:00:00:0${index + 1}`, addresses, word });
    await define(node, "lxc", domain);
    await node.lxc(["start", name]);
    pids[name] = await containerPid(word);
    // At the very addresses: the network announces itself to the guest, which may take another one to answer from.
    for (const at of addresses.map((text) => text.replace(/\/.*/, ""))) {
      await client.serve(pids[name], name, at, [80, 53, 7000, 5000, 5003, 9000, 9002]);
    }
  }
  const ask = ({ from, kind, to, port }: Row): Promise<string> =>
    client.ask(from === "client" || from === "host" ? from : pids[from] ?? 0, kind, to, port);

  for (const [name, rows] of Object.entries(ROWS)) {
    await step(name, async () => {
      const seen = await Promise.all(rows.map(async (one) => ({ ...one, answer: await ask(one) })));
      // Which of its addresses the host takes is the kernel's affair.
      assertEquals(
        seen.map((one, index) => {
          const expected = rows[index]?.answer ?? "";
          return one.answer.startsWith(expected) ? { ...one, answer: expected } : one;
        }),
        rows,
      );
    });
  }
  await step("a guest that wants some of the ports of another is refused, and both are named", async () => {
    await node.writeRules(RULES + LATE);
    const late = { mac: "52:54:00:00:00:03", addresses: ["192.168.122.13/24"], word: "none" };
    await define(node, "lxc", await reachableDomain(node, "web-3", late));
    const { code, stderr } = await node.virsh(["start", "web-3"], LXC);
    assertEquals(code, 1);
    assertStringIncludes(stderr, 'guest "web-1" (rule "web") wants tcp and udp port 6000-6003');
    assertStringIncludes(stderr, 'guest "web-3" (rule "some of the same") wants udp port 6002-6010');
    assertEquals(await client.ask("client", "udp", host, 6003), `web-1 sees ${OUTSIDE.client} at 5003`);
  });
});
