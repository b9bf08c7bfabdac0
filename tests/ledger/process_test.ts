/**
 * Programs that live while a guest runs, on a host in memory: with a session of their own, and as units of systemd.
 * @module
 */
import { InterruptedError } from "../../lib/sys/kernel.ts";
import { addProcess } from "../../lib/sys/memory_processes.ts";
import type { MemoryHost, MemorySys } from "../../lib/sys/memory_sys.ts";
import type { Sys } from "../../lib/sys/sys.ts";
import { admin } from "../support/admin.ts";
import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { ELF_START } from "../support/elf.ts";
import { type LedgerHost, ledgerHost, statesOf } from "../support/ledger_host.ts";
import { transientUnits } from "../support/transient_units.ts";

const PROGRAM = { text: ELF_START, mode: 0o755 } as const;
const RULES = '[[rule]]\nname = "watch"\nwhen = { domain = "*" }\nprocess = { argv = ["/opt/watch", "${domain}"] }\n';

function hostWith(more: MemoryHost = {}, rules = RULES): LedgerHost {
  const files = { "/opt/watch": PROGRAM, "/run/libvirt/qemu/autostart/x": "", ...more.files };
  return ledgerHost(rules, { ...more, files });
}

/** The processes that carry a mark. */
function marked(host: LedgerHost): readonly number[] {
  return [...host.nodes].flatMap(([path, { text }]) => {
    const [, pid] = /^\/proc\/(\d+)\/environ$/.exec(path) ?? [];
    return pid !== undefined && text.includes("VIRT_HOOKS_HOLD=") ? [Number(pid)] : [];
  });
}

function endProcess(host: LedgerHost, pid: number): void {
  for (const path of [`/proc/${pid}`, `/proc/${pid}/stat`, `/proc/${pid}/environ`]) host.nodes.delete(path);
}

Deno.test("a process lives while the guest runs", async () => {
  const host = hostWith();
  await host.call("qemu", "prepare");
  assertEquals(marked(host), []);
  const started = await host.call("qemu", "started");
  assertEquals([started.code, started.sys.launches.map(({ argv }) => argv)], [0, [["/opt/watch", "web-1"]]]);
  assertEquals(marked(host).length, 1);
  for (const operation of ["reconnect", "reconnect"]) {
    const { code, sys } = await host.call("qemu", operation);
    assertEquals([code, sys.launches], [0, []], operation);
  }
  await host.call("qemu", "stopped");
  assertEquals(marked(host), []);
  await host.call("qemu", "release");
  assertEquals(host.ledgerFiles(), []);
});

Deno.test("a process that has ended by itself is started again by the next look, not by its end", async () => {
  const host = hostWith();
  await host.call("qemu", "started");
  for (const pid of marked(host)) endProcess(host, pid);
  const { sys } = await host.call("qemu", "reconnect");
  assertEquals([sys.launches.length, marked(host).length], [1, 1]);
});

Deno.test("what a process left behind when it ended goes with the guest", async () => {
  const host = hostWith();
  await host.call("qemu", "started");
  const [pid = 0] = marked(host);
  const environ = host.text(`/proc/${pid}/environ`)?.split("\0") ?? [];
  const mark = environ.find((entry) => entry.startsWith("VIRT_HOOKS_HOLD="))?.split("=")[1] ?? "";
  addProcess(host.nodes, { pid: 7000, session: pid, environment: { VIRT_HOOKS_HOLD: mark } });
  endProcess(host, pid);
  await host.call("qemu", "stopped");
  assertEquals(marked(host), []);
});

Deno.test("a process of the same number that is not the program's is left alone", async () => {
  const host = hostWith();
  await host.call("qemu", "started");
  const [pid = 0] = marked(host);
  endProcess(host, pid);
  addProcess(host.nodes, { pid, session: pid, environment: { OTHER: "1" } });
  host.write(`/proc/${pid}/stat`, (host.text(`/proc/${pid}/stat`) ?? "").replace(/ \d+ 1 1$/, " 999999 1 1"));
  const { sys } = await host.call("qemu", "stopped");
  assertEquals([sys.killed, host.nodes.has(`/proc/${pid}/stat`)], [[], true]);
});

Deno.test("a process that hides its mark is known by when it was started", async () => {
  const host = hostWith();
  await host.call("qemu", "started");
  const [pid = 0] = marked(host);
  host.write(`/proc/${pid}/environ`, "");
  const { sys } = await host.call("qemu", "stopped");
  assertEquals([sys.killed.includes(pid), host.nodes.has(`/proc/${pid}/stat`)], [true, false]);
});

/** A host of so many processes that each look at one of them takes time. */
function slowLooks(msPerFile: number): (sys: MemorySys) => Sys {
  return (sys) => ({
    ...sys,
    kernel: {
      ...sys.kernel,
      read: async (paths, timeoutMs = Infinity) => {
        const tookMs = Math.min(paths.length * msPerFile, timeoutMs);
        if (paths.some((path) => path.endsWith("/stat"))) sys.clock.elapsedMs += Math.max(tookMs, 0);
        if (tookMs === timeoutMs) throw new InterruptedError("Cannot read: no time was left for this call");
        return await sys.kernel.read(paths, timeoutMs);
      },
    },
  });
}

