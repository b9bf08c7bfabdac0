/**
 * Keys of the kernel as it treats them: some can only be read, some only written, some are rounded.
 * @module
 */
import type { MemoryHost } from "../../lib/sys/memory_sys.ts";
import { assertEquals, assertStringIncludes } from "../support/assert.ts";
import { ledgerHost } from "../support/ledger_host.ts";

function rules(key: string, value: string): string {
  return `[[rule]]\nname = "r"\nwhen = { domain = "*" }\nsysctl = { "${key}" = "${value}" }\n`;
}

const REFUSED: readonly { readonly key: string; readonly files: MemoryHost["files"]; readonly said: string }[] = [
  {
    key: "net.ipv4.tcp_available_congestion_control",
    files: { "/proc/sys/net/ipv4/tcp_available_congestion_control": { text: "reno cubic\n", mode: 0o444 } },
    said: "/proc/sys/net/ipv4/tcp_available_congestion_control cannot be written: Permission denied",
  },
  {
    key: "net.ipv4.route.flush",
    files: { "/proc/sys/net/ipv4/route/flush": { text: "", mode: 0o200 } },
    said: "/proc/sys/net/ipv4/route/flush cannot be read, so it could not be restored",
  },
  {
    key: "net.ipv4.no_such_key",
    files: { "/proc/sys/net/ipv4/ip_forward": "0\n" },
    said: "there is no /proc/sys/net/ipv4/no_such_key",
  },
];
for (const { key, files = {}, said } of REFUSED) {
  Deno.test(`sysctl refused before: ${said}`, async () => {
    const host = ledgerHost(rules(key, "1"), { files });
    const refused = await host.call("qemu", "prepare");
    assertEquals([refused.code, host.ledgerFiles()], [4, []]);
    assertStringIncludes(refused.stderr, said);
  });
}

Deno.test("sysctl: a list is the same with tabs and with spaces", async () => {
  const path = "/proc/sys/net/ipv4/tcp_rmem";
  const host = ledgerHost(rules("net.ipv4.tcp_rmem", "4096  131072 6291456"), {
    files: { [path]: "4096\t87380\t6291456\n" },
    reactions: { [path]: (text) => `${text.replaceAll(" ", "\t")}\n` },
  });
  assertEquals((await host.call("qemu", "prepare")).code, 0);
  assertEquals(host.text(path), "4096\t131072\t6291456\n");
  await host.call("qemu", "release");
  assertEquals([host.text(path), host.ledgerFiles()], ["4096\t87380\t6291456\n", []]);
});

Deno.test("sysctl: a value that the kernel rounds is a failure that says what stands, and it is put back", async () => {
  const path = "/proc/sys/net/ipv4/neigh/default/retrans_time_ms";
  const host = ledgerHost(rules("net.ipv4.neigh.default.retrans_time_ms", "1001"), {
    files: { [path]: "1000\n" },
    reactions: { [path]: (text) => `${Math.ceil(Number(text) / 4) * 4}\n` },
  });
  const refused = await host.call("qemu", "prepare");
  assertEquals(refused.code, 4);
  assertStringIncludes(refused.stderr, "it is 1004 after 1001 was written");
  assertEquals([host.text(path), host.ledgerFiles()], ["1000\n", []]);
});

Deno.test("sysctl: what was empty is empty again", async () => {
  const path = "/proc/sys/net/ipv4/ip_local_reserved_ports";
  const host = ledgerHost(rules("net.ipv4.ip_local_reserved_ports", "8080"), { files: { [path]: "\n" } });
  assertEquals((await host.call("qemu", "prepare")).code, 0);
  assertEquals(host.text(path), "8080");
  assertEquals((await host.call("qemu", "release")).code, 0);
  assertEquals([host.text(path), host.ledgerFiles()], ["\n", []]);
});

Deno.test("sysctl: a value that somebody else set meanwhile is left", async () => {
  const path = "/proc/sys/vm/swappiness";
  const host = ledgerHost(rules("vm.swappiness", "1"), { files: { [path]: "60\n" } });
  await host.call("qemu", "prepare");
  host.write(path, "30\n");
  const released = await host.call("qemu", "release");
  assertStringIncludes(
    JSON.stringify(released.history),
    "the current value 30 was not written by virt-hooks (which wrote 1)",
  );
  assertEquals([host.text(path), host.ledgerFiles()], ["30\n", []]);
});
