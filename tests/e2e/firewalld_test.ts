/**
 * A guest's forwards beside firewalld and beside a policy that drops, with real packets: nothing has to be done about them, whatever
 * zone the client is in; what a reload takes away is there again when somebody is next called.
 * @module
 */
import { assertEquals, assertStringIncludes } from "../support/assert.ts";
import { define, DUAL_STACK_NETWORK } from "./guests.ts";
import type { Node } from "./node.ts";
import { reachableDomain } from "./reachable.ts";
import { COMMAND, HOOKS, sceneOnSystems } from "./scene.ts";
import { SYSTEMS } from "./systems.ts";
import { until } from "./until.ts";
import { connectClient, containerPid, OUTSIDE } from "./client.ts";

const RULES = `
[[rule]]
name = "web"
when = { domain = "web-1" }
forward = [
  { host_port = 8080, guest_port = 80, protocol = "both" },
  { host_port = 8080, guest_port = 80, protocol = "both", to = "fd00:122::11" },
]
`;

const ALL = [OUTSIDE.client, OUTSIDE.client6].flatMap((who) => [`web-1 sees ${who} at 80`, `web-1 sees ${who} at 80`]);

/** Starts firewalld, and the bus that it needs; they end with the node. */
async function startFirewalld(node: Node): Promise<void> {
  await node.sh(["mkdir", "-p", "/run/dbus"]);
  await node.sh(["sh", "-c", "[ -e /run/dbus/system_bus_socket ] || dbus-daemon --system --fork --nopidfile"]);
  const start =
    "setsid firewalld --nofork --nopid >/var/log/firewalld.out 2>&1 </dev/null & echo $! >/run/firewalld.own";
  await node.sh(["sh", "-c", start]);
  await until("firewalld", async () => (await node.run(["firewall-cmd", "--state"])).code === 0);
}

/** firewalld first, then libvirt with its network. */
async function startNetwork(node: Node, rules: string): Promise<void> {
  await node.installHooks(HOOKS, ["daemon", "lxc", "network"]);
  await node.writeRules(rules);
  await startFirewalld(node);
  await node.startLibvirtd();
  await define(node, "network", DUAL_STACK_NETWORK);
  await node.mustVirsh(["net-start", "default"]);
}

async function endFirewalld(node: Node): Promise<void> {
  await node.sh(["sh", "-c", "kill $(cat /run/firewalld.own)"]);
  await until("firewalld's end", async () => (await node.run(["firewall-cmd", "--state"])).code !== 0);
}

async function restart(node: Node): Promise<void> {
  const before = (await node.history()).length;
  // Asked to end, it waits 30 s for its connection to the bus.
  await node.killLibvirtd();
  await node.startLibvirtd();
  await node.operation("reconnect", { after: before });
}

