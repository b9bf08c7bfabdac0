/**
 * Connections over the lives of guests: those of others live on, those of a guest that ends do too but for nobody, and whoever
 * kept sending gets to the guest that comes next.
 * @module
 */
import { assertEquals } from "../support/assert.ts";
import { DEFAULT_NETWORK, define } from "./guests.ts";
import { reachableDomain } from "./reachable.ts";
import { sceneOnSystems } from "./scene.ts";
import { connectClient, containerPid, OUTSIDE } from "./client.ts";

const RULES = `
[[rule]]
name = "web"
when = { domain = ["web-1", "web-2"] }
forward = [{ host_port = "7000-7001", protocol = "both" }]

[[rule]]
name = "another"
when = { domain = "other" }
forward = { host_port = 9000, guest_port = 7000, protocol = "both" }
`;

const GUESTS = ["web-1", "web-2", "other"] as const;

sceneOnSystems("connections over the lives of guests", async ({ nodeWith, step }, system) => {
  const node = await nodeWith(`connections-${system.name}`, {
    system,
    hooks: ["daemon", "lxc", "network"],
    rules: RULES,
    network: DEFAULT_NETWORK,
  });
  await using client = await connectClient(node);
  const words = new Map<string, string>();
  for (const [index, name] of GUESTS.entries()) {
    const word = `${name}-${crypto.randomUUID()}`;
    words.set(name, word);
    const addresses = [`192.168.122.1${index + 1}/24`];
    const domain = await reachableDomain(node, name, { mac: `52:54:00:00:00:0${index + 1}`, addresses, word });
    await define(node, "lxc", domain);
  }
  const start = async (name: string): Promise<void> => {
    await node.lxc(["start", name]);
    await client.serve(await containerPid(words.get(name) ?? ""), name, "::", [7000, 7001]);
  };
  const open = (kind: "tcp" | "udp", port: number): ReturnType<typeof client.stream> =>
    client.stream("client", kind, OUTSIDE.host, port);
  const sees = (name: string, port = 7000): string => `${name} sees ${OUTSIDE.client} at ${port}`;

  await start("other");
  const [otherTcp, otherUdp] = [await open("tcp", 9000), await open("udp", 9000)];
  // It asks before there is anybody.
  const early = await open("udp", 7001);

  await step("another guest's live on while guests come", async () => {
    await start("web-1");
    assertEquals([await otherTcp.again(), await otherUdp.again()], [sees("other"), sees("other")]);
  });
  await step("whoever kept sending gets to the guest", async () => {
    assertEquals(await early.again(), sees("web-1", 7001));
  });
  const [tcp, udp] = [await open("tcp", 7000), await open("udp", 7001)];
  await step("with the guest its connections end at once, and no other's", async () => {
    assertEquals([await tcp.again(), await udp.again()], [sees("web-1"), sees("web-1", 7001)]);
    await node.lxc(["destroy", "web-1"]);
    assertEquals(await tcp.again(), "ended");
    assertEquals(["silence", "ended"].includes(await udp.again()), true);
    assertEquals([await otherTcp.again(), await otherUdp.again()], [sees("other"), sees("other")]);
  });
  await step("the next guest with the port is reached from the same socket", async () => {
    await start("web-2");
    assertEquals(await early.again(), sees("web-2", 7001));
    assertEquals(await client.ask("client", "tcp", OUTSIDE.host, 7000), sees("web-2"));
    await node.lxc(["destroy", "web-2"]);
  });
  await step("nothing is left of them in the kernel", async () => {
    const left = await node.sh(["conntrack", "-L", "-p", "tcp"]);
    assertEquals(left.split("\n").filter((line) => /192\.168\.122\.1[12]/.test(line)), []);
  });
  await step("no call failed", async () => {
    const bad = (await node.history()).filter(({ exitCode, notes }) =>
      exitCode !== 0 || JSON.stringify(notes ?? []).includes("connections")
    );
    assertEquals(bad.map(({ message }) => message), []);
  });
});
