/**
 * A guest that calls its own forwarded port by the host's address, with and without bridged packets going through iptables.
 * @module
 */
import { assertEquals } from "../support/assert.ts";
import { define, DUAL_STACK_NETWORK } from "./guests.ts";
import { hairpinsOf } from "./packet_filter.ts";
import { reachableDomain } from "./reachable.ts";
import { COMMAND, sceneOnSystems } from "./scene.ts";
import { connectClient, containerPid, OUTSIDE } from "./client.ts";

function rules(hairpin: boolean): string {
  const more = `host_port = 8080, guest_port = 80, protocol = "both", hairpin = ${hairpin}`;
  return `[[rule]]\nname = "web"\nwhen = { domain = "web-1" }\nforward = [{ ${more} }, { ${more}, to = "fd00:122::11" }]\n`;
}

sceneOnSystems("a guest that calls itself by the host's address", async ({ nodeWith, step }, system) => {
  const node = await nodeWith(`hairpin-${system.name}`, {
    system,
    hooks: ["daemon", "lxc", "network"],
    rules: rules(false),
    network: DUAL_STACK_NETWORK,
  });
  await using client = await connectClient(node);
  const word = `web-1-${crypto.randomUUID()}`;
  const addresses = ["192.168.122.11/24", "fd00:122::11/64"];
  await define(node, "lxc", await reachableDomain(node, "web-1", { mac: "52:54:00:00:00:01", addresses, word }));
  await node.lxc(["start", "web-1"]);
  const guest = await containerPid(word);
  for (const at of ["192.168.122.11", "fd00:122::11"]) await client.serve(guest, "web-1", at, [80]);

  const itself = (): Promise<readonly string[]> =>
    Promise.all([OUTSIDE.host, OUTSIDE.host6].flatMap((host) => [
      client.ask(guest, "tcp", host, 8080),
      client.ask(guest, "udp", host, 8080),
    ]));
  const REACHED = ["192.168.122.1", "192.168.122.1", "fd00:122::1", "fd00:122::1"].map((who) =>
    `web-1 sees ${who} at 80`
  );
  const modes = async (): Promise<readonly string[]> =>
    (await hairpinsOf(node)).map((line) => line.replace(/^.*=/, ""));

  const hasBridgeFilter = (await node.run(["ls", "/proc/sys/net/bridge/bridge-nf-call-iptables"])).code === 0;
  const bridgeFilter = async (value: "0" | "1"): Promise<void> => {
    for (const tool of ["iptables", "ip6tables"]) {
      await node.sh(["sh", "-c", `echo ${value} >/proc/sys/net/bridge/bridge-nf-call-${tool}`]);
    }
  };
  if (!hasBridgeFilter) {
    Deno.stderr.writeSync(
      new TextEncoder().encode("This kernel has no br_netfilter: a part of the scene is left out\n"),
    );
  }

  await step("reaches itself where bridged packets go their own way", async () => {
    if (hasBridgeFilter) await bridgeFilter("0");
    assertEquals(await itself(), REACHED);
    assertEquals(await modes(), ["0"]);
  });
  if (hasBridgeFilter) {
    await step("waits in vain where they go through iptables", async () => {
      await bridgeFilter("1");
      assertEquals((await itself()).slice(0, 2), ["silence", "silence"]);
    });
  }
  await step("reaches itself with hairpin = true, given to it while it runs", async () => {
    await node.writeRules(rules(true));
    assertEquals((await node.run([COMMAND, "reconcile", "--rules"])).code, 0);
    assertEquals(await modes(), ["1"]);
    assertEquals(await itself(), REACHED);
  });
  await step("still, after a restart of libvirtd, and when somebody had put it back", async () => {
    await node.sh(["sh", "-c", "echo 0 | tee /sys/class/net/virbr0/brif/*/hairpin_mode"]);
    await node.stopLibvirtd();
    await node.startLibvirtd();
    assertEquals(await modes(), ["1"]);
    assertEquals(await itself(), REACHED);
  });
  await step("the port is as it was when the rule is gone", async () => {
    await node.writeRules(rules(false));
    assertEquals((await node.run([COMMAND, "reconcile", "--rules"])).code, 0);
    assertEquals(await modes(), ["0"]);
  });
  await step("begun with it, and ended", async () => {
    await node.writeRules(rules(true));
    await node.lxc(["destroy", "web-1"]);
    await node.lxc(["start", "web-1"]);
    assertEquals(await modes(), ["1"]);
    await node.lxc(["destroy", "web-1"]);
    assertEquals((await node.run(["find", "/run/virt-hooks/ledger", "-name", "*.json"])).stdout, "");
  });
  await step("no call failed", async () => {
    const bad = (await node.history()).filter(({ exitCode }) => exitCode !== 0);
    assertEquals(bad.map(({ message }) => message), []);
  });
});
