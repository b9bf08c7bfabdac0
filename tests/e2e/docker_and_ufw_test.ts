/**
 * Forwards and an open network beside real Docker and ufw, with real packets: whatever each does to the packet filter when it starts, and
 * what status says of it.
 * @module
 */
import { assertEquals, assertStringIncludes } from "../support/assert.ts";
import { DEFAULT_NETWORK, define } from "./guests.ts";
import type { Node } from "./node.ts";
import { reachableDomain } from "./reachable.ts";
import { COMMAND, type Scene, sceneOnSystems } from "./scene.ts";
import type { System } from "./systems.ts";
import { until } from "./until.ts";
import { type Client, connectClient, containerPid, OUTSIDE } from "./client.ts";

const GUEST = "192.168.122.11";
const IPTABLES = "/usr/sbin/iptables";

const RULES = `
[[rule]]
name = "web"
when = { domain = "web-1" }
forward = { host_port = 8080, guest_port = 80 }

[[rule]]
name = "open"
when = { network = "default" }
while = "network"
open = { ports = 81 }
`;

/** Who asks, and what status and check --host say. */
interface Stage {
  readonly node: Node;
  readonly client: Client;
  asked(): Promise<readonly string[]>;
  isOpen(): Promise<void>;
  /** The exit code of status, and what it says. */
  status(): Promise<{ readonly code: number; readonly stdout: string }>;
}

async function stage(node: Node, client: Client): Promise<Stage> {
  await define(node, "network", DEFAULT_NETWORK);
  await node.mustVirsh(["net-start", "default"]);
  const word = `web-1-${crypto.randomUUID()}`;
  const domain = await reachableDomain(node, "web-1", { mac: "52:54:00:00:00:01", addresses: [`${GUEST}/24`], word });
  await define(node, "lxc", domain);
  await node.lxc(["start", "web-1"]);
  await client.serve(await containerPid(word), "web-1", GUEST, [80, 81]);
  const asked = (): Promise<readonly string[]> =>
    Promise.all([client.ask("client", "tcp", OUTSIDE.host, 8080), client.ask("client", "tcp", GUEST, 81)]);
  const seen = `web-1 sees ${OUTSIDE.client} at`;
  return {
    node,
    client,
    asked,
    isOpen: async () => assertEquals(await asked(), [`${seen} 80`, `${seen} 81`]),
    status: () => node.run([COMMAND, "status"]),
  };
}

/** As dockerd is started by hand; it ends with the node. Without a container nothing but its chains matters. */
async function startDocker(node: Node): Promise<void> {
  await node.sh(["mkdir", "-p", "/run/docker", "/var/log/docker", "/var/lib/libvirt/docker", "/etc/docker"]);
  const options = "--data-root=/var/lib/libvirt/docker --storage-driver=vfs --exec-opt=native.cgroupdriver=cgroupfs";
  const containerd = "containerd --root /var/lib/libvirt/containerd --state /run/containerd";
  await node.sh([
    "sh",
    "-c",
    `[ -S /run/containerd/containerd.sock ] || setsid ${containerd} >/var/log/docker/containerd 2>&1 </dev/null &
    for i in $(seq 100); do [ -S /run/containerd/containerd.sock ] && break; sleep .1; done
    PATH=/usr/sbin:/usr/bin:/sbin:/bin setsid dockerd --containerd=/run/containerd/containerd.sock ${options} \
      >>/var/log/docker/dockerd 2>&1 </dev/null & echo $! >/run/docker.own`,
  ]);
  await until(
    "dockerd",
    async () => (await node.run(["sh", "-c", "grep -q 'API listen' /var/log/docker/dockerd"])).code === 0,
  );
}

async function stopDocker(node: Node): Promise<void> {
  await node.sh(["sh", "-c", "kill $(cat /run/docker.own)"]);
  await until("dockerd's end", async () => (await node.run(["sh", "-c", "kill -0 $(cat /run/docker.own)"])).code !== 0);
  await node.sh(["rm", "-f", "/var/log/docker/dockerd"]);
}

function resolved({ nodeWith }: Scene, system: System, name: string): Promise<Node> {
  return nodeWith(`${name}-${system.name}`, { system, hooks: ["daemon", "lxc", "network"], rules: RULES });
}