sceneOnSystems("forwards beside firewalld", async ({ startNode, step }, system) => {
  const node = await startNode(`firewalld-${system.name}`, system);
  await startNetwork(node, RULES);
  await using client = await connectClient(node);
  const word = `web-1-${crypto.randomUUID()}`;
  const addresses = ["192.168.122.11/24", "fd00:122::11/64"];
  await define(node, "lxc", await reachableDomain(node, "web-1", { mac: "52:54:00:00:00:01", addresses, word }));
  await node.lxc(["start", "web-1"]);
  for (const at of ["192.168.122.11", "fd00:122::11"]) await client.serve(await containerPid(word), "web-1", at, [80]);
  await client.serve("host", "host", "0.0.0.0", [9999]);

  const asked = (): Promise<readonly string[]> =>
    Promise.all([OUTSIDE.host, OUTSIDE.host6].flatMap((host) => [
      client.ask("client", "tcp", host, 8080),
      client.ask("client", "udp", host, 8080),
    ]));
  const fromOutside = async (): Promise<void> => assertEquals(await asked(), ALL);

  await step("beside a firewalld that keeps the host's own services closed", async () => {
    await fromOutside();
    // The kernel limits how many rejects it sends in a second.
    await until("the reject", async () => await client.ask("client", "tcp", OUTSIDE.host, 9999) === "refused");
  });
  for (const zone of ["public", "drop", "block"]) {
    await step(`with the client in zone ${zone}`, async () => {
      await node.sh(["firewall-cmd", `--zone=${zone}`, "--change-interface=up0"]);
      await fromOutside();
    });
  }
  await node.sh(["firewall-cmd", "--zone=public", "--change-interface=up0"]);
  await step("after firewall-cmd --reload", async () => {
    await node.sh(["firewall-cmd", "--reload"]);
    await fromOutside();
  });
  await step(
    "with a direct rule a reload empties iptables: down where that is libvirt's, until reconcile",
    async () => {
      const rule = ["ipv4", "filter", "FORWARD", "0", "-s", "198.51.100.9", "-j", "ACCEPT"];
      await node.sh(["firewall-cmd", "--permanent", "--direct", "--add-rule", ...rule]);
      await node.sh(["firewall-cmd", "--reload"]);
      // libvirt is told, and writes its own anew; nobody calls a hook.
      const isIptables = system.firewall === "iptables";
      if (isIptables) {
        await until("libvirt's rules", async () => {
          const rules = await Promise.all(["iptables", "ip6tables"].map((tool) => node.sh([tool, "-S", "FORWARD"])));
          return rules.every((text) => text.includes("LIBVIRT_FWI"));
        });
        await until("the reject", async () => await client.ask("client", "tcp", OUTSIDE.host, 8080) === "refused");
      }
      const status = await node.run([COMMAND, "status"]);
      assertEquals([status.code, status.stdout.includes("drift")], isIptables ? [1, true] : [0, false]);
      assertEquals((await node.run([COMMAND, "reconcile"])).code, 0);
      await fromOutside();
    },
  );
  await step("after firewall-cmd --complete-reload and a restart of libvirtd", async () => {
    await node.sh(["firewall-cmd", "--complete-reload"]);
    await restart(node);
    await fromOutside();
  });
  await step("after firewalld's end", async () => {
    await endFirewalld(node);
    await fromOutside();
    await restart(node);
    await fromOutside();
  });
  await step("beside a policy that drops, as Docker and ufw set it", async () => {
    for (const tool of ["iptables", "ip6tables"]) await node.sh([`/usr/sbin/${tool}`, "-P", "FORWARD", "DROP"]);
    await node.reload();
    const first =
      /^-P FORWARD DROP\n-A FORWARD -m mark --mark 0x10000000\/0x10000000 -m comment --comment virt-hooks -j ACCEPT/;
    for (const tool of ["iptables", "ip6tables"]) {
      await until(tool, async () => first.test(await node.sh([`/usr/sbin/${tool}`, "-S", "FORWARD"])));
    }
    await fromOutside();
  });
  await step("with the guest they go", async () => {
    await node.lxc(["destroy", "web-1"]);
    await node.operation("release");
    assertEquals((await asked()).filter((answer) => answer.includes("web-1")), []);
    assertEquals((await node.run(["find", "/run/virt-hooks/ledger", "-name", "*.json"])).stdout, "");
    assertEquals((await node.sh(["nft", "list", "ruleset"])).match(/virt.hooks/g), null);
  });
  await step("no call failed", async () => {
    const bad = (await node.history()).filter(({ exitCode }) => exitCode !== 0);
    assertEquals(bad.map(({ message }) => message), []);
  });
}, { systems: SYSTEMS.filter(({ isDebian13 }) => isDebian13) });

const OPEN = `
[[rule]]
name = "the network can be reached"
when = { network = "default" }
while = "network"
open = { ports = 80, from = ["203.0.113.0/24", "2001:db8:1::/64"] }
`;

