/** Finding guests whose devices are on no bridge. */
import type { AwaitedAddress, GuestEnd, GuestInterface } from "../../../lib/plan/nft_demand.ts";
import { networkLookup } from "../../../lib/resources/nft/surroundings.ts";
import { findUnplugged, type LiveInterface } from "../../../lib/resources/nft/unplugged.ts";
import { memorySys } from "../../../lib/sys/memory_sys.ts";
import { assertEquals } from "../../support/assert.ts";
import { guestAt } from "./demands.ts";

const [ONE, TWO] = ["52:54:00:00:00:01", "52:54:00:00:00:02"];
const NETWORK = "<networkstatus><network><name>default</name><bridge name='virbr0'/></network></networkstatus>";

/** `vnet0` is on a bridge, `vnet1` and `vnet2` are on none, and there is no `vnet9`. */
const SYS = memorySys({
  files: {
    "/sys/class/net/vnet0/master": { kind: "symlink", text: "../virbr0" },
    "/sys/class/net/vnet1/ifindex": "8",
    "/sys/class/net/vnet2/ifindex": "9",
    "/run/libvirt/network/default.xml": NETWORK,
  },
});

function one(mac: string, more: Partial<GuestInterface> = {}): GuestInterface {
  return { mac, network: "default", bridge: "virbr0", addresses: [], ...more };
}

function on(mac: string, target?: string): LiveInterface {
  return { mac, target };
}

const AWAITED: AwaitedAddress = { family: "ipv4", networks: ["default"], problem: null };

interface Case {
  readonly interfaces: readonly GuestInterface[];
  readonly live: readonly LiveInterface[];
  readonly end?: Partial<GuestEnd>;
  readonly expected: string | undefined;
}

const CASES: Readonly<Record<string, Case>> = {
  "on its bridge": { interfaces: [one(ONE)], live: [on(ONE, "vnet0")], expected: undefined },
  "on no bridge": { interfaces: [one(ONE)], live: [on(ONE, "vnet1")], expected: "vnet1 virbr0" },
  "a device that libvirt does not name": { interfaces: [one(ONE)], live: [on(ONE)], expected: undefined },
  "a device that the kernel does not have": { interfaces: [one(ONE)], live: [on(ONE, "vnet9")], expected: undefined },
  "an interface that was unplugged": { interfaces: [one(ONE)], live: [], expected: undefined },
  "one of two on its bridge, and the rule's own address": {
    interfaces: [one(ONE), one(TWO)],
    live: [on(ONE, "vnet1"), on(TWO, "vnet0")],
    expected: undefined,
  },
  "both on no bridge": {
    interfaces: [one(ONE), one(TWO)],
    live: [on(ONE, "vnet1"), on(TWO, "vnet2")],
    expected: "vnet1 virbr0",
  },
  "the one that has the lease": {
    interfaces: [one(ONE), one(TWO)],
    live: [on(ONE, "vnet0"), on(TWO, "vnet1")],
    end: { guest: { ...guestAt("192.168.122.11"), source: "lease", mac: TWO } },
    expected: "vnet1 virbr0",
  },
  "the one on the network of the address": {
    interfaces: [one(ONE, { network: "other", bridge: "virbr1" }), one(TWO)],
    live: [on(ONE, "vnet0"), on(TWO, "vnet1")],
    expected: "vnet1 virbr0",
  },
  "a bridge that only the network names": {
    interfaces: [one(ONE, { bridge: null })],
    live: [on(ONE, "vnet1")],
    expected: "vnet1 virbr0",
  },
  "a network that is not active": {
    interfaces: [one(ONE, { network: "gone" })],
    live: [on(ONE, "vnet1")],
    end: { guest: { ...guestAt("192.168.122.11"), on: "gone" } },
    expected: "vnet1 virbr0, network gone",
  },
  "macvtap": { interfaces: [one(ONE, { network: null, bridge: null })], live: [on(ONE, "vnet1")], expected: undefined },
  "a guest that waits for a lease": {
    interfaces: [one(ONE)],
    live: [on(ONE, "vnet1")],
    end: { guest: null, awaited: AWAITED },
    expected: "vnet1 virbr0",
  },
};

for (const [name, { interfaces, live, end, expected }] of Object.entries(CASES)) {
  Deno.test(`findUnplugged(): ${name}: ${expected ?? "not reported"}`, async () => {
    const whole = { to: null, network: null, interfaces, guest: guestAt("192.168.122.11"), awaited: null, ...end };
    const found = await findUnplugged(whole, live, { lookup: networkLookup(SYS), sys: SYS });
    const stopped = found?.stopped === undefined ? "" : `, network ${found.stopped}`;
    assertEquals(found && `${found.dev} ${found.bridge}${stopped}`, expected);
  });
}
