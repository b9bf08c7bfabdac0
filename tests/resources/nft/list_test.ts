/** Missing iptables chains, chains that cannot be listed, and devices of routes, on a host in memory. */
import { parseIpAddress } from "../../../lib/net/ip_address.ts";
import { type BaseChain, FilterError, listIptables, readDevices } from "../../../lib/resources/nft/list.ts";
import { type MemoryHost, memorySys } from "../../../lib/sys/memory_sys.ts";
import { TOOLS } from "../../../lib/sys/tools.ts";
import { assertEquals, assertRejects } from "../../support/assert.ts";

const BASES: readonly BaseChain[] = [
  { table: "ip filter", name: "FORWARD", type: "filter", hook: "forward", priority: 0 },
];
const LISTED = "-P FORWARD DROP\n";

const NFT_FORM = {
  [TOOLS.iptables]: { kind: "symlink", text: "xtables-nft-multi" } as const,
  "/usr/sbin/xtables-nft-multi": "",
};
const OLDER_FORM = {
  [TOOLS.iptables]: { kind: "symlink", text: "xtables-legacy-multi" } as const,
  "/usr/sbin/xtables-legacy-multi": "",
};

function failing(stderr: string): NonNullable<MemoryHost["programs"]> {
  return { [TOOLS.iptables]: () => ({ end: { kind: "exited", code: 3 }, stderr }) };
}

const listing = { [TOOLS.iptables]: () => ({ stdout: LISTED }) };

const CASES = [
  { name: "there is no such program", files: {}, programs: listing, bases: BASES, text: undefined },
  { name: "the chain is there", files: NFT_FORM, programs: listing, bases: BASES, text: LISTED },
  {
    name: "the chain is not there: it is not made",
    files: NFT_FORM,
    programs: failing("x"),
    bases: [],
    text: undefined,
  },
  { name: "the older form has tables of its own", files: OLDER_FORM, programs: listing, bases: [], text: LISTED },
  {
    name: "the kernel has no table of the older form",
    files: OLDER_FORM,
    programs: failing("iptables: can't initialize iptables table `filter': Table does not exist"),
    bases: [],
    text: undefined,
  },
  {
    name: "the kernel has no table of the older form, and a chain of nft's own of that name",
    files: OLDER_FORM,
    programs: failing("iptables: can't initialize iptables table `filter': Table does not exist"),
    bases: BASES,
    text: undefined,
  },
  {
    name: "the chain is one of nft's own",
    files: NFT_FORM,
    programs: failing(
      "iptables v1.8.9 (nf_tables): chain `FORWARD' in table `filter' is incompatible, use 'nft' tool.",
    ),
    bases: BASES,
    text: undefined,
  },
] as const;

for (const { name, files, programs, bases, text } of CASES) {
  Deno.test(`listIptables(): ${name}`, async () => {
    const sys = memorySys({ files, programs });
    assertEquals(await listIptables("iptables", { bases, chain: "FORWARD" }, sys), text);
  });
}

Deno.test("listIptables(): any other failure is an error", async () => {
  for (const files of [NFT_FORM, OLDER_FORM]) {
    const sys = memorySys({ files, programs: failing("Another app is currently holding the xtables lock") });
    await assertRejects(() => listIptables("iptables", { bases: BASES }, sys), FilterError);
  }
});

Deno.test("listIptables(): truncated output is an error", async () => {
  const sys = memorySys({
    files: NFT_FORM,
    programs: { [TOOLS.iptables]: () => ({ stdout: "-P FORWARD ACCEPT\n-A FOR" }) },
  });
  await assertRejects(() => listIptables("iptables", { bases: BASES }, sys), FilterError);
});

const ROUTES = {
  "/proc/net/route": `Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t0101000A\t0003\t0\t0\t0\t00000000\t0\t0\t0
virbr0\t007AA8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
`,
  "/proc/net/ipv6_route":
    "fd000122000000000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000001 00000000 00000001  virbr0\n",
};

Deno.test("readDevices(): the device by which packets leave", async () => {
  const deviceTo = await readDevices(memorySys({ files: ROUTES }));
  const told = ["192.168.122.11", "203.0.113.9", "fd00:122::11", "2001:db8::1"].map((text) => {
    const address = parseIpAddress(text);
    return address && deviceTo(address);
  });
  assertEquals(told, ["virbr0", "eth0", "virbr0", undefined]);
});
