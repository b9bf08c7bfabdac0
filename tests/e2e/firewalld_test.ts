/**
 * Forwards beside firewalld and beside a policy that drops, as Docker and ufw set it: with real packets.
 * @module
 */
import { assertEquals, assertStringIncludes } from "../support/assert.ts";
import { DEFAULT_NETWORK, define } from "./guests.ts";
import type { Node } from "./node.ts";
import { reachableDomain } from "./reachable.ts";
import { HOOKS, sceneOnSystems } from "./scene.ts";
import { SYSTEMS } from "./systems.ts";
import { until } from "./until.ts";
import { containerPid, OUTSIDE, wireClient } from "./wire.ts";

/** Debian 13 is made with it; this host need not have it. */
const WITH_FIREWALLD = SYSTEMS.filter(({ isDebian13 }) => isDebian13);
const LXC = { uri: "lxc:///system" } as const;
const RULES = `[[rule]]\nname = "web"\nwhen = { domain = "web-1" }\nforward = { host_port = 8080, guest_port = 80 }\n`;
const GUEST = { mac: "52:54:00:00:00:01", addresses: ["192.168.122.11/24"] };
const SEEN = `web-1 sees ${OUTSIDE.client} at 80`;

async function startFirewalld(node: Node): Promise<void> {
  await node.sh(["sh", "-c", "mkdir -p /run/dbus && dbus-daemon --system --fork"]);
  await node.sh(["sh", "-c", "firewalld --nofork --nopid >/dev/null 2>&1 </dev/null &"]);
  await until("firewalld", async () => (await node.run(["firewall-cmd", "--state"])).code === 0);
}

sceneOnSystems("a forward beside others' firewalls", async ({ startNode, step }, system) => {
  const node = await startNode(`beside-${system.name}`, system);
  await node.installHooks(HOOKS, ["daemon", "lxc", "network"]);
  await node.writeRules(RULES);
  await startFirewalld(node);
  await node.startLibvirtd();
  await define(node, "network", DEFAULT_NETWORK);
  await node.mustVirsh(["net-start", "default"]);
  const word = `web-1-${crypto.randomUUID()}`;
  await define(node, "lxc", await reachableDomain(node, "web-1", { ...GUEST, word }));
  await using wire = await wireClient(node);
  const ask = (): Promise<string> => wire.ask("client", "tcp", OUTSIDE.host, 8080);

  await step("firewalld lets it through, whatever zone the client is in", async () => {
    await node.mustVirsh(["start", "web-1"], LXC);
    await wire.serve(await containerPid(word), "web-1", "::", [80]);
    for (const zone of ["public", "drop"]) {
      await node.sh(["firewall-cmd", "-q", `--zone=${zone}`, "--change-interface=up0"]);
      assertEquals([zone, await ask()], [zone, SEEN]);
    }
  });
  await step("after a reload of firewalld a reload of libvirtd brings it back", async () => {
    await node.sh(["firewall-cmd", "-q", "--reload"]);
    await node.reload();
    await until("the forward", async () => await ask() === SEEN);
  });
  await step("a policy that drops is no hindrance", async () => {
    await node.sh(["/usr/sbin/iptables", "-P", "FORWARD", "DROP"]);
    await node.reload();
    await until("the forward", async () => await ask() === SEEN);
    assertStringIncludes(
      await node.sh(["/usr/sbin/iptables", "-S", "FORWARD"]),
      "-P FORWARD DROP\n-A FORWARD -m mark --mark 0x10000000/0x10000000 -m comment --comment virt-hooks -j ACCEPT\n",
    );
  });
}, { systems: WITH_FIREWALLD });
