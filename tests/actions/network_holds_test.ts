/**
 * Plans and mistakes of `routes`, `addresses` and `dns`.
 * @module
 */
import { renderIntent } from "../../lib/plan/render.ts";
import type { DriverName } from "../../lib/libvirt/driver.ts";
import { assertEquals, assertStringIncludes } from "../support/assert.ts";
import { mistakesIn, planFor } from "../support/plan_for.ts";

const NETWORK = `<hookData><network><name>lab</name><uuid>71b82105-90e8-4513-810a-f629d2aaf0d1</uuid>
<bridge name='virbr7'/><ip address='192.168.7.1' netmask='255.255.255.0'/></network></hookData>`;
const GUEST = `<domain type='kvm'><name>web-1</name><uuid>71b82105-90e8-4513-810a-f629d2aaf0d2</uuid>
<description>203.0.113.7</description><title>203.0.113.0/24</title></domain>`;

function ruleText(action: string, life: string): string {
  return `[[rule]]\nname = "r"\nwhen = {}\n${life === "guest" ? "" : `while = "${life}"\n`}${action}\n`;
}

/** Plans an action in a rule for the scope, at the operation that starts its lifetime. */
async function planOf(action: string, life: "guest" | "network"): Promise<readonly string[]> {
  const [driver, document]: readonly [DriverName, string] = life === "guest" ? ["qemu", GUEST] : ["network", NETWORK];
  return (await planFor(ruleText(action, life), { driver, document })).map(renderIntent);
}

const PLANS = [
  {
    life: "network",
    action: 'routes = { to = "203.0.113.0/28" }',
    want: "hold  route to 203.0.113.0/28 dev virbr7, while the network is active; a failure is noted",
  },
  {
    life: "network",
    action: 'routes = { to = "2001:DB8::/32", via = "2001:db8::0:1", metric = 5, table = 100 }',
    want:
      "hold  route to 2001:db8::/32 via 2001:db8::1 metric 5 table 100, while the network is active; a failure is noted",
  },
  // A table has one name: otherwise two guests with the same route would each restore the other's route.
  ...["254", '"254"', '"main"'].map((table) => ({
    life: "guest" as const,
    action: `routes = { to = "203.0.113.7", dev = "br0", table = ${table} }`,
    want: "hold  route to 203.0.113.7/32 dev br0, while the guest runs; a failure is noted",
  })),
  {
    life: "guest",
    action: 'routes = { to = "${xml:/domain/description}", dev = "br0", on_error = "fail" }',
    want: "hold  route to 203.0.113.7/32 dev br0, while the guest runs; a failure fails the call",
  },
  {
    life: "guest",
    action: 'routes = { to = "${xml:/domain/title}", dev = "br0" }',
    want:
      'FAIL  routes: "${xml:/domain/title}" gives 203.0.113.0/24: a placeholder may only give a single address; a failure is noted',
  },
  {
    life: "guest",
    action: 'routes = { to = "203.0.113.7", via = "2001:db8::1" }',
    want:
      "FAIL  routes: the next hop 2001:db8::1 and the destination 203.0.113.7/32 are not of one family; a failure is noted",
  },
  {
    life: "network",
    action: 'addresses = { address = "2001:DB8::1" }',
    want: "hold  address 2001:db8::1/128 on virbr7, while the network is active; a failure is noted",
  },
  {
    life: "network",
    action: 'dns = { domain = "Lab.Internal" }',
    want:
      "hold  names below lab.internal resolved at 192.168.7.1 (virbr7), while the network is active; a failure is noted",
  },
] as const;

for (const { life, action, want } of PLANS) {
  Deno.test(`a ${life}'s ${action} is planned`, async () => assertEquals(await planOf(action, life), [want]));
}

const REFUSED = [
  {
    life: "guest",
    action: 'routes = { to = "203.0.113.7" }',
    told: "found a route without via or dev, expected via or dev",
  },
  { life: "network", action: 'routes = { to = "203.0.113.7/24" }', told: "without bits behind its length" },
  { life: "network", action: 'routes = { to = "203.0.113.7", via = "gateway" }', told: "expected an IP address" },
  { life: "network", action: 'routes = { to = "203.0.113.7", dev = "-x" }', told: "expected a network device's name" },
  {
    life: "network",
    action: 'routes = { to = "203.0.113.7", dev = "../x" }',
    told: "expected a network device's name",
  },
  { life: "network", action: 'routes = { to = "203.0.113.7", table = "-1" }', told: "expected a routing table" },
  { life: "network", action: 'routes = { to = "203.0.113.7", metric = -1 }', told: "expected a whole number" },
  { life: "network", action: 'routes = { to = "203.0.113.7", onlink = true }', told: "expected via and dev beside it" },
  {
    life: "port",
    action: 'routes = { to = "203.0.113.7", dev = "br0" }',
    told: 'expected a rule with while = "guest" or "network"',
  },
  { life: "guest", action: 'addresses = { address = "203.0.113.7/24" }', told: "found no dev, expected dev" },
  {
    life: "network",
    action: 'addresses = { address = "203.0.113.7/33" }',
    told: "expected an IP address with the length",
  },
  { life: "guest", action: 'dns = { domain = "lab.internal" }', told: 'expected a rule with while = "network"' },
  { life: "network", action: 'dns = { domain = "." }', told: "expected a domain" },
  { life: "network", action: 'dns = { domain = "lab internal" }', told: "expected a domain" },
];

for (const { life, action, told } of REFUSED) {
  Deno.test(`a ${life}'s ${action} is refused`, async () => {
    assertStringIncludes((await mistakesIn(ruleText(action, life))).join("\n"), told);
  });
}