sceneOnSystems("beside Docker", async (scene, system) => {
  const { step } = scene;
  const node = await resolved(scene, system, "docker");
  await using client = await connectClient(node);
  const { isOpen, status, asked } = await stage(node, client);
  const first = async (): Promise<string> => (await node.sh([IPTABLES, "-S", "FORWARD"])).split("\n")[1] ?? "";

  await step("dockerd puts its chains above ours at its start; nothing is rejected, and nothing is told", async () => {
    await startDocker(node);
    assertStringIncludes(await first(), "DOCKER");
    await isOpen();
    const { code, stdout } = await status();
    assertEquals([code, stdout.includes("drift")], [0, false], stdout);
  });
  await step("reconcile puts ours first again, and it stays good with a policy that drops", async () => {
    assertEquals((await node.run([COMMAND, "reconcile"])).code, 0);
    assertStringIncludes(await first(), "--comment virt-hooks -j ACCEPT");
    await node.sh([IPTABLES, "-P", "FORWARD", "DROP"]);
    await isOpen();
    assertEquals((await status()).code, 0);
  });
  await step("after a restart of dockerd too", async () => {
    await stopDocker(node);
    await startDocker(node);
    assertStringIncludes(await first(), "DOCKER");
    await isOpen();
    assertEquals((await status()).code, 0);
  });
  await step("an administrator's DROP in DOCKER-USER above ours is told by its chain, until reconcile", async () => {
    await node.sh([IPTABLES, "-I", "DOCKER-USER", "-i", "up0", "-j", "DROP"]);
    assertEquals(await asked(), ["silence", "silence"]);
    const { code, stdout } = await status();
    assertEquals([
      code,
      stdout.replace(/\s+/g, " ").includes("outranked by FORWARD of iptables (its chain DOCKER-USER)"),
    ], [
      1,
      true,
    ], stdout);
    assertStringIncludes(
      (await node.run([COMMAND, "check", "--host"])).stdout,
      "FORWARD of iptables (its chain DOCKER-USER) may reject what virt-hooks lets in",
    );
    assertEquals((await node.run([COMMAND, "reconcile"])).code, 0);
    await isOpen();
    assertEquals((await status()).code, 0);
  });
  await step("no call failed", async () => {
    const bad = (await node.history()).filter(({ exitCode }) => exitCode !== 0);
    assertEquals(bad.map(({ message }) => message), []);
  });
});

sceneOnSystems("beside ufw", async (scene, system) => {
  const { step } = scene;
  const node = await resolved(scene, system, "ufw");
  await using client = await connectClient(node);
  const { isOpen, status } = await stage(node, client);
  const ufw = (...args: readonly string[]): Promise<string> => node.sh(["ufw", ...args]);
  // Where the kernel has no such modules, ufw need not load them.
  await node.sh(["sh", "-c", "sed -i 's/^IPT_MODULES=.*/IPT_MODULES=\"\"/' /etc/default/ufw"]);
  const isNew = (await node.run(["nft", "list", "chain", "ip", "filter", "FORWARD"])).code !== 0;

  await step("ufw is enabled while the guest runs: what it closes status tells, and reconcile opens", async () => {
    await ufw("--force", "enable");
    const { code, stdout } = await status();
    // Where iptables had a chain before, ours is in it already.
    assertEquals([code, stdout.includes("outranked")], isNew ? [1, true] : [0, false], stdout);
    assertEquals((await node.run([COMMAND, "reconcile"])).code, 0);
    await isOpen();
    assertEquals((await status()).code, 0);
  });
  await step("it is reloaded, disabled and enabled again: nothing is lost", async () => {
    await ufw("reload");
    await isOpen();
    await ufw("disable");
    await isOpen();
    await ufw("--force", "enable");
    await isOpen();
    assertEquals((await status()).code, 0);
  });
  await step(
    "what of the guests' requests for an address it drops is told, with the rule that lets them in",
    async () => {
      const cure = "ufw allow in on virbr0";
      const told = async (): Promise<boolean> => (await node.run([COMMAND, "check", "--host"])).stdout.includes(cure);
      // libvirt's own rules of iptables come first, and let them in.
      assertEquals(await told(), system.firewall === "nftables");
      await ufw(...cure.split(" ").slice(1));
      assertEquals(await told(), false);
    },
  );
  await step("no call failed", async () => {
    const bad = (await node.history()).filter(({ exitCode }) => exitCode !== 0);
    assertEquals(bad.map(({ message }) => message), []);
  });
});

sceneOnSystems("an emptied packet filter and a restart of libvirtd, without a guest", async (scene, system) => {
  const { step } = scene;
  const node = await resolved(scene, system, "emptied");
  await define(node, "network", DEFAULT_NETWORK);
  await node.mustVirsh(["net-start", "default"]);
  await step("while libvirt's own rules are away status and check --host say so", async () => {
    await node.sh(["nft", "flush", "ruleset"]);
    assertEquals((await node.run([COMMAND, "reconcile"])).code, 0);
    const missing = `libvirt's own rules for network "default" (bridge virbr0) are missing`;
    const { code, stdout } = await node.run([COMMAND, "status"]);
    assertEquals([code, stdout.replace(/\s+/g, " ").includes(missing)], [1, true], stdout);
    assertStringIncludes((await node.run([COMMAND, "check", "--host"])).stdout, missing);
  });
  await step("once libvirtd has written them, ours is before them, though no call comes after", async () => {
    await node.sh(["nft", "flush", "ruleset"]);
    await node.killLibvirtd();
    await node.startLibvirtd();
    await until("all to be well", async () => (await node.run([COMMAND, "status"])).code === 0);
  });
});