/** Slow in this many ms per file; with 4,000 other processes. The last call is of another guest. */
const CROWDED = [
  { msPerFile: 0.2, ended: "at stopped" },
  { msPerFile: 0.3, ended: "at the next call" },
  { msPerFile: 1, ended: "at the next call" },
] as const;
for (const { msPerFile, ended } of CROWDED) {
  Deno.test(`among many processes, ${msPerFile} ms each, a container's process ends ${ended}, in time`, async () => {
    const host = hostWith();
    await host.call("lxc", "started");
    const [pid = 0] = marked(host);
    for (let other = 100; other < 4100; other++) {
      addProcess(host.nodes, { pid: other, session: other, environment: {} });
    }
    const { code, stderr, sys, history } = await host.call("lxc", "stopped", {}, slowLooks(msPerFile));
    assertEquals(code, 0);
    assert(sys.clock.elapsedMs < 2000, `${sys.clock.elapsedMs} of 2000 ms`);
    if (ended === "at stopped") {
      assertEquals([stderr, marked(host), statesOf(host)], ["", [], []]);
      return;
    }
    assertStringIncludes(stderr, "no time was left for this call");
    assertEquals(history["outcome"], "failed");
    // It is not taken for ended, and nobody else is.
    assert(sys.killed.every((group) => group === pid), `killed ${sys.killed}`);
    assertEquals(statesOf(host).length, 1, "it is remembered");
    assertEquals((await admin(host, ["status"])).code, 1);
    const next = await host.call("lxc", "release", { name: "db-1", uuid: "99999999-2222-4333-8444-555555555555" });
    assertEquals([next.code, next.stderr, marked(host), statesOf(host)], [0, "", [], []]);
    assert(host.nodes.has("/proc/100/stat"), "another process lives");
  });
}

/** What does not end is told as such only where it was waited for. */
const STUBBORN = [
  { driver: "qemu", says: "(program) cannot be killed" },
  { driver: "lxc", says: "no time was left for this call" },
] as const;
for (const { driver, says } of STUBBORN) {
  Deno.test(`a process of a guest of ${driver} that no signal ends is waited for, and not searched for meanwhile`, async () => {
    const host = hostWith();
    await host.call(driver, "started");
    let listings = 0;
    const { stderr } = await host.call(driver, "stopped", {}, (sys) => ({
      ...sys,
      killGroup: () => {},
      kernel: {
        ...sys.kernel,
        list: (folder, timeoutMs) => {
          if (folder === "/proc") listings++;
          return sys.kernel.list(folder, timeoutMs);
        },
      },
    }));
    assertStringIncludes(stderr, says);
    assert(listings <= 4, `${listings} listings`);
    assertEquals(marked(host).length, 1);
  });
}

Deno.test("a process that ends at once fails what begins, with its exit status", async () => {
  const host = hostWith({ dying: { "/opt/watch": { kind: "exited", code: 7 } } }, `${RULES.trimEnd()}\n`);
  const { code, history } = await host.call("qemu", "started");
  // At started a failure would kill the guest: it is noted.
  assertEquals(code, 0);
  assertStringIncludes(JSON.stringify(history), "/opt/watch exited with status 7 at once");
  assertEquals(host.ledgerFiles(), []);
});

Deno.test("a process whose program is not root's alone is refused before the guest starts", async () => {
  const host = hostWith({ files: { "/opt/watch": { ...PROGRAM, uid: 1000 } } });
  const { code, stderr } = await host.call("qemu", "prepare");
  assertEquals(code, 4);
  assertStringIncludes(stderr, "cannot run /opt/watch: not trusted: /opt/watch belongs to user 1000");
});

Deno.test("with systemd a process is a unit, with its environment and its arguments as they are", async () => {
  const { host: more, units, asked } = transientUnits();
  const rules = RULES.replace('"${domain}"', '"$HOME/${domain}"');
  const host = hostWith(more, rules);
  assertEquals((await host.call("qemu", "started")).code, 0);
  assertEquals([...units.values()], ["active"]);
  const [line = ""] = asked;
  assertStringIncludes(line, " --property=KillMode=control-group ");
  assertStringIncludes(line, " --setenv=VIRT_HOOKS_OBJECT=web-1 ");
  assert(line.endsWith(" -- /opt/watch $$HOME/web-1"), line);
  await host.call("qemu", "reconnect");
  assertEquals(asked.length, 1);
  await host.call("qemu", "stopped");
  assertEquals([...units], []);
  await host.call("qemu", "release");
  assertEquals(host.ledgerFiles(), []);
});

Deno.test("a unit that has ended is started again, and one that has failed is forgotten with the guest", async () => {
  const { host: more, units, asked } = transientUnits();
  const host = hostWith(more);
  await host.call("qemu", "started");
  const [first = ""] = units.keys();
  units.set(first, "failed");
  await host.call("qemu", "reconnect");
  assertEquals([asked.length, [...units.values()], units.has(first)], [2, ["active"], false]);
  units.set([...units.keys()][0] ?? "", "failed");
  await host.call("qemu", "stopped");
  assertEquals([...units], []);
});

Deno.test("a unit that ends at once fails what begins, with its exit status, and is forgotten", async () => {
  const { host: more, units } = transientUnits();
  const host = hostWith(more, RULES.replace('"${domain}"', '"broken"'));
  const { history } = await host.call("qemu", "started");
  assertStringIncludes(JSON.stringify(history), "/opt/watch ended with status 7 (exit-code) at once");
  assertEquals([[...units], host.ledgerFiles()], [[], []]);
});

Deno.test("status says how a unit ended that failed by itself", async () => {
  const { host: more, units } = transientUnits();
  const host = hostWith(more);
  await host.call("qemu", "started");
  units.set([...units.keys()][0] ?? "", "failed");
  const { lines } = await admin(host, ["status"]);
  assertStringIncludes(
    lines.map((line) => line.trim()).join(" "),
    "/opt/watch ended by itself: it ended with status 7 (exit-code)",
  );
});
