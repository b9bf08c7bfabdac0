/**
 * Programs that live while a guest runs, on a host in memory: with a session of their own, and as units of systemd.
 * @module
 */
import { addProcess } from "../../lib/sys/memory_processes.ts";
import type { MemoryHost } from "../../lib/sys/memory_sys.ts";
import { admin } from "../support/admin.ts";
import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { ELF_START } from "../support/elf.ts";
import { type LedgerHost, ledgerHost } from "../support/ledger_host.ts";
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
