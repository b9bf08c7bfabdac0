/**
 * Everything that rewrites the packet filter under a guest's forwards: each time they are there again, or there when somebody
 * next is called, as the documentation says; and in the end the host is what it was.
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { define, DUAL_STACK_NETWORK } from "./guests.ts";
import type { Node } from "./node.ts";
import { filterOf, gatesOf, networkOf } from "./packet_filter.ts";
import { reachableDomain } from "./reachable.ts";
import { COMMAND, sceneOnSystems } from "./scene.ts";
import { until } from "./until.ts";
import { type Client, connectClient, containerPid, OUTSIDE } from "./client.ts";

const RULES = `
[[rule]]
name = "web"
when = { domain = "web-1" }
forward = [
  { host_port = 8080, guest_port = 80, protocol = "both" },
  { host_port = 8080, guest_port = 80, protocol = "both", to = "fd00:122::11" },
]
`;

/** What a client outside gets by each protocol and family. */
function asked(client: Client): Promise<readonly string[]> {
  return Promise.all([OUTSIDE.host, OUTSIDE.host6].flatMap((host) => [
    client.ask("client", "tcp", host, 8080),
    client.ask("client", "udp", host, 8080),
  ]));
}

const ALL = [OUTSIDE.client, OUTSIDE.client6].flatMap((who) => [`web-1 sees ${who} at 80`, `web-1 sees ${who} at 80`]);

async function called(node: Node, operation: string, disturb: () => Promise<unknown>): Promise<void> {
  const before = (await node.history()).length;
  await disturb();
  await node.operation(operation, { after: before });
}

/** After a daemon's start a process of ours looks again for a while, and would mend what is to be seen. */
async function endWaiters(node: Node): Promise<void> {
  const isOne = 'tr "\\0" " " <$p/cmdline | grep -q "[-]-wait-for-firewall"';
  await node.sh([
    "sh",
    "-c",
    `for p in /proc/[0-9]*; do if ${isOne}; then kill "\${p#/proc/}"; fi; done 2>/dev/null; :`,
  ]);
}

async function restart(node: Node, end: "stopLibvirtd" | "killLibvirtd" = "stopLibvirtd"): Promise<void> {
  await called(node, "reconnect", async () => {
    await node[end]();
    await node.startLibvirtd();
  });
}

async function virtHooks(
  node: Node,
  ...args: readonly string[]
): Promise<{ readonly code: number; readonly text: string }> {
  const { code, stdout, stderr } = await node.run([COMMAND, ...args]);
  return { code, text: stdout + stderr };
}

sceneOnSystems("forwards through all that happens to a packet filter", async ({ nodeWith, step }, system) => {
  const node = await nodeWith(`events-${system.name}`, {
    system,
    hooks: ["daemon", "lxc", "network"],
    network: DUAL_STACK_NETWORK,
  });
  await using client = await connectClient(node);
  const word = `web-1-${crypto.randomUUID()}`;
  const guest = { mac: "52:54:00:00:00:01", addresses: ["192.168.122.11/24", "fd00:122::11/64"], word };
  await define(node, "lxc", await reachableDomain(node, "web-1", guest));
  const start = async (): Promise<void> => {
    await node.lxc(["start", "web-1"]);
    // At the very addresses: the network announces itself to the guest, which may take another one to answer from.
    for (const at of ["192.168.122.11", "fd00:122::11"]) {
      await client.serve(await containerPid(word), "web-1", at, [80]);
    }
  };
  const stop = async (): Promise<void> => {
    await called(node, "release", () => node.lxc(["destroy", "web-1"]));
  };
  const look = async (): Promise<readonly [unknown, unknown]> => [await filterOf(node), await networkOf(node)];
  // A first life without rules: what the kernel does once a bridge has had a port is not ours.
  await start();
  await until(
    "IPv6",
    async () => await client.ask("host", "tcp", "fd00:122::11", 80) === "web-1 sees fd00:122::1 at 80",
  );
  await node.lxc(["destroy", "web-1"]);
  await until(
    "the bridge without a port",
    async () => (await node.sh(["ip", "link", "show", "virbr0"])).includes("DOWN"),
  );
  await node.writeRules(RULES);
  const before = await look();

  async function stillThere(): Promise<void> {
    // A guest's kernel looks first whether its IPv6 address is free.
    await until("all ways", async () => JSON.stringify(await asked(client)) === JSON.stringify(ALL), 8_000).catch(
      () => {},
    );
    assertEquals(await asked(client), ALL);
    const gates = await gatesOf(node);
    assert(gates.every((rule) => rule.includes("virt-hooks")), gates.join("\n"));
  }

  await step("they come and go with the guest, and leave nothing behind", async () => {
    await start();
    await stillThere();
    await stop();
    await until(
      "a bridge without a port",
      async () => (await node.sh(["ip", "link", "show", "virbr0"])).includes("DOWN"),
    );
    assertEquals(await look(), before);
    await start();
  });
  await step("after an update of the network", async () => {
    const host = "<host mac='52:54:00:00:00:77' ip='192.168.122.77'/>";
    await called(
      node,
      "updated",
      () => node.mustVirsh(["net-update", "default", "add", "ip-dhcp-host", host, "--live"]),
    );
    await stillThere();
    await node.mustVirsh(["net-update", "default", "delete", "ip-dhcp-host", host, "--live"]);
  });
  await step("after a reload", async () => {
    await called(node, "reload", () => node.reload());
    await stillThere();
  });
  await step("after a restart of libvirtd", async () => {
    await restart(node);
    await stillThere();
  });
  await step("after libvirtd was killed", async () => {
    await restart(node, "killLibvirtd");
    await stillThere();
  });
  await step(
    "after a restart of the network, once libvirt has given the guest its place on the bridge again",
    async () => {
      await node.mustVirsh(["net-destroy", "default"]);
      await called(node, "started", () => node.mustVirsh(["net-start", "default"]));
      await restart(node);
      await stillThere();
    },
  );
  await step("a flushed packet filter: down, told by status, mended by reconcile", async () => {
    await endWaiters(node);
    await node.sh(["nft", "flush", "ruleset"]);
    assertEquals(await asked(client), ["refused", "silence", "refused", "silence"]);
    const status = await virtHooks(node, "status");
    assertEquals(status.code, 1);
    assertStringIncludes(status.text, "drift");
    assertEquals((await virtHooks(node, "reconcile")).code, 0);
    const after = await virtHooks(node, "status");
    // Ours are there, libvirt's own are not.
    assertEquals([after.code, after.text.includes("libvirt's own rules for network")], [1, true], after.text);
    await stillThere();
  });
  await step("a flushed packet filter: mended by a reload, and by a restart libvirt's own part too", async () => {
    await node.sh(["nft", "flush", "ruleset"]);
    await called(node, "reload", () => node.reload());
    await stillThere();
    await restart(node);
    await stillThere();
    assert((await gatesOf(node)).length > 0, "No rules of libvirt");
  });
  await step("with the guest they go", async () => {
    await stop();
    assertEquals(await asked(client), ["refused", "silence", "refused", "silence"]);
  });
  await step("when libvirt has made its own part anew, nothing shows that we were there", async () => {
    await node.mustVirsh(["net-destroy", "default"]);
    await node.mustVirsh(["net-start", "default"]);
    assertEquals(await filterOf(node), before[0]);
    assertEquals((await node.run(["find", "/run/virt-hooks/ledger", "-name", "*.json"])).stdout, "");
  });
  await step("no call failed", async () => {
    const bad = (await node.history()).filter(({ exitCode }) => exitCode !== 0);
    assertEquals(bad.map(({ message }) => message), []);
  });
});
