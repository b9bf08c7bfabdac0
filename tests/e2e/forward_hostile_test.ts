/**
 * Guests whose owners mean ill: whatever they call themselves is text, and no claim of theirs gets them a port, the host's own
 * services or another guest's address.
 * @module
 */
import { assertEquals, assertStringIncludes } from "../support/assert.ts";
import { DEFAULT_NETWORK, define } from "./guests.ts";
import { LXC } from "./node.ts";
import { filterOf } from "./packet_filter.ts";
import { reachableDomain } from "./reachable.ts";
import { COMMAND, sceneOnSystems } from "./scene.ts";
import { until } from "./until.ts";
import { connectClient, containerPid, OUTSIDE } from "./client.ts";

const NAME = '"; flush ruleset #';

const RULES = `
[[rule]]
name = '${NAME}'
when = { domain = ['${NAME}', "claims-*"] }
forward = { host_port = 8080, guest_port = 80 }

[[rule]]
name = "web"
when = { domain = "web-1" }
forward = { host_port = 8090, guest_port = 80 }
`;

const KEPT = { mac: "52:54:00:00:00:50", ip: "192.168.122.50" };
const NETWORK = DEFAULT_NETWORK.replace("</dhcp>", `<host mac='${KEPT.mac}' ip='${KEPT.ip}'/></dhcp>`);

/** What a document claims, and what comes of it. */
const CLAIMS = {
  "an address outside its network": ["198.51.100.5/24", 'address 198.51.100.5 is outside its network "default"'],
  "the host's own address": ["192.168.122.1/24", "address 192.168.122.1 is the host's own"],
  "an address that is reserved for another guest": [
    `${KEPT.ip}/24`,
    `address ${KEPT.ip} is reserved for another guest`,
  ],
} as const;

sceneOnSystems("guests that mean ill", async ({ nodeWith, step }, system) => {
  const node = await nodeWith(`hostile-${system.name}`, {
    system,
    hooks: ["daemon", "lxc", "network"],
    rules: RULES,
    network: NETWORK,
  });
  await using client = await connectClient(node);
  const before = await filterOf(node);
  const word = (): string => `hostile-${crypto.randomUUID()}`;
  const leases = (): Promise<string> => Deno.readTextFile(node.path("/var/lib/libvirt/dnsmasq/virbr0.status"));

  await step("a guest and a rule that are called like commands of nft", async () => {
    const guest = { mac: "52:54:00:00:00:01", addresses: ["192.168.122.11/24"], word: word() };
    const domain = await reachableDomain(node, "odd", guest);
    await define(node, "lxc", domain.replace("<name>odd</name>", `<name>${NAME.replace('"', "&quot;")}</name>`));
    await node.lxc(["start", NAME]);
    await client.serve(await containerPid(guest.word), "odd", "0.0.0.0", [80]);
    assertEquals(await client.ask("client", "tcp", OUTSIDE.host, 8080), `odd sees ${OUTSIDE.client} at 80`);
    const table = await node.sh(["nft", "list", "table", "inet", "virt_hooks"]);
    assertStringIncludes(table, 'comment "guest ; flush ruleset # (rule ; flush ruleset #)"');
    const status = await node.run([COMMAND, "status"]);
    assertEquals([status.code, status.stdout.includes("flush ruleset #")], [0, true]);
    await node.lxc(["destroy", NAME]);
    assertEquals(await filterOf(node), before);
  });
  for (const [index, [claim, [address, reason]]] of Object.entries(CLAIMS).entries()) {
    await step(`${claim} is refused before the guest starts`, async () => {
      const guest = { mac: "52:54:00:00:00:02", addresses: [address], word: "none" };
      await define(node, "lxc", await reachableDomain(node, `claims-${index}`, guest));
      const { code, stderr } = await node.virsh(["start", `claims-${index}`], LXC);
      assertEquals(code, 1);
      assertStringIncludes(stderr, reason);
      assertEquals(await filterOf(node), before);
    });
  }
  await step("names that a guest claims of the network gain it nothing", async () => {
    const late = { mac: "52:54:00:00:00:03", addresses: [], word: word() };
    const slow = (await reachableDomain(node, "web-1", late)).replace("udhcpc -i", "sleep 10000; udhcpc -i");
    await define(node, "lxc", slow);
    await node.lxc(["start", "web-1"]);
    for (const [index, hostname] of ["web-1", "&quot;; flush ruleset #"].entries()) {
      const mac = `52:54:00:00:00:1${index}`;
      const liar = { mac, addresses: [], word: word() };
      const domain = (await reachableDomain(node, `liar-${index}`, liar))
        .replace("udhcpc -i eth0", `udhcpc -i eth0 -x &apos;hostname:${hostname}&apos;`);
      await define(node, "lxc", domain);
      await node.lxc(["start", `liar-${index}`]);
      await until("the liar's lease", async () => (await leases()).includes(mac));
    }
    assertStringIncludes(await leases(), '"hostname": "web-1"');
    assertEquals((await node.run([COMMAND, "reconcile"])).code, 0);
    assertEquals(await filterOf(node), before);
    assertEquals(await client.ask("client", "tcp", OUTSIDE.host, 8090), "refused");
    for (const name of ["liar-0", "liar-1", "web-1"]) await node.lxc(["destroy", name]);
  });
  await step("a reservation leads to the guest with its MAC address alone", async () => {
    const owner = { mac: KEPT.mac, addresses: [], word: word() };
    const domain = await reachableDomain(node, "owner", owner);
    await node.lxc(["undefine", "web-1"]);
    await define(node, "lxc", domain.replace("<name>owner<", "<name>web-1<"));

    await define(node, "lxc", await reachableDomain(node, "claims-nothing", { ...owner, mac: "52:54:00:00:00:04" }));
    await node.lxc(["start", "web-1"]);
    await node.lxc(["start", "claims-nothing"]);
    const rules = await node.sh(["nft", "list", "chain", "inet", "virt_hooks", "to_guest"]);
    assertEquals(rules.match(/dport \d+ .* to \S+/g)?.map((text) => text.replace(/ counter.* to /, " to ")), [
      `dport 8090 to ${KEPT.ip}:80`,
    ]);
  });
});
