/**
 * A guest's address as it really comes and goes: leases of both families and of several DHCP clients, reservations, interfaces on a
 * bridge, addresses that are routed to a guest, and guests that have lost their bridge. Real dnsmasq, real packets.
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { BUSYBOX, DEFAULT_NETWORK, define, qemuDomain } from "./guests.ts";
import type { Node } from "./node.ts";
import { readText } from "./node_handle.ts";
import { reachableDomain } from "./reachable.ts";
import { COMMAND, scene, sceneOnSystems } from "./scene.ts";
import { until } from "./until.ts";
import { connectClient, containerPid, OUTSIDE } from "./client.ts";

const MAC = "52:54:00:00:00:01";
const { host } = OUTSIDE;
const SEEN = `web-1 sees ${OUTSIDE.client} at 80`;

/** Its server gives addresses of both families, and answers for a name. */
const NETWORK = DEFAULT_NETWORK.replace("<forward mode='nat'/>", "<forward mode='nat'><nat ipv6='yes'/></forward>")
  .replace(
    "</network>",
    "<ip family='ipv6' address='fd00:122::1' prefix='64'><dhcp><range start='fd00:122::100' end='fd00:122::1ff'/></dhcp></ip>" +
      "<dns><host ip='192.0.2.99'><hostname>probe.example</hostname></host></dns></network>",
  );

const LEASE_RULES = `
[[rule]]
name = "web"
when = { domain = "web-1" }
forward = [{ host_port = 8080, guest_port = 80 }, { host_port = 53, protocol = "both" }]
`;

/** Runs a command in the network of a process. */
async function inNetwork(pid: number | string, ...argv: readonly string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command("nsenter", {
    args: [`--net=/proc/${pid}/ns/net`, "--", ...argv],
    stdin: "null",
  }).output();
  const text = new TextDecoder().decode(stdout);
  if (!success) throw new Error(`Cannot go on without ${argv.join(" ")}: ${text}${new TextDecoder().decode(stderr)}`);
  return text;
}

async function statusOf(node: Node): Promise<{ readonly code: number; readonly text: string }> {
  const { code, stdout, stderr } = await node.run([COMMAND, "status"]);
  return { code, text: (stdout + stderr).replace(/\s+/g, " ") };
}

/** A container that does not ask for an address by itself. */
async function silentDomain(node: Node, word: string): Promise<string> {
  const domain = await reachableDomain(node, "web-1", { mac: MAC, addresses: [], word });
  return domain.replace(/\/bin\/busybox udhcpc [^;]*/, "true");
}

/** Asks for an address as one DHCP client of the guest; returns it. */
async function ask(guest: number, script: string, ...options: readonly string[]): Promise<string> {
  await inNetwork(guest, "ip", "-4", "addr", "flush", "dev", "eth0");
  const args = ["-i", "eth0", "-s", script, "-q", "-n", "-t", "20", "-T", "1", ...options];
  await inNetwork(guest, BUSYBOX, "udhcpc", ...args);
  const listed = await inNetwork(guest, "ip", "-4", "-o", "addr", "show", "dev", "eth0");
  return /inet ([\d.]+)\//.exec(listed)?.[1] ?? "none";
}

