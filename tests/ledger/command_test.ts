/**
 * Programs that are run for a guest's life, and undone: what runs when, with what, and what is remembered.
 * @module
 */
import { addProcess } from "../../lib/sys/memory_processes.ts";
import type { CommandEnd } from "../../lib/sys/sys.ts";
import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { ELF_START } from "../support/elf.ts";
import { type LedgerHost, ledgerHost, procStat, statesOf } from "../support/ledger_host.ts";

const PROGRAM = { text: ELF_START, mode: 0o755 } as const;

function recorder(more = "", name = "recorder"): string {
  return `[[rule]]\nname = "${name}"\nwhen = { domain = "*" }\n` +
    `run = { argv = ["/opt/begin", "\${domain}"], undo = ["/opt/end", "\${domain}"]${more} }\n`;
}

/** A host that notes which programs were run, and how they shall end. */
interface Stage {
  readonly host: LedgerHost;
  readonly ran: string[];
  /** By path; what is not there exits with 0. */
  readonly ends: Record<string, CommandEnd>;
  readonly environments: Readonly<Record<string, string>>[];
}

function stage(rules: string): Stage {
  const ran: string[] = [];
  const ends: Record<string, CommandEnd> = {};
  const environments: Readonly<Record<string, string>>[] = [];
  const paths = ["/opt/begin", "/opt/end", "/opt/other"];
  const programs = Object.fromEntries(paths.map((path) => [path, ({ argv, environment }: {
    readonly argv: readonly string[];
    readonly environment: Readonly<Record<string, string>>;
  }) => {
    ran.push(argv.join(" "));
    environments.push(environment);
    return {
      end: ends[path] ?? { kind: "exited", code: 0 } as const,
      stderr: ends[path] === undefined ? "" : "no way\n",
    };
  }]));
  const files = {
    "/run/libvirt/qemu/autostart/x": "",
    ...Object.fromEntries(paths.map((path) => [path, PROGRAM])),
  };
  return { host: ledgerHost(rules, { files, programs }), ran, ends, environments };
}

const FAILS: CommandEnd = { kind: "exited", code: 3 };

/** A process of the session that a hook's first program had. */
function leaveBehind(host: LedgerHost, environment: Readonly<Record<string, string>>, session: number): void {
  addProcess(host.nodes, { pid: session + 1, session, environment });
}

function isAlive(host: LedgerHost, pid: number): boolean {
  return host.nodes.has(`/proc/${pid}/stat`);
}

/** The first program that a hook runs on a host in memory. */
const SESSION = 5001;

Deno.test("a program is run once, when the guest begins, and undone when it is gone", async () => {
  const { host, ran } = stage(recorder());
  for (const operation of ["prepare", "start", "started", "reconnect", "reconnect", "stopped"]) {
    const { code, stderr } = await host.call("qemu", operation);
    assertEquals([code, stderr], [0, ""], operation);
  }
  assertEquals(ran, ["/opt/begin web-1"]);
  assertEquals((await host.call("qemu", "release")).code, 0);
  assertEquals((await host.call("qemu", "release")).code, 0);
  assertEquals(ran, ["/opt/begin web-1", "/opt/end web-1"]);
  assertEquals(host.ledgerFiles(), []);
});

Deno.test("what lasts while the guest runs is only looked at in prepare, run at started, undone at stopped", async () => {
  const { host, ran } = stage(recorder(', during = "running"'));
  await host.call("qemu", "prepare");
  assertEquals(ran, []);
  await host.call("qemu", "started");
  assertEquals(ran, ["/opt/begin web-1"]);
  await host.call("qemu", "stopped");
  assertEquals(ran, ["/opt/begin web-1", "/opt/end web-1"]);
  await host.call("qemu", "release");
  assertEquals([ran.length, host.ledgerFiles()], [2, []]);
});

