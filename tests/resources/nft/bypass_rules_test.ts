/**
 * Bypass rules in other programs' chains, in the real packet filter: our rule is the first one, and our only one,
 * whatever other programs do; after the last demand none is left.
 * @module
 */
import { assertEquals } from "../../support/assert.ts";
import type { NftDemand } from "../../../lib/plan/nft_demand.ts";
import { nft } from "../../../lib/resources/nft.ts";
import { sameValue } from "../../../lib/resources/resource.ts";
import { forward, heldBy, open } from "./demands.ts";
import { filterTest, type Namespace } from "./namespace.ts";

const IPTABLES = "/usr/sbin/iptables";
const NFT = "/usr/sbin/nft";
const OURS = "-A FORWARD -m mark --mark 0x10000000/0x10000000 -m comment --comment virt-hooks -j ACCEPT";
const NOTHING = { table: null, gates: "closed" };

async function look({ sys }: Namespace): Promise<{ readonly value: unknown; readonly observed?: unknown }> {
  const reading = await nft.read("nft", sys, undefined);
  if (reading.kind !== "value") throw new Error(`Cannot read the filter: ${reading.reason}`);
  return reading;
}

async function actual(namespace: Namespace): Promise<unknown> {
  return (await look(namespace)).value;
}

/** Converges once. Returns whether anything changed. */
async function settle(demands: readonly NftDemand[], namespace: Namespace): Promise<boolean> {
  const wanted = demands.length === 0 ? undefined : nft.wanted(NOTHING, heldBy("a", ...demands));
  const to = wanted?.kind === "value" ? wanted.value : NOTHING;
  const { value: from, observed } = await look(namespace);
  if (sameValue(from, to)) return false;
  const saved = { original: NOTHING, written: undefined, pending: undefined };
  const deadlineMs = namespace.sys.elapsedMs() + 10_000;
  const end = await nft.write(
    { key: "nft", from, observed, to, saved, deadlineMs, savePending: () => {} },
    namespace.sys,
  );
  assertEquals(end, { kind: "applied", value: to });
  assertEquals(await actual(namespace), to);
  return true;
}

async function forwardRules({ must }: Namespace, tool = IPTABLES): Promise<readonly string[]> {
  return (await must([tool, "-S", "FORWARD"])).trimEnd().split("\n");
}

/** As libvirt's iptables backend does it. */
async function likeLibvirt({ must }: Namespace): Promise<void> {
  for (const tool of [IPTABLES, "/usr/sbin/ip6tables"]) {
    await must([tool, "-N", "LIBVIRT_FWI"]);
    await must([tool, "-A", "LIBVIRT_FWI", "-j", "REJECT"]);
    await must([tool, "-I", "FORWARD", "-j", "LIBVIRT_FWI"]);
  }
}