scene("a guest's port follows its address", async ({ nodeWith, step }) => {
  const node = await nodeWith("lease-moves", {
    hooks: ["daemon", "lxc", "network"],
    rules: LEASE_RULES,
    network: NETWORK,
  });
  await using client = await connectClient(node);
  const word = `web-1-${crypto.randomUUID()}`;
  await define(node, "lxc", await silentDomain(node, word));
  await node.lxc(["start", "web-1"]);
  const guest = await containerPid(word);
  const script = `${node.scratch}/web-1/bin/lease`;
  const answers = async (): Promise<string> => await client.ask("client", "tcp", host, 8080);
  await inNetwork(guest, "ip", "link", "set", "eth0", "up");
  await inNetwork(guest, "ip", "link", "set", "lo", "up");
  await client.serve(guest, "web-1", "0.0.0.0", [80, 53]);
  let [first, second] = ["", ""];

  await step("a first lease of IPv6 opens nothing where the network gives IPv4, too", async () => {
    await until("the network's IPv6", async () => {
      const listed = await inNetwork(guest, "ip", "-6", "-o", "addr", "show", "dev", "eth0");
      return !listed.includes("tentative") && listed.includes("fe80");
    });
    const files = [["-lf", "leases6"], ["-pf", "pid6"]].flatMap((
      [flag = "", name],
    ) => [flag, `${node.scratch}/${name}`]);
    // Its script is told of the address, which nothing here needs.
    await inNetwork(guest, "dhclient", "-6", "-1", "-sf", "/bin/true", ...files, "eth0");
    // It goes on in the background, and its file comes later.
    const pid = await until("dhclient's pid", async () => (await readText(`${node.scratch}/pid6`)).trim() || undefined);
    await inNetwork(guest, "kill", pid);
    const leases = node.path("/var/lib/libvirt/dnsmasq/virbr0.status");
    await until("the lease", async () => (await Deno.readTextFile(leases)).includes("fd00:122::1"));
    const { code, text } = await statusOf(node);
    assertEquals([code, / \?:80 pending /.test(text)], [0, true], text);
  });
  await step("with the lease of IPv4 the port opens", async () => {
    first = await ask(guest, script, "-x", "0x3d:00666972737400");
    await until("the forward", async () => await answers() === SEEN);
  });
  await step("another client of the same guest gets another address, and the port follows", async () => {
    second = await ask(guest, script, "-x", "0x3d:007365636f6e64");
    assert(first !== second, `both clients got ${first}`);
    await until("the forward", async () => await answers() === SEEN);
    assertStringIncludes(await node.sh(["nft", "list", "table", "inet", "virt_hooks"]), `dnat ip to ${second}:80`);
  });
  await step("leases that cannot be read close nothing for good", async () => {
    const path = node.path("/var/lib/libvirt/dnsmasq/virbr0.status");
    const leases = await Deno.readTextFile(path);
    await Deno.writeFile(path, new Uint8Array([0x5b, 0xff, 0x5d]));
    await until("status to say so", async () => (await statusOf(node)).text.includes("It is not UTF-8 text"));
    await Deno.writeTextFile(path, leases);
    await until("the forward", async () => await answers() === SEEN);
  });
  await step("a reservation for the running guest does not take its port away", async () => {
    const reserved = `<host mac='${MAC}' ip='192.168.122.50'/>`;
    await node.mustVirsh(["net-update", "default", "add", "ip-dhcp-host", reserved, "--live"]);
    const before = (await node.history()).length;
    await node.reload();
    await node.operation("reload", { after: before });
    assertEquals([await answers(), (await statusOf(node)).code], [SEEN, 0]);
  });
  await step("a forward of port 53 leaves the network's own name server to guests and to the host", async () => {
    assertEquals(await client.ask("client", "udp", host, 53), `web-1 sees ${OUTSIDE.client} at 53`);
    for (const where of [guest, node.pid]) {
      const answer = await inNetwork(where, BUSYBOX, "nslookup", "-type=a", "probe.example", "192.168.122.1");
      assertStringIncludes(answer, "192.0.2.99");
    }
  });
  await step("no call failed", async () => {
    const bad = (await node.history()).filter(({ exitCode }) => exitCode !== 0);
    assertEquals(bad.map(({ message }) => message), []);
  });
});

const PLACE_RULES = `
[[rule]]
name = "web"
when = { domain = "web-1" }
routes = { to = "192.0.2.20", dev = "virbr0" }
forward = [{ host_port = 8080, guest_port = 80 }, { host_port = 8081, guest_port = 80, to = "192.0.2.20" }]

[[rule]]
name = "public addresses"
when = { network = "default" }
while = "network"
open = { to = "192.0.2.16/28", ports = 80 }

[[rule]]
name = "machine"
when = { domain = "vm-1" }
forward = { host_port = 8083, guest_port = 80, to = "192.168.122.60" }

[[rule]]
name = "on a bridge"
when = { domain = "bridged" }
forward = { host_port = 8082, guest_port = 80, network = "default" }
`;

