/**
 * A guest's life as hook calls tell it, on a host in memory: what is held, counted and put back.
 * @module
 */
import { assertEquals, assertStringIncludes } from "../support/assert.ts";
import { ledgerHost } from "../support/ledger_host.ts";

const SWAPPINESS = "/proc/sys/vm/swappiness";
const HOST = { files: { [SWAPPINESS]: "60\n" } };

function calm(value: number, name = "calm"): string {
  return `[[rule]]\nname = "${name}"\nwhen = { domain = "*" }\nsysctl = { "vm.swappiness" = ${value} }\n`;
}

const OTHER = { name: "db-1", uuid: "99999999-2222-4333-8444-555555555555" };

Deno.test("a sysctl is set while a guest lives", async () => {
  const host = ledgerHost(calm(1), HOST);
  const prepared = await host.call("qemu", "prepare");
  assertEquals([prepared.code, prepared.stderr, host.text(SWAPPINESS)], [0, "", "1"]);
  assertEquals((await host.call("qemu", "release")).code, 0);
  assertEquals(host.text(SWAPPINESS), "60");
  assertEquals(host.ledgerFiles(), []);
});

Deno.test("the last of two guests puts a sysctl back", async () => {
  const host = ledgerHost(calm(1), HOST);
  await host.call("qemu", "prepare");
  await host.call("qemu", "prepare", OTHER);
  await host.call("qemu", "release");
  assertEquals(host.text(SWAPPINESS), "1");
  await host.call("qemu", "release", OTHER);
  assertEquals([host.text(SWAPPINESS), host.ledgerFiles()], ["60", []]);
});

Deno.test("a guest that wants another value is refused, and both are named", async () => {
  const host = ledgerHost(calm(1), HOST);
  await host.call("qemu", "prepare");
  host.write("/etc/virt-hooks/rules.toml", calm(5, "other"));
  const refused = await host.call("qemu", "prepare", OTHER);
  assertEquals([refused.code, host.text(SWAPPINESS)], [4, "1"]);
  assertStringIncludes(refused.stderr, 'guest "web-1" (rule "calm") wants 1, guest "db-1" (rule "other") wants 5');
});

Deno.test("a guest that holds something only from prepare on is known as running, too", async () => {
  const host = ledgerHost(calm(1), HOST);
  await host.call("qemu", "prepare");
  await host.call("qemu", "started");
  assertEquals(host.ledgerFiles().filter((path) => path.endsWith(".running")).length, 1);
  await host.call("qemu", "prepare");
  assertEquals(host.ledgerFiles().filter((path) => path.endsWith(".running")).length, 0);
});