Deno.test("a filling that has its value only once the guest runs does not refuse its start", async () => {
  const { host, ran } = stage(recorder(', during = "running"').replaceAll("${domain}", "${xml:/domain/port}"));
  assertEquals((await host.call("qemu", "prepare")).code, 0);
  await host.call("qemu", "started", { xml: "<port>5901</port>" });
  await host.call("qemu", "stopped");
  assertEquals(ran, ["/opt/begin 5901", "/opt/end 5901"]);
});

Deno.test("the undo gets the values and the environment of the beginning, from the ledger alone", async () => {
  const { host, ran, environments } = stage(recorder());
  await host.call("qemu", "prepare");
  host.write("/etc/virt-hooks/rules.toml", recorder("", "other").replaceAll("/opt/end", "/opt/other"));
  await host.call("qemu", "release");
  assertEquals(ran, ["/opt/begin web-1", "/opt/end web-1"]);
  const [begun, undone] = environments;
  const { VIRT_HOOKS_HOLD: mark, ...rest } = begun ?? {};
  assertEquals([undone, typeof mark], [rest, "string"]);
  assertEquals([rest["VIRT_HOOKS_RULE"], rest["VIRT_HOOKS_OPERATION"]], ["recorder", "prepare"]);
});

Deno.test("what is left of the program's session is ended before the undo; what left it, is not", async () => {
  const { host, ran, environments } = stage(recorder());
  await host.call("qemu", "prepare");
  leaveBehind(host, environments[0] ?? {}, SESSION);
  addProcess(host.nodes, { pid: 7000, session: 7000, environment: environments[0] ?? {} });
  const { sys } = await host.call("qemu", "release");
  assertEquals([sys.killed, isAlive(host, SESSION + 1), isAlive(host, 7000)], [[SESSION + 1], false, true]);
  assertEquals(ran, ["/opt/begin web-1", "/opt/end web-1"]);
});

Deno.test("a session of the same number that is not the program's is left alone", async () => {
  const { host } = stage(recorder());
  await host.call("qemu", "prepare");
  leaveBehind(host, { VIRT_HOOKS_HOLD: "another" }, SESSION);
  const { sys } = await host.call("qemu", "release");
  assertEquals([sys.killed, isAlive(host, SESSION + 1)], [[], true]);
});

Deno.test("a program that fails fails the start, and what it did is undone", async () => {
  const { host, ran, ends } = stage(recorder());
  ends["/opt/begin"] = FAILS;
  const { code, stderr } = await host.call("qemu", "prepare");
  assertEquals(code, 4);
  assertStringIncludes(stderr, "/opt/begin exited with status 3: no way");
  assertEquals([ran, host.ledgerFiles()], [["/opt/begin web-1", "/opt/end web-1"], []]);
});

Deno.test("a program that fails and may is undone, and the guest starts", async () => {
  const { host, ran, ends } = stage(recorder(', on_error = "continue"'));
  ends["/opt/begin"] = FAILS;
  assertEquals((await host.call("qemu", "prepare")).code, 0);
  assertEquals([ran, host.ledgerFiles()], [["/opt/begin web-1", "/opt/end web-1"], []]);
});

Deno.test("an undo that fails is told, kept, and tried again by reconcile", async () => {
  const { host, ran, ends } = stage(recorder());
  await host.call("qemu", "prepare");
  ends["/opt/end"] = FAILS;
  const { code, stderr } = await host.call("qemu", "release");
  assertEquals(code, 0);
  assertStringIncludes(stderr, "/opt/end exited with status 3: no way");
  const states = statesOf(host);
  assertEquals(states.length, 1);
  assertStringIncludes(host.text(states[0] ?? "") ?? "", "/opt/end exited with status 3: no way");
  delete ends["/opt/end"];
  await host.call("daemon", "start");
  assertEquals(ran, ["/opt/begin web-1", "/opt/end web-1", "/opt/end web-1"]);
  assertEquals(host.ledgerFiles(), []);
});