sceneOnSystems("a guest's port where libvirt does not expect the guest", async ({ nodeWith, step }, system) => {
  const node = await nodeWith(`place-${system.name}`, {
    system,
    hooks: ["daemon", "lxc", "network", "qemu"],
    rules: PLACE_RULES,
    network: DEFAULT_NETWORK,
  });
  await using client = await connectClient(node);
  const word = `web-1-${crypto.randomUUID()}`;
  await define(node, "lxc", await reachableDomain(node, "web-1", { mac: MAC, addresses: ["192.168.122.11/24"], word }));
  await node.lxc(["start", "web-1"]);
  const guest = await containerPid(word);
  await inNetwork(guest, "ip", "addr", "add", "192.0.2.20/32", "dev", "lo");
  await client.serve(guest, "web-1", "0.0.0.0", [80, 81]);

  await step("an address that is routed to the guest is open where the rule says so", async () => {
    assertEquals(await client.ask("client", "tcp", "192.0.2.20", 80), SEEN);
    assertEquals(await client.ask("client", "tcp", "192.0.2.20", 81), "refused");
    assertEquals(await client.ask("client", "tcp", "192.168.122.11", 80), "refused");
  });
  await step("and can be forwarded to", async () => {
    assertEquals(await client.ask("client", "tcp", host, 8081), SEEN);
  });
  await step("an interface on the bridge of a network is one of that network", async () => {
    const near = `bridged-${crypto.randomUUID()}`;
    const domain = await reachableDomain(node, "bridged", { mac: "52:54:00:00:00:02", addresses: [], word: near });
    const onBridge = domain.replace(
      "<interface type='network'><source network='default'/>",
      "<interface type='bridge'><source bridge='virbr0'/>",
    );
    await define(node, "lxc", onBridge);
    await node.lxc(["start", "bridged"]);
    await client.serve(await containerPid(near), "bridged", "0.0.0.0", [80]);
    await until(
      "the forward",
      async () => await client.ask("client", "tcp", host, 8082) === `bridged sees ${OUTSIDE.client} at 80`,
    );
    await node.lxc(["destroy", "bridged"]);
  });
  await define(node, "qemu", qemuDomain("vm-1", { network: "default" }));
  await node.mustVirsh(["start", "vm-1"]);
  await step(
    "status tells when a restart of the network has taken the guest from its bridge, and what helps",
    async () => {
      assertEquals((await statusOf(node)).code, 0);
      await node.mustVirsh(["net-destroy", "default"]);
      await node.mustVirsh(["net-start", "default"]);
      const { code, text } = await statusOf(node);
      assertEquals(code, 1);
      assertStringIncludes(text, "guest web-1 is not on bridge virbr0");
      assertStringIncludes(text, "guest vm-1 is not on bridge virbr0");
      assertStringIncludes(text, "systemctl restart libvirtd");
      assert((await client.ask("client", "tcp", host, 8080)) !== SEEN, "The guest can be reached");
    },
  );
  await step("and that the cure has worked", async () => {
    await node.stopLibvirtd();
    await node.startLibvirtd();
    await until("the guest", async () => await client.ask("client", "tcp", host, 8080) === SEEN);
    const { code, text } = await statusOf(node);
    assertEquals(code, 0, text);
  });
  await step("with the guest and the network all of it goes", async () => {
    await node.lxc(["destroy", "web-1"]);
    await node.mustVirsh(["destroy", "vm-1"]);
    await node.mustVirsh(["net-destroy", "default"]);
    await until("the end", async () => !(await node.sh(["nft", "list", "ruleset"])).includes("virt_hooks"));
    assertEquals((await node.sh(["ip", "route"])).includes("192.0.2.20"), false);
  });
});
