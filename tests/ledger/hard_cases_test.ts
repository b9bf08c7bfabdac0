/**
 * What goes wrong between calls, and how the next ones find their way.
 * @module
 */
import type { MemorySys } from "../../lib/sys/memory_sys.ts";
import type { Sys } from "../../lib/sys/sys.ts";
import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { killable } from "../support/killing_sys.ts";
import { type LedgerHost, ledgerHost, procStat } from "../support/ledger_host.ts";

const SWAPPINESS = "/proc/sys/vm/swappiness";
const DIRTY = "/proc/sys/vm/dirty_ratio";
const LEDGER = "/run/virt-hooks/ledger";
const RULES_FILE = "/etc/virt-hooks/rules.toml";
const OTHER = { name: "db-1", uuid: "99999999-2222-4333-8444-555555555555" };
const PORT = {
  name: "default",
  xml: "<networkport><uuid>22222222-2222-4333-8444-555555555555</uuid><owner><name>web-1</name>" +
    "<uuid>11111111-2222-4333-8444-555555555555</uuid></owner></networkport>",
};

/** Rules that set keys while somebody lives, one a rule. */
function rules(keys: Readonly<Record<string, number>>, life = "guest"): string {
  return Object.entries(keys).map(([key, value]) =>
    `[[rule]]\nname = "${key} is ${value}"\nwhen = {}\nwhile = "${life}"\nsysctl = { "${key}" = ${value} }\n`
  ).join("\n");
}

function hostWith(keys: Readonly<Record<string, number>>, life = "guest"): LedgerHost {
  return ledgerHost(rules(keys, life), {
    files: {
      ...{ [SWAPPINESS]: "60\n", [DIRTY]: "20\n", "/proc/sys/vm/other": "1\n" },
      ...{ "/run/libvirt/qemu/autostart/x": "", "/run/libvirt/network/x": "" },
    },
  });
}

function now(host: LedgerHost): readonly (string | undefined)[] {
  return [SWAPPINESS, DIRTY].map((path) => host.text(path)?.trim());
}

/** A process whose writes to one of the kernel's files fail as a tool that cannot be started does. */
function failingAt(broken: string): (sys: MemorySys) => Sys {
  return (sys) => ({
    ...sys,
    kernel: {
      ...sys.kernel,
      write: (path, text, timeoutMs) =>
        path === broken && text !== ""
          ? Promise.reject(new Error("Cannot start dd"))
          : sys.kernel.write(path, text, timeoutMs),
    },
  });
}

Deno.test("what cannot be put back keeps nothing else from being put back", async () => {
  const host = hostWith({ "vm.swappiness": 1, "vm.dirty_ratio": 5 });
  await host.call("qemu", "prepare");
  const released = await host.call("qemu", "release", {}, failingAt(DIRTY));
  assertEquals([released.code, now(host)], [0, ["60", "5"]]);
  assertStringIncludes(released.stderr, "sysctl/vm/dirty_ratio: Cannot start dd");
  await host.call("daemon", "start");
  assertEquals([now(host), host.ledgerFiles()], [["60", "20"], []]);
});

Deno.test("a start that fails on the way holds nothing", async () => {
  const host = hostWith({ "vm.swappiness": 1, "vm.dirty_ratio": 5 });
  const refused = await host.call("qemu", "prepare", {}, failingAt(DIRTY));
  assertEquals([refused.code, now(host), host.ledgerFiles()], [4, ["60", "20"], []]);
});

Deno.test("a start that fails ends what an earlier life of the guest left, too", async () => {
  const host = hostWith({ "vm.swappiness": 1, "vm.dirty_ratio": 5 });
  await host.call("qemu", "prepare");
  // No release was told.
  const refused = await host.call("qemu", "prepare", {}, (sys) => ({
    ...sys,
    lock: (path) => path.endsWith("/lock") && isOf("dirty", path, host) ? undefined : sys.lock(path),
  }));
  assertEquals(refused.code, 5);
  await host.call("qemu", "release");
  assertEquals([now(host), host.ledgerFiles()], [["60", "20"], []]);
});

