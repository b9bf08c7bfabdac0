/** Recognizing other firewalls in the real packet filter. */
import { inspectFirewalls } from "../../../lib/resources/nft/firewalls.ts";
import { readFilterStatus } from "../../../lib/resources/nft/traffic.ts";
import { changeScript } from "../../../lib/resources/nft/table.ts";
import { wantedTable } from "../../../lib/resources/nft/rules.ts";
import { assertEquals, assertStringIncludes } from "../../support/assert.ts";
import { forward, heldBy, SAMPLES } from "./demands.ts";
import { filterTest } from "./namespace.ts";

const FORWARDS = { mark: 0x10000000, opens: false } as const;
const IPTABLES = "/usr/sbin/iptables";
const NFT = "/usr/sbin/nft";

filterTest("other firewalls are found in the real packet filter, without our table", async ({ sys, must }) => {
  await must([NFT, "-f", "-"], changeScript(null, wantedTable(SAMPLES["plain"] ?? [])));
  const { version, ...alone } = await inspectFirewalls(FORWARDS, sys);
  assertStringIncludes(version, "nftables v");
  const nothing = { closed: [], foreign: [], earlier: [], legacy: [], missing: [], leases: [] };
  assertEquals(alone, { ...nothing, names: [] });
  for (const chain of ["LIBVIRT_FWI", "DOCKER", "ufw-before-forward"]) {
    await must([IPTABLES, "-w", "-N", chain]);
    await must([IPTABLES, "-w", "-A", "FORWARD", "-j", chain]);
  }
  await must([IPTABLES, "-w", "-P", "FORWARD", "DROP"]);
  const { names, closed, foreign } = await inspectFirewalls(FORWARDS, sys);
  assertEquals([names, closed, foreign], [
    ["libvirt", "Docker", "ufw", "the policy DROP"].map((name) => `${name} (iptables)`),
    ["FORWARD of iptables"],
    [],
  ]);
});

const CURE = "nft insert rule inet fw forward meta mark '&' 0x10000000 == 0x10000000 accept";

const FOREIGN: Readonly<Record<string, { readonly rules: string; readonly found?: readonly [string, string] }>> = {
  "drops by its policy": { rules: "policy drop ; }", found: ["rejects", CURE] },
  "drops by its last rule": {
    rules: 'policy accept ; }\nadd rule inet fw forward iifname "virbr0" accept\nadd rule inet fw forward drop',
    found: ["rejects-rest", CURE],
  },
  "drops in a chain that it jumps to": {
    rules:
      "policy accept ; }\nadd chain inet fw inner\nadd rule inet fw inner reject\nadd rule inet fw forward jump inner",
    found: ["rejects", CURE],
  },
  "drops a guest's port": {
    rules: "policy accept ; }\nadd rule inet fw forward ip daddr 192.168.122.11 tcp dport 80 drop",
    found: ["rejects", CURE],
  },
  "drops some clients": {
    rules: "policy accept ; }\nadd set inet fw bad { type ipv4_addr ; }\nadd rule inet fw forward ip saddr @bad drop",
    found: ["rejects-some", CURE],
  },
  "accepts what was sent on": { rules: "policy drop ; }\nadd rule inet fw forward ct status dnat accept" },
  "accepts new connections": { rules: "policy drop ; }\nadd rule inet fw forward ct state new,established accept" },
  "drops what is broken, and another port": {
    rules: "policy accept ; }\nadd rule inet fw forward ct state vmap { established : accept, invalid : drop }\n" +
      "add rule inet fw forward ip daddr 192.168.122.11 tcp dport 81 drop\nadd rule inet fw forward meta mark 0x5 drop",
  },
};

for (const [what, { rules, found }] of Object.entries(FOREIGN)) {
  filterTest(`a chain of another program is judged by its rules: it ${what}`, async ({ sys, must }) => {
    const held = heldBy("a", forward(8080, { guestPort: 80 }));
    await must([NFT, "-f", "-"], changeScript(null, wantedTable(held)));
    await must(
      [NFT, "-f", "-"],
      `add table inet fw\nadd chain inet fw forward { type filter hook forward priority 0 ; ${rules}\n`,
    );
    const { foreign, names } = await inspectFirewalls(FORWARDS, sys);
    const told = foreign.map(({ kind, fixCommand }) => [kind, fixCommand]);
    assertEquals([told, names], [found === undefined ? [] : [found], []]);
    const [{ holder } = { holder: "" }] = held;
    const { state } = (await readFilterStatus(sys)).forward({ holder, demand: forward(8080, { guestPort: 80 }) });
    const wanted = { "rejects": "outranked", "rejects-rest": "unknown" }[found?.[0] ?? ""] ?? "active";
    assertEquals(state, wanted);
    // As the advice says.
    await must([NFT, ...CURE.replaceAll("'", "").split(" ").slice(1)]);
    assertEquals((await inspectFirewalls(FORWARDS, sys)).foreign, []);
  });
}

filterTest("a chain before ours does not see our mark", async ({ sys, must }) => {
  await must([NFT, "-f", "-"], changeScript(null, wantedTable(heldBy("a", forward(8080)))));
  await must(
    [NFT, "-f", "-"],
    `add table ip early
add chain ip early f { type filter hook forward priority -150 ; policy drop ; }
add rule ip early f meta mark & 0x10000000 == 0x10000000 accept
add table ip lb
add chain ip lb in { type nat hook prerouting priority -150 ; policy accept ; }
`,
  );
  const { foreign, earlier } = await inspectFirewalls(FORWARDS, sys);
  const cure = "nft insert rule ip early f ct status dnat accept";
  assertEquals([foreign.map((one) => one.fixCommand), earlier.map(({ table, name }) => `${table} ${name}`)], [
    [cure],
    ["ip lb in"],
  ]);
  await must([NFT, ...cure.split(" ").slice(1)]);
  assertEquals((await inspectFirewalls(FORWARDS, sys)).foreign, []);
});

filterTest("a table filter of nft's own is judged, and left alone", async ({ sys, must }) => {
  await must([NFT, "-f", "-"], changeScript(null, wantedTable(heldBy("a", forward(8080)))));
  for (const chain of ["FORWARD", "forward"]) {
    await must(
      [NFT, "-f", "-"],
      `add table ip filter
add chain ip filter ${chain} { type filter hook forward priority 0 ; policy drop ; }
add rule ip filter ${chain} ct state established,related accept
`,
    );
    const before = await must([NFT, "list", "table", "ip", "filter"]);
    const { foreign } = await inspectFirewalls(FORWARDS, sys);
    assertEquals(foreign.map(({ label, kind }) => [label, kind]), [
      [`the chain ${chain} of table ip filter`, "rejects"],
    ]);
    assertEquals(await must([NFT, "list", "table", "ip", "filter"]), before);
    await must([NFT, "delete", "table", "ip", "filter"]);
  }
});