Deno.test("a guest does not start over what an undo left, until the undo succeeds", async () => {
  const { host, ran, ends } = stage(recorder());
  await host.call("qemu", "prepare");
  ends["/opt/end"] = FAILS;
  await host.call("qemu", "release");
  const refused = await host.call("qemu", "prepare");
  assertEquals(refused.code, 4);
  assertStringIncludes(
    refused.stderr,
    "what an earlier start did cannot be undone: /opt/end exited with status 3",
  );
  assert(ran.filter((line) => line === "/opt/begin web-1").length === 1, "it was not begun again");
  delete ends["/opt/end"];
  assertEquals((await host.call("qemu", "prepare")).code, 0);
  assertEquals(ran.slice(-2), ["/opt/end web-1", "/opt/begin web-1"]);
});

Deno.test("a guest that begins anew undoes what its last life left", async () => {
  const { host, ran } = stage(recorder());
  await host.call("qemu", "prepare");
  await host.call("qemu", "prepare");
  assertEquals(ran, ["/opt/begin web-1", "/opt/end web-1", "/opt/begin web-1"]);
});

Deno.test("the dead are undone when the daemon starts", async () => {
  const { host, ran } = stage(recorder());
  await host.call("qemu", "prepare");
  host.nodes.delete("/proc/1000/stat");
  host.write("/proc/2000/stat", procStat(2000, "libvirtd", 999));
  await host.call("daemon", "start", {}, (sys) => {
    sys.parent.pid = 2000;
    return sys;
  });
  assertEquals([ran, host.ledgerFiles()], [["/opt/begin web-1", "/opt/end web-1"], []]);
});

Deno.test("two programs of one rule are run in order and undone in reverse", async () => {
  const rules = `[[rule]]\nname = "two"\nwhen = { domain = "*" }\nrun = [\n` +
    `  { argv = ["/opt/begin", "1"], undo = ["/opt/end", "1"] },\n  { argv = ["/opt/begin", "2"], undo = ["/opt/end", "2"] },\n]\n`;
  const { host, ran } = stage(rules);
  await host.call("qemu", "prepare");
  await host.call("qemu", "release");
  assertEquals(ran, ["/opt/begin 1", "/opt/begin 2", "/opt/end 2", "/opt/end 1"]);
});

Deno.test("what was begun once the guest ran is undone before what was there for its start, whatever the order of rules", async () => {
  const whileRunning = recorder(', during = "running"', "a").replace("/opt/end", "/opt/other");
  const { host, ran } = stage(whileRunning + recorder("", "b"));
  for (const operation of ["prepare", "started", "release"]) await host.call("qemu", operation);
  assertEquals(ran, ["/opt/begin web-1", "/opt/begin web-1", "/opt/other web-1", "/opt/end web-1"]);
});

Deno.test("a program without an undo is run once; only its session is ended", async () => {
  const rules = '[[rule]]\nname = "r"\nwhen = { domain = "*" }\nrun = { argv = ["/opt/begin"], during = "running" }\n';
  const { host, ran, environments } = stage(rules);
  await host.call("qemu", "started");
  leaveBehind(host, environments[0] ?? {}, SESSION);
  await host.call("qemu", "stopped");
  assertEquals([ran, isAlive(host, SESSION + 1)], [["/opt/begin"], false]);
  await host.call("qemu", "release");
  assertEquals([ran, host.ledgerFiles()], [["/opt/begin"], []]);
});

Deno.test("a program or undo that is not root's alone is refused before the guest starts", async () => {
  for (const path of ["/opt/begin", "/opt/end"]) {
    const { host, ran } = stage(recorder(', during = "running"'));
    host.nodes.set(path, { kind: "file", uid: 1000, ...PROGRAM });
    const { code, stderr } = await host.call("qemu", "prepare");
    assertEquals([code, ran], [4, []], path);
    assertStringIncludes(stderr, `cannot run ${path}: not trusted: ${path} belongs to user 1000`);
  }
});

Deno.test("an undo that somebody else has come to own is not run", async () => {
  const { host, ran } = stage(recorder());
  await host.call("qemu", "prepare");
  host.nodes.set("/opt/end", { kind: "file", uid: 1000, ...PROGRAM });
  assertStringIncludes((await host.call("qemu", "release")).stderr, "not trusted");
  assertEquals([ran, statesOf(host).length], [["/opt/begin web-1"], 1]);
});

