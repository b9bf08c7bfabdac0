/**
 * A hook that outlives the daemon that called it, on a host in memory: nobody will tell it that the guest did not start.
 * @module
 */
import { assertEquals, assertStringIncludes } from "../support/assert.ts";
import { ELF_START } from "../support/elf.ts";
import { ledgerHost, procStat } from "../support/ledger_host.ts";
import type { MemorySys } from "../../lib/sys/memory_sys.ts";
import type { Sys } from "../../lib/sys/sys.ts";

const KEYS = { "/proc/sys/vm/swappiness": "60\n", "/proc/sys/vm/laptop_mode": "0\n" };
const RULES = `[[rule]]
name = "calm"
when = { domain = "*" }
sysctl = { "vm.swappiness" = 1, "vm.laptop_mode" = 5 }
`;

/** The daemon dies while this file is written: its hook belongs to process 1 from then on. */
function dyingAt(path: string): (sys: MemorySys) => Sys {
  return (sys) => ({
    ...sys,
    kernel: {
      ...sys.kernel,
      write: (file, text, timeoutMs) => {
        if (file === path) sys.parent.pid = 1;
        return sys.kernel.write(file, text, timeoutMs);
      },
    },
  });
}

for (const path of Object.keys(KEYS)) {
  Deno.test(`a daemon that dies while ${path} is written leaves nothing held`, async () => {
    const host = ledgerHost(RULES, { files: KEYS });
    const prepared = await host.call("qemu", "prepare", {}, dyingAt(path));
    assertStringIncludes(prepared.stderr, "libvirtd (1000), which called this hook, is gone");
    assertEquals(Object.keys(KEYS).map((key) => host.text(key)?.trim()), ["60", "0"]);
    assertEquals(host.ledgerFiles(), []);
  });
}

Deno.test("a hook that finds itself with process 1 does not take it for a daemon", async () => {
  const host = ledgerHost(RULES, { files: { ...KEYS, "/proc/1/stat": procStat(1, "systemd", 3) } });
  const prepared = await host.call("qemu", "prepare", {}, (sys) => ({ ...sys, ppid: () => 1 }));
  assertEquals(prepared.code, 4);
  assertStringIncludes(prepared.stderr, "the daemon, which called this hook, is gone");
  assertEquals([host.text("/proc/sys/vm/swappiness"), host.ledgerFiles()], ["60\n", []]);
});

Deno.test("in a container, libvirtd can be process 1", async () => {
  const host = ledgerHost(RULES, { files: { ...KEYS, "/proc/1/stat": procStat(1, "libvirtd", 3) } });
  const prepared = await host.call("qemu", "prepare", {}, (sys) => ({ ...sys, ppid: () => 1 }));
  assertEquals([prepared.code, host.text("/proc/sys/vm/swappiness")], [0, "1"]);
});

Deno.test("what a guest needs once it runs is had all the same: the next daemon knows of it", async () => {
  const run = 'run = { argv = ["/opt/begin"], undo = ["/opt/end"], during = "running" }';
  const ran: string[] = [];
  const programs = Object.fromEntries(["/opt/begin", "/opt/end"].map((path) => [path, () => {
    ran.push(path);
    return {};
  }]));
  const files = Object.fromEntries(Object.keys(programs).map((path) => [path, { text: ELF_START, mode: 0o755 }]));
  const host = ledgerHost(`[[rule]]\nname = "r"\nwhen = { domain = "*" }\n${run}\n`, { files, programs });
  const started = await host.call("qemu", "started", {}, (sys) => ({
    ...sys,
    run: (command) => {
      if (command.argv[0] === "/opt/begin") sys.parent.pid = 1;
      return sys.run(command);
    },
  }));
  assertEquals([started.code, started.stderr, ran], [0, "", ["/opt/begin"]]);
  await host.call("qemu", "stopped");
  assertEquals(ran, ["/opt/begin", "/opt/end"]);
});
