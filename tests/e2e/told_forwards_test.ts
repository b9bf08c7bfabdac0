/**
 * What the admin command tells of forwards on a real host is what real packets meet.
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { DEFAULT_NETWORK, define } from "./guests.ts";
import { reachableDomain } from "./reachable.ts";
import { COMMAND, sceneOnSystems } from "./scene.ts";
import { connectClient, containerPid, OUTSIDE } from "./client.ts";

const RULES = `[[rule]]
name = "web"
when = { driver = "lxc", domain = "web-1" }
forward = [{ host_port = 8080, guest_port = 80 }, { host_port = 8081, guest_port = 80, to = "192.168.122.11" }]
`;
const GUEST = { mac: "52:54:00:00:00:01", addresses: ["192.168.122.11/24"] };

/** A command that reads a text. */
function fed(text: string, argv: readonly string[]): readonly string[] {
  return ["sh", "-c", 'printf %s "$0" | "$@"', text, ...argv];
}

sceneOnSystems("forwards as the admin command tells them", async ({ nodeWith, step }, system) => {
  const node = await nodeWith(`told-${system.name}`, {
    system,
    hooks: ["daemon", "lxc", "network"],
    rules: RULES,
    network: DEFAULT_NETWORK,
  });
  const word = `web-1-${crypto.randomUUID()}`;
  await define(node, "lxc", await reachableDomain(node, "web-1", { ...GUEST, word }));
  await using client = await connectClient(node);
  const ask = (port = 8080): Promise<string> => client.ask("client", "tcp", OUTSIDE.host, port);

  interface Told {
    readonly code: number;
    readonly forwards: readonly Readonly<Record<string, unknown>>[];
  }

  async function status(): Promise<Told> {
    const { code, stdout } = await node.run([COMMAND, "status", "--json"]);
    const [{ holders }] = JSON.parse(stdout).resources;
    return { code, forwards: holders.map(({ forward }: { readonly forward: unknown }) => forward) };
  }

  await step("check --host finds libvirt's firewall, and a program on a port", async () => {
    await client.serve("host", "host", "0.0.0.0", [8081]);
    const told = await node.sh([COMMAND, "check", "--host"]);
    assertStringIncludes(told, "/usr/sbin/nft is there: nftables v");
    const by = system.firewall === "nftables" ? "libvirt (nftables)" : "libvirt (iptables)";
    assert(told.includes(`is filtered by ${by}`), told);
    assertStringIncludes(told, "IPv4 forwarding is on");
    assertStringIncludes(told, 'rule "web": a program of this host listens at 0.0.0.0:8081/tcp');
  });
  await step("what explain shows could be loaded by hand, and is what then stands", async () => {
    const document = await node.lxc(["dumpxml", "--inactive", "web-1"]);
    const explain = [COMMAND, "explain", "lxc", "web-1", "started", "--all"];
    const shown = await node.sh(fed(document, explain));
    const script = shown.split("\n").filter((line) => /^ {12}\S/.test(line)).join("\n");
    assertStringIncludes(script, "dport 8080 counter name new_tcp_8080 dnat ip to 192.168.122.11:80");
    await node.sh(fed(script, ["nft", "-c", "-f", "-"]));
    await node.lxc(["start", "web-1"]);
    assertStringIncludes(shown, "now nft: web-1 opened tcp 8080 → 192.168.122.11:80 (");
    assertStringIncludes(await node.sh(fed(document, explain)), "now nft: stays ");
    const told = await node.sh([COMMAND, "history", "--port", "8080"]);
    assertStringIncludes(told, "web-1 opened tcp 8080 → 192.168.122.11:80 (");
  });
  await step("what went through is counted", async () => {
    await client.serve(await containerPid(word), "web-1", "::", [80]);
    assertEquals([await ask(), await ask()], Array(2).fill(`web-1 sees ${OUTSIDE.client} at 80`));
    assertEquals(await ask(8081), `web-1 sees ${OUTSIDE.client} at 80`);
    const { code, forwards: [first, second] } = await status();
    assertEquals([code, first?.["state"], first?.["connections"], second?.["connections"]], [0, "active", 2, 1]);
    assert(Number(first?.["packets"]) >= 10 && Number(first?.["bytes"]) > 400, JSON.stringify(first));
  });
  await step("a packet that the kernel does not pass on begins a connection, and is counted no further", async () => {
    const { forwards: [before] } = await status();
    await node.sh(["sh", "-c", "echo 0 >/proc/sys/net/ipv4/ip_forward"]);
    await ask();
    const { code, forwards: [after] } = await status();
    assertEquals([code, after?.["state"]], [1, "outranked"]);
    assertStringIncludes(String(after?.["because"]), "net.ipv4.ip_forward is 0");
    await node.sh(["sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward"]);
    assert(Number(after?.["connections"]) > 2, JSON.stringify(after));
    assertEquals(after?.["packets"], before?.["packets"]);
  });
  await step("what outranks a forward is named, and mended", async () => {
    const undo = system.firewall === "nftables"
      ? "nft insert rule ip libvirt_network forward counter jump guest_input"
      : "/usr/sbin/iptables -I FORWARD 1 -j LIBVIRT_FWI";
    await node.sh(["sh", "-c", undo]);
    const { code, forwards: [outranked] } = await status();
    assertEquals([code, outranked?.["state"]], [1, "outranked"]);
    assertStringIncludes(
      String(outranked?.["because"]),
      system.firewall === "nftables" ? "ip libvirt_network" : "FORWARD of iptables",
    );
    await node.sh([COMMAND, "reconcile"]);
    assertEquals((await status()).code, 0);
    assertEquals(await ask(), `web-1 sees ${OUTSIDE.client} at 80`);
  });
  await step("a table that is gone is drift, and mended", async () => {
    await node.sh(["nft", "delete", "table", "inet", "virt_hooks"]);
    const { code, forwards } = await status();
    assertEquals([code, forwards.map(({ state }) => state)], [1, ["drift", "drift"]]);
    await node.sh([COMMAND, "reconcile"]);
    assertEquals((await status()).code, 0);
  });
  await step("with the guest nothing is left to tell", async () => {
    await node.lxc(["destroy", "web-1"]);
    await node.operation("release");
    assertEquals(await node.sh([COMMAND, "status"]), "Nothing is held\n");
  });
});
