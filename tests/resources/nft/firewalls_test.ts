/** What other firewalls are told apart by, in the real packet filter. */
import { lookAtFirewalls } from "../../../lib/resources/nft/firewalls.ts";
import { changeScript } from "../../../lib/resources/nft/table.ts";
import { wantedTable } from "../../../lib/resources/nft/rules.ts";
import { assertEquals, assertStringIncludes } from "../../support/assert.ts";
import { SAMPLES } from "./demands.ts";
import { filterTest } from "./namespace.ts";

const MARK = 0x10000000;
const IPTABLES = "/usr/sbin/iptables";
const NFT = "/usr/sbin/nft";

filterTest("other firewalls are found in the real packet filter, and ours is none", async ({ sys, must }) => {
  await must([NFT, "-f", "-"], changeScript(null, wantedTable(SAMPLES["plain"] ?? [])));
  const { version, ...alone } = await lookAtFirewalls(MARK, sys);
  assertStringIncludes(version, "nftables v");
  assertEquals(alone, { names: [], dropping: [], earlier: [], legacy: [] });
  for (const chain of ["LIBVIRT_FWI", "DOCKER", "ufw-before-forward"]) {
    await must([IPTABLES, "-w", "-N", chain]);
    await must([IPTABLES, "-w", "-A", "FORWARD", "-j", chain]);
  }
  await must([IPTABLES, "-w", "-P", "FORWARD", "DROP"]);
  const { names, dropping } = await lookAtFirewalls(MARK, sys);
  assertEquals([names, dropping], [
    ["libvirt", "Docker", "ufw", "the policy DROP"].map((name) => `${name} (iptables)`),
    [],
  ]);
});

filterTest(
  "chains of somebody's own that outrank ours are found, until they let our mark through",
  async (namespace) => {
    const { sys, must } = namespace;
    await must(
      [NFT, "-f", "-"],
      `add table inet filter
add chain inet filter forward { type filter hook forward priority 0 ; policy drop ; }
add rule inet filter forward meta mark 0x10000000 drop
add rule inet filter forward meta mark & 0x2000 == 0x2000 accept
add table ip lb
add chain ip lb in { type nat hook prerouting priority -150 ; policy accept ; }
add table inet firewalld
add chain inet firewalld filter_FORWARD { type filter hook forward priority 10 ; policy drop ; }
`,
    );
    const found = await lookAtFirewalls(MARK, sys);
    const forward = {
      table: "inet filter",
      name: "forward",
      type: "filter",
      hook: "forward",
      priority: 0,
      policy: "drop",
    };
    assertEquals([found.names, found.dropping, found.earlier.map(({ table, name }) => `${table} ${name}`)], [
      ["firewalld"],
      [forward],
      ["ip lb in"],
    ]);
    // As the advice says.
    await must([NFT, ..."insert rule inet filter forward meta mark & 0x10000000 == 0x10000000 accept".split(" ")]);
    assertEquals((await lookAtFirewalls(MARK, sys)).dropping, []);
  },
);