sceneOnSystems("a network that is open beside firewalld", async ({ startNode, step }, system) => {
  const node = await startNode(`firewalld-open-${system.name}`, system);
  await startNetwork(node, OPEN);
  await using client = await connectClient(node);
  const word = `web-1-${crypto.randomUUID()}`;
  const [ipv4, ipv6] = ["192.168.122.11", "fd00:122::11"] as const;
  const addresses = [`${ipv4}/24`, `${ipv6}/64`];
  await define(node, "lxc", await reachableDomain(node, "web-1", { mac: "52:54:00:00:00:01", addresses, word }));
  await node.lxc(["start", "web-1"]);
  for (const at of [ipv4, ipv6]) await client.serve(await containerPid(word), "web-1", at, [80, 81]);

  const asked = (): Promise<readonly string[]> =>
    Promise.all([ipv4, ipv6].flatMap((at) => [80, 81].map((port) => client.ask("client", "tcp", at, port))));
  const isOpen = async (): Promise<void> =>
    assertEquals((await asked()).map((answer) => answer.startsWith("web-1 sees")), [true, false, true, false]);
  const told = async (): Promise<readonly [number, boolean]> => {
    const { code, stdout } = await node.run([COMMAND, "status"]);
    return [code, stdout.includes("drift")];
  };

  await step("firewalld keeps its table for itself: status and check --host say so, and what helps", async () => {
    assertEquals(await client.ask("client", "tcp", ipv4, 80), "refused");
    const cure = "set NftablesTableOwner=no in /etc/firewalld/firewalld.conf, and restart firewalld";
    const { code, stdout } = await node.run([COMMAND, "status"]);
    assertEquals([code, stdout.replace(/\s+/g, " ").includes(cure)], [1, true], stdout);
    assertStringIncludes((await node.run([COMMAND, "check", "--host"])).stdout, cure);
    await node.sh(["sed", "-i", "s/^NftablesTableOwner=.*/NftablesTableOwner=no/", "/etc/firewalld/firewalld.conf"]);
    await endFirewalld(node);
    await startFirewalld(node);
    assertEquals((await node.run([COMMAND, "reconcile"])).code, 0);
  });
  for (const bridge of ["libvirt", "libvirt-routed"]) {
    for (const zone of ["public", "trusted", "internal", "drop"]) {
      await step(`with the bridge in zone ${bridge} and the client in zone ${zone}`, async () => {
        await node.sh(["firewall-cmd", `--zone=${bridge}`, "--change-interface=virbr0"]);
        await node.sh(["firewall-cmd", `--zone=${zone}`, "--change-interface=up0"]);
        // In a zone that trusts, firewalld lets in what no rule of ours opens.
        const named = (await asked()).filter((_, index) => index % 2 === 0);
        assertEquals(named, [`web-1 sees ${OUTSIDE.client} at 80`, `web-1 sees ${OUTSIDE.client6} at 80`]);
        assertEquals(await told(), [0, false]);
      });
    }
  }
  await node.sh(["firewall-cmd", "--zone=libvirt", "--change-interface=virbr0"]);
  await node.sh(["firewall-cmd", "--zone=public", "--change-interface=up0"]);
  await step("only what the rule names", isOpen);
  await step(
    "after firewall-cmd --reload it is closed, status says so, and a reload of libvirtd opens it",
    async () => {
      await node.sh(["firewall-cmd", "--reload"]);
      await until("closed", async () => !(await client.ask("client", "tcp", ipv4, 80)).startsWith("web-1"));
      assertEquals(await told(), [1, true]);
      assertStringIncludes(
        (await node.run([COMMAND, "check", "--host"])).stdout,
        "filter_FORWARD of table inet firewalld",
      );
      const before = (await node.history()).length;
      await node.reload();
      await node.operation("reload", { after: before });
      await isOpen();
      assertEquals(await told(), [0, false]);
    },
  );
  await step("after reconcile too", async () => {
    await node.sh(["firewall-cmd", "--complete-reload"]);
    assertEquals((await node.run([COMMAND, "reconcile"])).code, 0);
    assertStringIncludes(
      await node.sh(["nft", "list", "chain", "inet", "firewalld", "filter_FORWARD"]),
      'accept comment "virt-hooks"',
    );
  });
  await step("with the network nothing of ours is left in firewalld's chain", async () => {
    await node.lxc(["destroy", "web-1"]);
    await node.mustVirsh(["net-destroy", "default"]);
    assertEquals((await node.sh(["nft", "list", "ruleset"])).match(/virt.hooks/g), null);
  });
}, { systems: SYSTEMS.filter(({ isDebian13 }) => isDebian13) });
