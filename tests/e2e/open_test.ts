/**
 * A network that is open to outsiders, and a forward into one that has no way out: with real packets, through what libvirt's own
 * firewall rejects.
 * @module
 */
import { assertEquals } from "../support/assert.ts";
import { DEFAULT_NETWORK, define } from "./guests.ts";
import { reachableDomain } from "./reachable.ts";
import { sceneOnSystems } from "./scene.ts";
import { connectClient, containerPid, OUTSIDE } from "./client.ts";

const GUEST = { mac: "52:54:00:00:00:01", addresses: ["192.168.122.11/24"] };

const OPEN = `
[[rule]]
name = "open"
when = { network = "default" }
while = "network"
open = { from = "203.0.113.0/24", ports = [80, "5000-5001"] }
`;

const OPEN_GUEST = `
[[rule]]
name = "one guest"
when = { domain = "web-1" }
open = { ports = 80 }
`;

/** For such a network libvirt does not let the kernel pass packets on. */
const FORWARD = `
[[rule]]
name = "web"
when = { domain = "web-1" }
forward = { host_port = 8080, guest_port = 80 }
sysctl = { "net.ipv4.ip_forward" = 1 }
`;

sceneOnSystems("a network that is open to some", async ({ nodeWith, step }, system) => {
  const node = await nodeWith(`open-${system.name}`, { system, hooks: ["daemon", "lxc", "network"] });
  await define(node, "network", DEFAULT_NETWORK);
  const word = `web-1-${crypto.randomUUID()}`;
  await define(node, "lxc", await reachableDomain(node, "web-1", { ...GUEST, word }));
  await using client = await connectClient(node);
  const ask = (port: number): Promise<string> => client.ask("client", "tcp", "192.168.122.11", port);

  await step("without the rule nobody comes in", async () => {
    await node.mustVirsh(["net-start", "default"]);
    await node.lxc(["start", "web-1"]);
    await client.serve(await containerPid(word), "web-1", "::", [80, 5001, 5002]);
    assertEquals([await ask(80), await ask(5001)], ["refused", "refused"]);
    await node.lxc(["destroy", "web-1"]);
    await node.mustVirsh(["net-destroy", "default"]);
  });
  await step("with it, the ports that it names are reached at the guest's own address", async () => {
    await node.writeRules(OPEN);
    await node.mustVirsh(["net-start", "default"]);
    await node.lxc(["start", "web-1"]);
    await client.serve(await containerPid(word), "web-1", "::", [80, 5001, 5002]);
    const seen = `web-1 sees ${OUTSIDE.client}`;
    assertEquals([await ask(80), await ask(5001), await ask(5002)], [`${seen} at 80`, `${seen} at 5001`, "refused"]);
  });
  await step("still, after a restart of libvirtd", async () => {
    await node.stopLibvirtd();
    await node.startLibvirtd();
    assertEquals(await ask(80), `web-1 sees ${OUTSIDE.client} at 80`);
  });
  await step("with the network it ends", async () => {
    await node.lxc(["destroy", "web-1"]);
    await node.mustVirsh(["net-destroy", "default"]);
    assertEquals((await node.sh(["nft", "list", "ruleset"])).includes("virt_hooks"), false);
  });
  await step("one guest can be opened alone, while it runs", async () => {
    await node.writeRules(OPEN_GUEST);
    await node.mustVirsh(["net-start", "default"]);
    await node.lxc(["start", "web-1"]);
    await client.serve(await containerPid(word), "web-1", "::", [80, 5001]);
    assertEquals([await ask(80), await ask(5001)], [`web-1 sees ${OUTSIDE.client} at 80`, "refused"]);
    await node.lxc(["destroy", "web-1"]);
    await node.mustVirsh(["net-destroy", "default"]);
    assertEquals((await node.sh(["nft", "list", "ruleset"])).includes("virt_hooks"), false);
    assertEquals((await node.run(["find", "/run/virt-hooks/ledger", "-name", "*.json"])).stdout, "");
  });
});

sceneOnSystems("a forward into a network without a way out", async ({ nodeWith, step }, system) => {
  const node = await nodeWith(`isolated-${system.name}`, {
    system,
    hooks: ["daemon", "lxc", "network"],
    rules: FORWARD,
  });
  await define(node, "network", DEFAULT_NETWORK.replace("  <forward mode='nat'/>\n", ""));
  await node.mustVirsh(["net-start", "default"]);
  const word = `web-1-${crypto.randomUUID()}`;
  const domain = (await reachableDomain(node, "web-1", { ...GUEST, word })).replace(/<route [^>]*\/>/, "");
  await define(node, "lxc", domain);
  await using client = await connectClient(node);

  await step("the guest is reached, and sees the host", async () => {
    await node.lxc(["start", "web-1"]);
    await client.serve(await containerPid(word), "web-1", "::", [80]);
    assertEquals(await client.ask("client", "tcp", OUTSIDE.host, 8080), "web-1 sees 192.168.122.1 at 80");
  });
  await step("it reaches nobody outside", async () => {
    await client.serve("client", "client", "0.0.0.0", [7000]);
    const answer = await client.ask(await containerPid(word), "tcp", OUTSIDE.client, 7000);
    assertEquals(["refused", "silence"].includes(answer), true, answer);
  });
});
