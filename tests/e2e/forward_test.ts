/**
 * Ports of the host that lead to a guest: real packets from outside, through what libvirt's own firewall rejects, and nothing
 * left behind.
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { define, DUAL_STACK_NETWORK } from "./guests.ts";
import { LXC, type Node } from "./node.ts";
import { filterOf, gatesOf } from "./packet_filter.ts";
import { reachableDomain } from "./reachable.ts";
import { HOOKS, sceneOnSystems } from "./scene.ts";
import { until } from "./until.ts";
import { connectClient, containerPid, OUTSIDE } from "./client.ts";

const RULES = `
[[rule]]
name = "web"
when = { domain = "web-*" }
forward = [
  { host_port = 8080, guest_port = 80 },
  { host_port = "6000-6003", guest_port = 5000, protocol = "both" },
  { host_port = 8081, guest_port = 80, from = "198.51.100.0/24" },
  { host_port = 8082, guest_port = 80, host_address = "${OUTSIDE.otherHost}" },
  { host_port = 8080, guest_port = 80, to = "fd00:122::11" },
]
`;

const GUEST = { mac: "52:54:00:00:00:01", addresses: ["192.168.122.11/24", "fd00:122::11/64"] };

async function reload(node: Node): Promise<void> {
  const before = (await node.history()).length;
  await node.reload();
  await node.operation("reload", { after: before });
}

sceneOnSystems("a guest's forwards", async ({ nodeWith, step }, system) => {
  const node = await nodeWith(`forward-${system.name}`, {
    system,
    hooks: ["daemon", "lxc", "network"],
    rules: RULES,
    network: DUAL_STACK_NETWORK,
  });
  const word = `web-1-${crypto.randomUUID()}`;
  await define(node, "lxc", await reachableDomain(node, "web-1", { ...GUEST, word }));
  await using client = await connectClient(node);
  await client.serve("host", "host", "127.0.0.1", [8080]);
  const before = await filterOf(node);

  async function reaches(port: number, kind: "tcp" | "udp" = "tcp", at: string = OUTSIDE.host): Promise<string> {
    return await client.ask("client", kind, at, port);
  }

  await step("from outside, tcp and udp, each where it shall go; the guest sees who asks", async () => {
    await node.lxc(["start", "web-1"]);
    const guest = await containerPid(word);
    await client.serve(guest, "web-1", "::", [80, 5000, 5003]);
    const seen = `web-1 sees ${OUTSIDE.client}`;
    assertEquals(await reaches(8080), `${seen} at 80`);
    assertEquals(await reaches(6000), `${seen} at 5000`);
    assertEquals(await reaches(6003, "udp"), `${seen} at 5003`);
    assertEquals(await reaches(8082, "tcp", OUTSIDE.otherHost), `${seen} at 80`);
    // The guest's kernel first makes sure that nobody else has its address.
    await until(
      "IPv6",
      async () => await reaches(8080, "tcp", OUTSIDE.host6) === `web-1 sees ${OUTSIDE.client6} at 80`,
    );
  });
  await step("who is not meant is not let in", async () => {
    assertEquals([await reaches(8081), await reaches(8082), await reaches(80)], ["refused", "refused", "refused"]);
  });
  await step("from the host itself, whose own service on its loopback address stays", async () => {
    assertStringIncludes(await client.ask("host", "tcp", OUTSIDE.host, 8080), "web-1 sees");
    assertEquals(await client.ask("host", "tcp", "127.0.0.1", 8080), "host sees 127.0.0.1 at 8080");
  });
  await step("from another guest by the host's address", async () => {
    const neighbour = {
      mac: "52:54:00:00:00:03",
      addresses: ["192.168.122.13/24"],
      word: `near-${crypto.randomUUID()}`,
    };
    await define(node, "lxc", await reachableDomain(node, "near", neighbour));
    await node.lxc(["start", "near"]);
    const near = await containerPid(neighbour.word);
    assertStringIncludes(await client.ask(near, "tcp", OUTSIDE.host, 8080), "web-1 sees 192.168.122.1 at 80");
    await node.lxc(["destroy", "near"]);
  });

  const disturbances: Readonly<Record<string, () => Promise<unknown>>> = {
    "a restart of libvirtd": async () => {
      await node.stopLibvirtd();
      await node.startLibvirtd();
    },
    "an update of the network": () =>
      node.mustVirsh([
        ...["net-update", "default", "add", "ip-dhcp-host"],
        ...["<host mac='52:54:00:00:00:77' ip='192.168.122.77'/>", "--live"],
      ]),
    "another network": async () => {
      const other = DUAL_STACK_NETWORK.replace("default", "other").replace("virbr0", "virbr9").replaceAll("122", "123");
      await define(node, "network", other);
      await node.mustVirsh(["net-start", "other"]);
    },
    "a reload, when somebody had taken our table and libvirt's rule from its place": async () => {
      await node.sh(["nft", "delete", "table", "inet", "virt_hooks"]);
      await reload(node);
    },
  };
  for (const [what, disturb] of Object.entries(disturbances)) {
    await step(`still, after ${what}`, async () => {
      await disturb();
      assertEquals(await reaches(8080), `web-1 sees ${OUTSIDE.client} at 80`);
      const gates = await gatesOf(node);
      assert(gates.length > 0 && gates.every((rule) => rule.includes("virt-hooks")), gates.join("\n"));
    });
  }
  await step("a reload without need changes nothing", async () => {
    const listing = ["nft", "-a", "-s", "list", "table", "inet", "virt_hooks"];
    const stood = await node.sh(listing);
    await reload(node);
    assertEquals(await node.sh(listing), stood);
  });
  await step("a second guest that wants the same port is refused, and both are named", async () => {
    const second = { mac: "52:54:00:00:00:02", addresses: ["192.168.122.12/24"], word: "none" };
    await define(node, "lxc", await reachableDomain(node, "web-2", second));
    const { code, stderr } = await node.virsh(["start", "web-2"], LXC);
    assertEquals(code, 1);
    assertStringIncludes(stderr, 'guest "web-1" (rule "web") wants tcp port 8080');
    assertStringIncludes(stderr, 'guest "web-2" (rule "web") wants tcp port 8080');
    assertEquals(await reaches(8080), `web-1 sees ${OUTSIDE.client} at 80`);
  });
  await step("with the guest it ends, and nothing of ours is left", async () => {
    await node.lxc(["destroy", "web-1"]);
    await node.operation("release");
    assertEquals(await reaches(8080), "refused");
    await node.mustVirsh(["net-destroy", "other"]);
    assertEquals((await node.run(["find", "/run/virt-hooks/ledger", "-name", "*.json"])).stdout, "");
    const ours = (await filterOf(node)).join("").match(/virt.hooks/g);
    assertEquals(ours, null);
  });
  await step("after a life without disturbance everything is as it was", async () => {
    await node.mustVirsh(["net-destroy", "default"]);
    await node.mustVirsh(["net-start", "default"]);
    const fresh = await filterOf(node);
    await node.lxc(["start", "web-1"]);
    await node.lxc(["destroy", "web-1"]);
    await node.operation("release");
    assertEquals(await filterOf(node), fresh);
    assertEquals(before.length, fresh.length);
  });
  await step("no call failed but the refused one", async () => {
    const bad = (await node.history()).filter(({ exitCode, object }) => exitCode !== 0 && object !== "web-2");
    assertEquals(bad.map(({ message }) => message), []);
  });
});

async function programsOf(node: Node): Promise<string> {
  return await node.sh(["sh", "-c", "cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' '"]);
}

sceneOnSystems("a guest that asks for its address", async ({ startNode, step }, system) => {
  const node = await startNode(`lease-${system.name}`, system);
  await node.installHooks(HOOKS, ["daemon", "lxc", "network"]);
  await node.writeRules(
    `[[rule]]\nname = "web"\nwhen = { domain = "web-*" }\nforward = { host_port = 8080, guest_port = 80 }\n`,
  );
  await node.startLibvirtd();
  await define(node, "network", DUAL_STACK_NETWORK);
  await node.mustVirsh(["net-start", "default"]);
  const word = `web-1-${crypto.randomUUID()}`;
  await define(node, "lxc", await reachableDomain(node, "web-1", { mac: GUEST.mac, addresses: [], word }));
  await using client = await connectClient(node);
  const before = await filterOf(node);

  await step("its ports are there once it has one", async () => {
    await node.lxc(["start", "web-1"]);
    assertStringIncludes(await programsOf(node), "--wait-for-guests");
    await client.serve(await containerPid(word), "web-1", "::", [80]);
    await until("the forward", async () => await client.ask("client", "tcp", OUTSIDE.host, 8080) !== "refused");
    assertEquals(await client.ask("client", "tcp", OUTSIDE.host, 8080), `web-1 sees ${OUTSIDE.client} at 80`);
  });
  await step("with the guest ends the process that looks for its address", async () => {
    assertEquals((await node.history()).filter(({ operation }) => operation === "waited").length, 1);
    await node.lxc(["destroy", "web-1"]);
    await until("the waiter's end", async () => !(await programsOf(node)).includes("--wait-for-guests"));
  });
  await step("with a reservation it need not wait", async () => {
    await node.operation("release");
    assertEquals(await filterOf(node), before);
    const host = `<host mac='${GUEST.mac}' ip='192.168.122.50'/>`;
    await node.mustVirsh(["net-update", "default", "add", "ip-dhcp-host", host, "--live"]);
    await node.lxc(["start", "web-1"]);
    assertStringIncludes(await node.sh(["nft", "list", "table", "inet", "virt_hooks"]), "192.168.122.50");
    assertEquals((await programsOf(node)).includes("--wait-for-guests"), false);
    await node.lxc(["destroy", "web-1"]);
  });
  await step("a guest that stops before is not waited for", async () => {
    const late = { mac: "52:54:00:00:00:05", addresses: [], word: `late-${crypto.randomUUID()}` };
    const domain = (await reachableDomain(node, "web-late", late)).replace(
      "udhcpc -i eth0",
      "sleep 10000; udhcpc -i eth0",
    );
    await define(node, "lxc", domain);
    await node.lxc(["start", "web-late"]);
    assertStringIncludes(await programsOf(node), "--wait-for-guests");
    await node.lxc(["destroy", "web-late"]);
    await until("the waiter's end", async () => !(await programsOf(node)).includes("--wait-for-guests"));
  });
  await step("no call failed", async () => {
    const bad = (await node.history()).filter(({ exitCode }) => exitCode !== 0);
    assertEquals(bad.map(({ message }) => message), []);
  });
});
