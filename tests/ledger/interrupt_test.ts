/**
 * A hook that is told to end in the middle of its work: what it could not put back, the next call does.
 * @module
 */
import { InterruptedError } from "../../lib/sys/kernel.ts";
import type { MemorySys } from "../../lib/sys/memory_sys.ts";
import type { Sys } from "../../lib/sys/sys.ts";
import { assertEquals, assertStringIncludes } from "../support/assert.ts";
import { admin } from "../support/admin.ts";
import { ledgerHost } from "../support/ledger_host.ts";

const SWAPPINESS = "/proc/sys/vm/swappiness";
const RULES = '[[rule]]\nname = "r"\nwhen = { domain = "web-1" }\nsysctl = { "vm.swappiness" = 1 }\n';
const OTHER = { name: "db-1", uuid: "99999999-2222-4333-8444-555555555555" };

const INTERRUPTIONS: Readonly<Record<string, (sys: MemorySys) => Sys>> = {
  "its write": (sys) => ({
    ...sys,
    kernel: {
      ...sys.kernel,
      write: () => Promise.resolve({ kind: "refused", reason: "ended by SIGTERM", interrupted: true }),
    },
  }),
  "its look": (sys) => ({
    ...sys,
    kernel: {
      ...sys.kernel,
      read: (paths) =>
        paths.includes(SWAPPINESS)
          ? Promise.reject(new InterruptedError("Cannot read: head was ended by SIGTERM"))
          : sys.kernel.read(paths),
    },
  }),
};

for (const [what, wrap] of Object.entries(INTERRUPTIONS)) {
  Deno.test(`a release of which ${what} is interrupted fails, and the next call of any guest completes it`, async () => {
    const host = ledgerHost(RULES, { files: { [SWAPPINESS]: "60\n" } });
    await host.call("qemu", "prepare");
    const released = await host.call("qemu", "release", {}, wrap);
    assertEquals([released.code, released.history["outcome"], host.text(SWAPPINESS)], [0, "failed", "1"]);
    assertStringIncludes(released.stderr, "ended by SIGTERM");
    const status = await admin(host, ["status", "--json"]);
    assertEquals(status.code, 1);
    const other = await host.call("qemu", "release", OTHER);
    assertEquals([other.code, other.stderr], [0, ""]);
    assertEquals([host.text(SWAPPINESS), host.ledgerFiles()], ["60", []]);
  });

  Deno.test(`a start of which ${what} is interrupted is refused, and leaves nothing after the next call`, async () => {
    const host = ledgerHost(RULES, { files: { [SWAPPINESS]: "60\n" } });
    assertEquals((await host.call("qemu", "prepare", {}, wrap)).code, 4);
    assertEquals((await host.call("qemu", "prepare")).code, 0);
    await host.call("qemu", "release");
    assertEquals([host.text(SWAPPINESS), host.ledgerFiles()], ["60", []]);
  });
}

Deno.test("what fails without a signal stays in sight, and no other guest's call tries it", async () => {
  const host = ledgerHost(RULES, { files: { [SWAPPINESS]: "60\n" } });
  await host.call("qemu", "prepare");
  await host.call("qemu", "release", {}, (sys) => ({
    ...sys,
    kernel: { ...sys.kernel, write: () => Promise.resolve({ kind: "refused", reason: "Device or resource busy" }) },
  }));
  await host.call("qemu", "release", OTHER);
  assertEquals(host.text(SWAPPINESS), "1");
});
