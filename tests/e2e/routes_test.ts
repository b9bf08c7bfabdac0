/**
 * Routes and addresses of the host while a network is active or a guest runs.
 * @module
 */
import { assert, assertEquals } from "../support/assert.ts";
import { DEFAULT_NETWORK, define, qemuDomain } from "./guests.ts";
import type { Node } from "./node.ts";
import { sceneOnSystems } from "./scene.ts";

/** libvirt turns IPv6 off on the bridge of a network that has none. */
const NETWORK = DEFAULT_NETWORK.replace(
  "</network>",
  "  <ip family='ipv6' address='fd00:122::1' prefix='64'/>\n</network>",
);

const RULES = `
[[rule]]
name = "routed to the lab"
when = { network = "default" }
while = "network"
routes = [
  { to = "203.0.113.0/28" },
  { to = "198.51.100.0/24", via = "192.168.122.9", metric = 50 },
  { to = "2001:db8:7::/64" },
  { to = "192.0.2.0/24", via = "10.99.0.1", dev = "virbr0", onlink = true, table = 100 },
]
addresses = [{ address = "192.0.2.1/24" }, { address = "2001:db8:8::1/64" }]

[[rule]]
name = "an address of its own"
when = { domain = "vm1" }
routes = { to = "\${xml:/domain/description}", dev = "virbr0" }
`;

/** All that \`ip\` says of routes and addresses of the host, but for what the kernel makes by itself. */
async function stateOf(node: Node): Promise<string> {
  const told = [["-4", "route", "show", "table", "all"], ["-6", "route", "show", "table", "all"], ["rule"]];
  const routes = await Promise.all(told.map((args) => node.sh(["ip", ...args])));
  return routes.join("").split("\n").filter((line) => !/proto kernel|fe80|ff00/.test(line)).sort().join("\n").trim();
}

async function routesOf(node: Node, ...args: string[]): Promise<string> {
  return (await node.run(["ip", ...args])).stdout.trim();
}

sceneOnSystems("routes and addresses stand while a network is active", async ({ nodeWith, step }, system) => {
  const node = await nodeWith(`routes-${system.name}`, { system, hooks: ["daemon", "qemu", "network"], rules: RULES });
  await define(node, "network", NETWORK);
  const guest = qemuDomain("vm1", { network: "default" }).replace(
    "</name>",
    "</name><description>203.0.113.77</description>",
  );
  await define(node, "qemu", guest);
  const before = await stateOf(node);

  await step("they are there when it has started", async () => {
    await node.mustVirsh(["net-start", "default"]);
    const ipv4 = await routesOf(node, "-4", "route");
    assert(/^203\.0\.113\.0\/28 dev virbr0 proto static scope link/m.test(ipv4), ipv4);
    assert(/^198\.51\.100\.0\/24 via 192\.168\.122\.9 dev virbr0 proto static metric 50/m.test(ipv4), ipv4);
    const ipv6 = await routesOf(node, "-6", "route");
    assert(/^2001:db8:7::\/64 dev virbr0 proto static/m.test(ipv6), ipv6);
    assertEquals(
      (await routesOf(node, "route", "show", "table", "100")).replace(/ linkdown/g, "").trim(),
      "192.0.2.0/24 via 10.99.0.1 dev virbr0 proto static onlink",
    );
    const addresses = await routesOf(node, "-br", "address", "show", "dev", "virbr0");
    assert(addresses.includes("192.0.2.1/24") && addresses.includes("2001:db8:8::1/64"), addresses);
  });
  await step("a guest's own route comes and goes with it", async () => {
    await node.mustVirsh(["start", "vm1"]);
    assert(/^203\.0\.113\.77 dev virbr0/m.test(await routesOf(node, "-4", "route")), "No route to the guest");
    await node.mustVirsh(["net-destroy", "default"]);
    assertEquals(/203\.0\.113\.77/.test(await routesOf(node, "-4", "route")), false);
    await node.mustVirsh(["net-start", "default"]);
    assert(/^203\.0\.113\.77 dev virbr0/m.test(await routesOf(node, "-4", "route")), "It is not back with the network");
    await node.mustVirsh(["destroy", "vm1"]);
    assertEquals(/203\.0\.113\.77/.test(await routesOf(node, "-4", "route")), false);
  });
  await step("what somebody removed is there again after an update, and after a restart of the daemon", async () => {
    const update = [
      "net-update",
      "default",
      "add",
      "dns-host",
      "<host ip='192.168.122.9'><hostname>r</hostname></host>",
    ];
    for (
      const again of [() => node.mustVirsh([...update, "--live"]), async () => {
        await node.stopLibvirtd();
        await node.startLibvirtd();
      }]
    ) {
      await node.sh(["ip", "route", "del", "203.0.113.0/28"]);
      await node.sh(["ip", "address", "del", "192.0.2.1/24", "dev", "virbr0"]);
      await again();
      assert((await routesOf(node, "-4", "route")).includes("203.0.113.0/28"), "The route is not back");
      assert(
        (await routesOf(node, "address", "show", "dev", "virbr0")).includes("192.0.2.1/24"),
        "The address is not back",
      );
    }
  });
  await step("with the network they go, and with the next start they come back", async () => {
    for (let round = 0; round < 2; round++) {
      await node.mustVirsh(["net-destroy", "default"]);
      assertEquals(await stateOf(node), before);
      assertEquals((await node.run(["find", "/run/virt-hooks/ledger", "-name", "*.json"])).stdout, "");
      if (round === 0) await node.mustVirsh(["net-start", "default"]);
    }
  });
  await step("a route that stood there before is put back", async () => {
    await node.sh(["ip", "link", "add", "br9", "type", "bridge"]);
    await node.sh(["ip", "link", "set", "br9", "up"]);
    await node.sh(["ip", "route", "add", "203.0.113.0/28", "dev", "br9"]);
    const stood = await stateOf(node);
    await node.mustVirsh(["net-start", "default"]);
    assert(/^203\.0\.113\.0\/28 dev virbr0/m.test(await routesOf(node, "-4", "route")), "Not ours");
    await node.mustVirsh(["net-destroy", "default"]);
    assertEquals(await stateOf(node), stood);
  });
  await step("no call failed", async () => {
    const bad = (await node.history()).filter((line) => line.exitCode !== 0 || line["level"] === "ERROR");
    assertEquals(bad.map((line) => line["message"]), []);
  });
});