function isOf(key: string, lock: string, host: LedgerHost): boolean {
  return host.text(lock.replace(/lock$/, "state.json"))?.includes(key) ?? false;
}

Deno.test("what an earlier life of a guest left does not stand in its own way", async () => {
  const host = hostWith({ "vm.swappiness": 1 });
  await host.call("qemu", "prepare");
  host.write(RULES_FILE, rules({ "vm.swappiness": 5 }));
  const prepared = await host.call("qemu", "prepare");
  assertEquals([prepared.code, prepared.stderr, now(host)], [0, "", ["5", "20"]]);
  await host.call("qemu", "release");
  assertEquals([now(host), host.ledgerFiles()], [["60", "20"], []]);
});

Deno.test("a port that is told of again, and cannot have what rules want now, keeps what it had", async () => {
  const host = hostWith({ "vm.swappiness": 1 }, "port");
  assertEquals((await host.call("network", "port-created", PORT)).code, 0);
  host.write(RULES_FILE, rules({ "vm.swappiness": 1, "vm.none": 2 }, "port"));
  assertEquals((await host.call("network", "port-created", PORT)).code, 4);
  assertEquals(now(host), ["1", "20"]);
  host.write(RULES_FILE, rules({ "vm.swappiness": 1, "vm.dirty_ratio": 2 }, "port"));
  assertEquals((await host.call("network", "port-created", PORT, failingAt(DIRTY))).code, 4);
  assertEquals(now(host), ["1", "20"]);
  await host.call("network", "port-deleted", PORT);
  assertEquals([now(host), host.ledgerFiles()], [["60", "20"], []]);
});

Deno.test("a guest that holds only from prepare on is known to have run", async () => {
  const host = hostWith({ "vm.swappiness": 1 });
  for (const operation of ["prepare", "started"]) await host.call("qemu", operation);
  // libvirtd lives, the guest has no status any more, and its release was never told.
  await host.call("daemon", "start");
  assertEquals([now(host), host.ledgerFiles()], [["60", "20"], []]);
});

Deno.test("a guest that is being started is not dead", async () => {
  const host = hostWith({ "vm.swappiness": 1 });
  for (const operation of ["prepare", "started", "stopped", "release", "prepare"]) await host.call("qemu", operation);
  await host.call("daemon", "start");
  assertEquals(now(host), ["1", "20"]);
});

/** Another libvirtd takes the place of the one that called a hook. */
function newDaemon(host: LedgerHost, pid: number): void {
  host.nodes.delete("/proc/1000/stat");
  host.write(`/proc/${pid}/stat`, procStat(pid, "libvirtd", 999));
}

Deno.test("another process that has the number of a daemon that is gone is not that daemon", async () => {
  const host = hostWith({ "vm.swappiness": 1 });
  await host.call("qemu", "prepare");
  host.write("/proc/1000/stat", procStat(1000, "libvirtd", 888));
  await host.call("daemon", "start");
  assertEquals([now(host), host.ledgerFiles()], [["60", "20"], []]);
});

Deno.test("a start whose daemon is gone takes back all and ends", async () => {
  for (const onError of ["fail", "continue"]) {
    const host = hostWith({ "vm.swappiness": 1, "vm.dirty_ratio": 5 });
    if (onError === "continue") host.write(RULES_FILE, rules({ "vm.swappiness": 1, "vm.dirty_ratio": 5 }, "network"));
    const [driver, operation] = onError === "fail" ? ["qemu", "prepare"] as const : ["network", "started"] as const;
    await host.call(driver, operation, {}, (sys) => ({
      ...sys,
      kernel: {
        ...sys.kernel,
        write: async (path, text, timeoutMs) => {
          const end = await sys.kernel.write(path, text, timeoutMs);
          if (text !== "") sys.parent.pid = 1;
          return end;
        },
      },
    }));
    assertEquals([now(host), host.ledgerFiles()], [["60", "20"], []], onError);
  }
});