Deno.test("a port that is told of again keeps what its program did", async () => {
  const rules =
    '[[rule]]\nname = "r"\nwhen = { network = "*" }\nwhile = "port"\nrun = { argv = ["/opt/begin"], undo = ["/opt/end"] }\n';
  const { host, ran } = stage(rules);
  const xml = "\n<networkport>\n  <uuid>33333333-2222-4333-8444-555555555555</uuid>\n</networkport>";
  for (let time = 0; time < 2; time++) {
    assertEquals((await host.call("network", "port-created", { name: "lab", xml })).code, 0);
  }
  assertEquals(ran, ["/opt/begin"]);
  // Unless its rule was edited meanwhile.
  host.write("/etc/virt-hooks/rules.toml", rules.replace("/opt/begin", "/opt/other"));
  await host.call("network", "port-created", { name: "lab", xml });
  assertEquals(ran, ["/opt/begin", "/opt/end", "/opt/other"]);
  await host.call("network", "port-deleted", { name: "lab", xml });
  assertEquals([ran.length, host.ledgerFiles()], [4, []]);
});

Deno.test("no two hooks run programs for one guest at once: the one that is at it looks again", async () => {
  const { host, ran } = stage(recorder());
  let inner: Promise<unknown> = Promise.resolve();
  const begun = await host.call("qemu", "prepare", {}, (sys) => ({
    ...sys,
    run: async (command) => {
      const result = await sys.run(command);
      // libvirt gives up on the start while its hook still runs the program.
      if (command.argv[0] === "/opt/begin") {
        inner = host.call("qemu", "release", {}, (other) => ({ ...other, lock: lockOf(sys, other) }));
        await inner;
      }
      return result;
    },
  }));
  await inner;
  assertEquals([begun.code, ran], [0, ["/opt/begin web-1", "/opt/end web-1"]]);
  assertEquals(host.ledgerFiles(), []);
});

/** On a host in memory each process has locks of its own. Here both see those of resources; the holder's was not waited for. */
function lockOf(
  first: { lock(path: string): Disposable | undefined },
  second: { lock(path: string): Disposable | undefined },
): (path: string) => Disposable | undefined {
  return (path) => {
    if (/\/holders\//.test(path)) return second.lock(path);
    return first.lock(path);
  };
}

Deno.test("the history names the program, not its arguments", async () => {
  const { host } = stage(recorder());
  const { history } = await host.call("qemu", "prepare");
  assertStringIncludes(JSON.stringify(history), '"to":"/opt/begin has run"');
  assertStringIncludes(JSON.stringify(history), '"resource":"command/recorder/run/qemu/domain/11111111');
});

Deno.test("whoever looks at everything leaves a program alone that another hook is running", async () => {
  const { host, ran } = stage(recorder());
  const killed: number[] = [];
  const begun = await host.call("qemu", "prepare", {}, (sys) => ({
    ...sys,
    run: async (command) => {
      const result = await sys.run(command);
      addProcess(host.nodes, { pid: SESSION, session: SESSION, environment: command.environment });
      const other = await host.call("daemon", "start", {}, (one) => ({ ...one, lock: (path) => sys.lock(path) }));
      killed.push(...other.sys.killed);
      return result;
    },
  }));
  assertEquals([begun.code, begun.stderr, ran, killed], [0, "", ["/opt/begin web-1"], []]);
  await host.call("qemu", "release");
  assertEquals([ran, host.ledgerFiles()], [["/opt/begin web-1", "/opt/end web-1"], []]);
});

Deno.test("a program of which nothing is remembered is not begun in the middle of a life", async () => {
  const { host, ran } = stage(recorder());
  await host.call("qemu", "prepare");
  for (const path of statesOf(host)) host.nodes.delete(path);
  const { code, stderr } = await host.call("qemu", "reconnect");
  assertEquals([code, ran], [0, ["/opt/begin web-1"]]);
  assertStringIncludes(stderr, "nothing is remembered of its beginning");
});
