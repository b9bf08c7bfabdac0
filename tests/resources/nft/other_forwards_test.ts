/** Other programs' forwards of the same ports, in the real packet filter. */
import type { HostEnd } from "../../../lib/plan/nft_demand.ts";
import { overriddenText, readOtherForwards } from "../../../lib/resources/nft/other_forwards.ts";
import { wantedTable } from "../../../lib/resources/nft/rules.ts";
import { changeScript } from "../../../lib/resources/nft/table.ts";
import { assertEquals } from "../../support/assert.ts";
import { SAMPLES } from "./demands.ts";
import { filterTest, type Namespace } from "./namespace.ts";

const [IPTABLES, NFT] = ["/usr/sbin/iptables", "/usr/sbin/nft"];

const OTHERS = `add table inet mine
add chain inet mine pre { type nat hook prerouting priority -100 ; policy accept ; }
add chain inet mine web
add rule inet mine pre tcp dport { 80, 443-445 } dnat ip to 10.1.1.1
add rule inet mine web ip daddr 203.0.113.1 tcp dport 5000 dnat ip to 10.1.1.2:80
add rule inet mine pre udp dport 53 redirect to :5353
add rule inet mine pre tcp dport 22 counter accept
add rule inet mine pre tcp dport != 25 dnat ip to 10.1.1.3
add table ip lb
add chain ip lb in { type nat hook prerouting priority -150 ; policy accept ; }
add rule ip lb in tcp dport 7000 dnat to 10.1.1.4
`;

/** As Docker does without its userland proxy. */
const DOCKER = [
  "-N DOCKER",
  "-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER",
  "-A DOCKER ! -i docker0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.17.0.2:80",
  "-A PREROUTING -p udp --dport 6000:6003 -j REDIRECT --to-ports 9",
];

function end(first: number, protocol: HostEnd["protocol"] = "tcp", more: Partial<HostEnd> = {}): HostEnd {
  return { hostPorts: { first, last: first }, protocol, hostAddresses: [], ...more };
}

function told(what: string): string {
  return `others forward ${what}, too: packets go to the guest instead, as our table comes first`;
}

const CASES: readonly (readonly [HostEnd, string | undefined])[] = [
  [end(8080), told("8080/tcp (chain DOCKER of table ip nat)")],
  [end(8080, "udp"), undefined],
  [end(6002, "both"), told("6000-6003/udp (chain PREROUTING of table ip nat)")],
  [end(444), told("80, 443-445/tcp (chain pre of table inet mine)")],
  [end(53, "udp"), told("53/udp (chain pre of table inet mine)")],
  [end(5000), told("5000/tcp (chain web of table inet mine)")],
  [end(5000, "tcp", { hostAddresses: ["203.0.113.9"] }), undefined],
  [end(5000, "tcp", { hostAddresses: ["203.0.113.1"] }), told("5000/tcp (chain web of table inet mine)")],
  [end(22), undefined],
  // It comes before ours: `check --host` reports the whole chain.
  [end(7000), undefined],
];

async function fill({ must }: Namespace): Promise<void> {
  await must([NFT, "-f", "-"], changeScript(null, wantedTable(SAMPLES["plain"] ?? [])));
  await must([NFT, "-f", "-"], OTHERS);
  for (const rule of DOCKER) await must([IPTABLES, "-w", "-t", "nat", ...rule.split(" ")]);
}

filterTest("other programs' forwards of the same ports are found, without our own table", async (namespace) => {
  assertEquals(await readOtherForwards(namespace.sys), []);
  await fill(namespace);
  const others = await readOtherForwards(namespace.sys);
  assertEquals(CASES.map(([given]) => overriddenText(given, others)), CASES.map(([, text]) => text));
});
