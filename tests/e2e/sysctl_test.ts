/**
 * Keys of the real kernel. All of them belong to the node's own network.
 * @module
 */
import { assertEquals, assertStringIncludes } from "../support/assert.ts";
import { define, qemuDomain } from "./guests.ts";
import { scene } from "./scene.ts";

function rule(name: string, key: string, value: string): string {
  return `[[rule]]\nname = "${name}"\nwhen = { domain = "${name}-*" }\nsysctl = { "${key}" = "${value}" }\n`;
}

const RMEM = "net.ipv4.tcp_rmem";
/** The kernel writes neighbours as a range; empty before. */
const PORTS = "net.ipv4.ip_local_reserved_ports";
const RULES = [
  rule("list", RMEM, "4096 131000 6291456"),
  rule("other", RMEM, "4096 99000 6291456"),
  rule("ports", PORTS, "5,6,7"),
  rule("readonly", "net.ipv4.tcp_available_congestion_control", "reno"),
  rule("writeonly", "net.ipv4.route.flush", "1"),
  rule("unknown", "net.ipv4.no_such_key", "1"),
  rule("refused", "net.ipv4.ip_default_ttl", "4711"),
].join("\n");

const REFUSALS = [
  { guest: "other-1", said: 'guest "list-2" (rule "list") wants 4096 131000 6291456, guest "other-1"' },
  { guest: "ports-1", said: "it is 5-7 after 5,6,7 was written" },
  { guest: "readonly-1", said: "tcp_available_congestion_control cannot be written: Permission denied" },
  { guest: "writeonly-1", said: "flush cannot be read, so it could not be restored" },
  { guest: "unknown-1", said: "there is no /proc/sys/net/ipv4/no_such_key" },
  { guest: "refused-1", said: "Invalid argument" },
] as const;

scene("sysctl: keys of the real kernel", async ({ nodeWith, step }) => {
  const node = await nodeWith("sysctl", { hooks: ["qemu"], rules: RULES });
  for (const name of ["list-1", "list-2", ...REFUSALS.map(({ guest }) => guest)]) {
    await define(node, "qemu", qemuDomain(name));
  }
  const read = async (key: string): Promise<string> =>
    (await node.sh(["cat", `/proc/sys/${key.replaceAll(".", "/")}`])).trim();
  const before = { list: await read(RMEM), ports: await read(PORTS) };

  await step("two guests want the same list of numbers", async () => {
    await node.mustVirsh(["start", "list-1"]);
    await node.mustVirsh(["start", "list-2"]);
    assertEquals(await read(RMEM), "4096\t131000\t6291456");
    await node.mustVirsh(["destroy", "list-1"]);
    assertEquals(await read(RMEM), "4096\t131000\t6291456");
  });
  for (const { guest, said } of REFUSALS) {
    await step(`${guest} is refused: ${said}`, async () => {
      const refused = await node.virshFails(["start", guest]);
      assertStringIncludes(refused.stderr, said);
    });
  }
  await step("what stood before stands again", async () => {
    assertEquals(await read(PORTS), before.ports);
    await node.mustVirsh(["destroy", "list-2"]);
    assertEquals(await read(RMEM), before.list);
  });
});