Deno.test("a release that comes late, of a daemon that is gone, leaves what another daemon began", async () => {
  const host = hostWith({ "vm.swappiness": 1 });
  await host.call("qemu", "prepare");
  let late = false;
  await host.call("qemu", "release", {}, (sys) => ({
    ...sys,
    // While it waits for the guest's lock, a new daemon starts the guest.
    lock: (path) => path.startsWith(`${LEDGER}/holders/`) && !late ? undefined : sys.lock(path),
    sleep: async () => {
      late = true;
      sys.parent.pid = 1;
      newDaemon(host, 2000);
      await host.call("qemu", "prepare", {}, (next) => {
        next.parent.pid = 2000;
        return next;
      });
    },
  }));
  assertEquals([late, now(host)], [true, ["1", "20"]]);
});

Deno.test("a reading that was cut short is not a resource that is gone", async () => {
  const host = hostWith({ "vm.swappiness": 1 });
  await host.call("qemu", "prepare");
  const released = await host.call("qemu", "release", {}, (sys) => ({
    ...sys,
    kernel: {
      ...sys.kernel,
      read: (paths) =>
        paths.includes(SWAPPINESS) ? Promise.reject(new Error("Cannot read: head ended")) : sys.kernel.read(paths),
    },
  }));
  assertStringIncludes(released.stderr, "Cannot read: head ended");
  assertEquals(now(host), ["1", "20"]);
  await host.call("daemon", "start");
  assertEquals([now(host), host.ledgerFiles()], [["60", "20"], []]);
});

Deno.test("a container's end that may not wait leaves its work to whoever holds the lock", async () => {
  const host = hostWith({ "vm.swappiness": 1 });
  await host.call("lxc", "prepare");
  let isReleased = false;
  await host.call("qemu", "prepare", OTHER, (sys) => ({
    ...sys,
    kernel: {
      ...sys.kernel,
      // The guest's hook is in the middle of its look, and holds the lock.
      read: async (paths) => {
        const isLocked = [...host.locks].some((path) => path.includes("/resources/"));
        if (isLocked && !isReleased) {
          isReleased = true;
          host.write(SWAPPINESS, "1\n");
          const released = await host.call("lxc", "release");
          assertEquals([released.code, released.stderr], [0, ""]);
        }
        return await sys.kernel.read(paths);
      },
    },
  }));
  assert(isReleased, "the container ended meanwhile");
  assertEquals(now(host), ["1", "20"]);
  await host.call("qemu", "release", OTHER);
  assertEquals([now(host), host.ledgerFiles()], [["60", "20"], []]);
});

Deno.test("two hooks that find no ledger make one", async () => {
  const host = hostWith({ "vm.swappiness": 1 });
  let second: Promise<unknown> | undefined;
  await host.call("qemu", "prepare", {}, (sys) => ({
    ...sys,
    makeDirectory: (path, mode) => {
      sys.makeDirectory(path, mode);
      if (path.endsWith("/ledger.tmp")) second ??= host.call("qemu", "prepare", OTHER);
    },
  }));
  await second;
  assertEquals(now(host), ["1", "20"]);
  for (const about of [{}, OTHER]) await host.call("qemu", "release", about);
  assertEquals([now(host), host.ledgerFiles()], [["60", "20"], []]);
});

Deno.test("a ledger of another boot is set aside once, and what was begun since is kept", async () => {
  const host = hostWith({ "vm.swappiness": 1 });
  await host.call("qemu", "prepare");
  host.write(`${LEDGER}/boot`, "0a0a0a0a-0000-4000-8000-000000000000\n");
  host.write(SWAPPINESS, "60\n");
  const prepared = await host.call("qemu", "prepare", OTHER);
  assertEquals([prepared.code, now(host)], [0, ["1", "20"]]);
  assertStringIncludes(JSON.stringify(prepared.history), "the ledger was of another boot");
  await host.call("qemu", "release", OTHER);
  assertEquals([now(host), host.ledgerFiles().filter((path) => path.startsWith(`${LEDGER}/`))], [["60", "20"], []]);
});