async function whole({ must }: Namespace): Promise<readonly string[]> {
  const saved = await must(["/usr/sbin/iptables-save"]);
  return [await must([NFT, "-s", "list", "ruleset"]), saved.replace(/^#.*$/gm, "").replace(/\[\d+:\d+\]/g, "")];
}

filterTest(
  "libvirt with iptables: our rule is first, for both families, and is removed with the last demand",
  async (namespace) => {
    await likeLibvirt(namespace);
    const before = await whole(namespace);
    assertEquals(await settle([forward(80)], namespace), true);
    for (const tool of [IPTABLES, "/usr/sbin/ip6tables"]) {
      assertEquals(await forwardRules(namespace, tool), ["-P FORWARD ACCEPT", OURS, "-A FORWARD -j LIBVIRT_FWI"]);
    }
    assertEquals(await settle([forward(80)], namespace), false);
    assertEquals(await settle([forward(80), forward(81)], namespace), true);
    assertEquals((await forwardRules(namespace)).length, 3);
    assertEquals(await settle([], namespace), true);
    assertEquals(await whole(namespace), before);
  },
);

const DISTURBANCES: Readonly<Record<string, readonly (readonly string[])[]>> = {
  "pushed down": [["-I", "FORWARD", "-j", "LIBVIRT_FWI"]],
  "lost": [["-F", "FORWARD"], ["-A", "FORWARD", "-j", "LIBVIRT_FWI"]],
  "doubled": [["-A", ...OURS.split(" ").slice(1)]],
  "changed": [["-D", "FORWARD", "1"], ["-I", "FORWARD", "1", "-m", "comment", "--comment", "virt-hooks", "-j", "DROP"]],
};

for (const [what, commands] of Object.entries(DISTURBANCES)) {
  filterTest(`our rule is repaired after it was ${what}`, async (namespace) => {
    await likeLibvirt(namespace);
    await settle([forward(80)], namespace);
    for (const args of commands) await namespace.must([IPTABLES, ...args]);
    assertEquals(await settle([forward(80)], namespace), true);
    const rules = await forwardRules(namespace);
    assertEquals([rules[1], rules.filter((rule) => rule.includes("virt-hooks")).length], [OURS, 1]);
  });
}

filterTest(
  "a missing chain is not created; an existing one accepts our packets before it rejects others",
  async (namespace) => {
    await settle([forward(80)], namespace);
    assertEquals((await namespace.must([NFT, "list", "tables"])).trim(), "table inet virt_hooks");
    await namespace.must([IPTABLES, "-A", "FORWARD", "-j", "LOG"]);
    assertEquals(await observation(namespace), ["lax", true]);
    assertEquals(await settle([forward(80)], namespace), true);
    assertEquals(await forwardRules(namespace), ["-P FORWARD ACCEPT", OURS, "-A FORWARD -j LOG"]);
    await namespace.must([IPTABLES, "-F", "FORWARD"]);
    await namespace.must([IPTABLES, "-P", "FORWARD", "DROP"]);
    assertEquals(await settle([forward(80)], namespace), true);
    assertEquals(await forwardRules(namespace), ["-P FORWARD DROP", OURS]);
    assertEquals(await settle([], namespace), true);
    assertEquals(await forwardRules(namespace), ["-P FORWARD DROP"]);
  },
);

/** The rules that dockerd inserts at the top at each start. */
const DOCKER = `*filter
:DOCKER - [0:0]
:DOCKER-ISOLATION-STAGE-1 - [0:0]
:DOCKER-ISOLATION-STAGE-2 - [0:0]
:DOCKER-USER - [0:0]
-A DOCKER-ISOLATION-STAGE-1 -i docker0 ! -o docker0 -j DOCKER-ISOLATION-STAGE-2
-A DOCKER-ISOLATION-STAGE-1 -j RETURN
-A DOCKER-ISOLATION-STAGE-2 -o docker0 -j DROP
-A DOCKER-ISOLATION-STAGE-2 -j RETURN
-A DOCKER-USER -j RETURN
-I FORWARD 1 -i docker0 ! -o docker0 -j ACCEPT
-I FORWARD 1 -o docker0 -j DOCKER
-I FORWARD 1 -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-I FORWARD 1 -j DOCKER-ISOLATION-STAGE-1
-I FORWARD 1 -j DOCKER-USER
COMMIT
`;

/** The state of the gates, and whether it does all that is wanted. */
async function observation(namespace: Namespace): Promise<readonly [string, boolean]> {
  const { value } = await look(namespace);
  const wanted = nft.wanted(NOTHING, heldBy("a", forward(80)));
  const state = value instanceof Object && "gates" in value ? String(value.gates) : "";
  return [state, wanted.kind === "value" && nft.suffices?.(value, wanted.value) === true];
}

/** A device that leads to the guest: Docker's rules do not apply to packets that leave by another device. */
const BRIDGE = "192.168.122.1/24";

filterTest(
  "Docker's rules above ours do not reject our packets: that is no drift, and ours is moved to the top again",
  async (namespace) => {
    const { must } = namespace;
    await must(["/usr/sbin/ip", "link", "add", "virbr0", "type", "bridge"]);
    await must(["/usr/sbin/ip", "addr", "add", BRIDGE, "dev", "virbr0"]);
    await must(["/usr/sbin/ip", "link", "set", "virbr0", "up"]);
    await likeLibvirt(namespace);
    await must([IPTABLES, "-P", "FORWARD", "DROP"]);
    await settle([forward(80)], namespace);
    await must(["/usr/sbin/iptables-restore", "-n"], DOCKER);
    assertEquals([(await forwardRules(namespace))[1], await observation(namespace)], [
      "-A FORWARD -j DOCKER-USER",
      ["lax", true],
    ]);
    for (const rule of ["-i up0 -j DROP", "-p tcp --dport 80 -j REJECT", "-m connmark --mark 0x1 -j DROP"]) {
      await must([IPTABLES, "-I", "DOCKER-USER", ...rule.split(" ")]);
      assertEquals(await observation(namespace), ["unsettled", false], rule);
      await must([IPTABLES, "-D", "DOCKER-USER", "1"]);
    }
    for (
      const rule of ["-d 10.0.0.0/8 -j DROP", "-p tcp --dport 81 -j DROP", "-m conntrack --ctstate INVALID -j DROP"]
    ) {
      await must([IPTABLES, "-I", "DOCKER-USER", ...rule.split(" ")]);
      assertEquals(await observation(namespace), ["lax", true], rule);
    }
    assertEquals(await settle([forward(80)], namespace), true);
    assertEquals((await forwardRules(namespace))[1], OURS);
  },
);

const FIREWALLD = `add table inet firewalld
add chain inet firewalld filter_FORWARD_ZONES
add chain inet firewalld filter_FORWARD { type filter hook forward priority 10 ; policy accept ; }
add rule inet firewalld filter_FORWARD ct state { established, related } accept
add rule inet firewalld filter_FORWARD ct status dnat accept
add rule inet firewalld filter_FORWARD jump filter_FORWARD_ZONES
add rule inet firewalld filter_FORWARD reject with icmpx type admin-prohibited
`;

filterTest("firewalld accepts forwards by itself; for an open network our rule is first", async (namespace) => {
  const { must } = namespace;
  await must([NFT, "-f", "-"], FIREWALLD);
  const chain = async (): Promise<readonly string[]> =>
    (await must([NFT, "-s", "list", "chain", "inet", "firewalld", "filter_FORWARD"])).split("\n").slice(3, 5)
      .map((line) => line.trim());
  const before = await chain();
  await settle([forward(80)], namespace);
  assertEquals(await chain(), before);
  await settle([forward(80), open()], namespace);
  const ours = 'meta mark & 0x10000000 == 0x10000000 counter accept comment "virt-hooks"';
  assertEquals(await chain(), [ours, ...before.slice(0, 1)]);
  // As a reload does.
  await must([NFT, "-f", "-"], `delete table inet firewalld\n${FIREWALLD}`);
  assertEquals(await settle([forward(80), open()], namespace), true);
  assertEquals(await chain(), [ours, ...before.slice(0, 1)]);
  await settle([forward(80)], namespace);
  assertEquals(await chain(), before);
  // A firewalld that accepts only its own forwards.
  await must([NFT, "-f", "-"], `delete table inet firewalld\n${FIREWALLD.replace("ct status dnat accept", "counter")}`);
  assertEquals(await settle([forward(80)], namespace), true);
  assertEquals((await chain())[0], ours);
});

filterTest("two marks: each has its rule, and another mark replaces the first", async (namespace) => {
  await likeLibvirt(namespace);
  const other = "-A FORWARD -m mark --mark 0x2000/0x2000 -m comment --comment virt-hooks -j ACCEPT";
  await settle([forward(80), forward(81, { mark: 0x2000 })], namespace);
  assertEquals((await forwardRules(namespace)).slice(1, 3), [other, OURS]);
  await settle([forward(81, { mark: 0x2000 })], namespace);
  assertEquals((await forwardRules(namespace)).slice(1), [other, "-A FORWARD -j LIBVIRT_FWI"]);
});

const LIBVIRT_NFT = ["ip", "ip6"].map((family) =>
  `add table ${family} libvirt_network
add chain ${family} libvirt_network guest_input
add chain ${family} libvirt_network forward { type filter hook forward priority 0 ; policy accept ; }
add rule ${family} libvirt_network guest_input counter reject
add rule ${family} libvirt_network forward counter jump guest_input
`
).join("");

filterTest(
  "libvirt with nftables: our rule is first in its base chain, and is removed with the last demand",
  async (namespace) => {
    await namespace.must([NFT, "-f", "-"], LIBVIRT_NFT);
    const before = await whole(namespace);
    await settle([forward(80)], namespace);
    for (const family of ["ip", "ip6"]) {
      const chain = await namespace.must([NFT, "-s", "list", "chain", family, "libvirt_network", "forward"]);
      assertEquals(chain.split("\n").slice(3, 5).map((line) => line.trim()), [
        'meta mark & 0x10000000 == 0x10000000 counter accept comment "virt-hooks"',
        "counter jump guest_input",
      ]);
    }
    await namespace.must([NFT, "insert", "rule", "ip", "libvirt_network", "forward", "counter", "jump", "guest_input"]);
    assertEquals(await settle([forward(80)], namespace), true);
    await settle([], namespace);
    await namespace.must(
      [NFT, "-f", "-"],
      "delete table ip libvirt_network\ndelete table ip6 libvirt_network\n" + LIBVIRT_NFT,
    );
    assertEquals(await whole(namespace), before);
  },
);

filterTest("a table without a ledger is not kept", async (namespace) => {
  await settle([forward(80)], namespace);
  const left = await actual(namespace);
  const saved = { original: left, written: undefined, pending: undefined };
  assertEquals(nft.rebase?.(saved, left), NOTHING);
});