Deno.test("stopped twice is stopped once, and release after it too", async () => {
  const host = hostWith({ "vm.swappiness": 1 });
  for (const operation of ["prepare", "started", "stopped", "stopped", "release", "release"]) {
    assertEquals((await host.call("qemu", operation)).code, 0, operation);
  }
  assertEquals([now(host), host.ledgerFiles()], [["60", "20"], []]);
});

Deno.test("what somebody else set meanwhile is left, and told", async () => {
  const host = hostWith({ "vm.swappiness": 1 });
  await host.call("qemu", "prepare");
  host.write(SWAPPINESS, "30\n");
  const released = await host.call("qemu", "release");
  assertStringIncludes(released.stderr, "the current value 30 was not written by virt-hooks (which wrote 1)");
  // Nothing is held any more, so reconcile has nothing to try again.
  assertEquals(
    released.stderr.trimEnd().split("\n").at(-1),
    "hint: virt-hooks does not change it again: set it by hand if it should be different",
  );
  assertEquals([now(host), host.ledgerFiles()], [["30", "20"], []]);
});

Deno.test("a release that leaves two values names the one and counts the other", async () => {
  const host = hostWith({ "vm.swappiness": 1, "vm.other": 2 });
  await host.call("qemu", "prepare");
  host.write(SWAPPINESS, "30\n");
  host.write(SWAPPINESS.replace("swappiness", "other"), "30\n");
  const [line] = (await host.call("qemu", "release")).stderr.split("\n");
  assert(line?.endsWith("(and 1 more failure)") === true, line);
});

Deno.test("what another guest's killed release left undone is put back by the next call", async () => {
  const host = hostWith({ "vm.swappiness": 1 });
  await host.call("qemu", "prepare");
  await host.call(
    "qemu",
    "release",
    {},
    (sys) => killable(sys, { at: `kernel.write ${SWAPPINESS}`, moment: "before" }).sys,
  );
  assertEquals(now(host), ["1", "20"]);
  host.write(RULES_FILE, rules({ "vm.other": 2 }));
  await host.call("qemu", "prepare", OTHER);
  assertEquals(now(host), ["60", "20"]);
});

Deno.test("what a killed hook's program still writes comes before what the next hook does", async () => {
  for (const operation of ["release", "prepare"] as const) {
    const host = hostWith({ "vm.swappiness": 1 });
    /** The program is slow: it writes when its hook is dead, and the next one looks. */
    const slow: { write?: (() => void) | undefined } = {};
    await host.call("qemu", "prepare", {}, (sys) => {
      const process = killable(sys, { at: `kernel.write ${SWAPPINESS}`, moment: "before" });
      return {
        ...process.sys,
        kernel: {
          ...process.sys.kernel,
          write: async (path, text, timeoutMs, onStart) => {
            // To write nothing is only to look whether it can be written.
            if (text === "") return await sys.kernel.write(path, text, timeoutMs);
            onStart?.(7777);
            host.write("/proc/7777/stat", procStat(7777, "dd", 888));
            slow.write = () => {
              host.write(SWAPPINESS, text);
              host.nodes.delete("/proc/7777/stat");
              slow.write = undefined;
            };
            return await process.sys.kernel.write(path, text, timeoutMs, onStart);
          },
        },
      };
    });
    assert(slow.write !== undefined, "the hook was killed when it wrote");
    const about = operation === "release" ? {} : OTHER;
    await host.call("qemu", operation, about, (sys) => ({
      ...sys,
      sleep: (durationMs) => {
        slow.write?.();
        return sys.sleep(durationMs);
      },
    }));
    slow.write?.();
    for (const guest of [{}, OTHER]) await host.call("qemu", "release", guest);
    assertEquals([now(host), host.ledgerFiles()], [["60", "20"], []], operation);
  }
});
