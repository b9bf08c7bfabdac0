/**
 * An undo that fails: what each way out comes to.
 * @module
 */
import { HISTORY_FILE } from "../../lib/app/product.ts";
import { assertEquals, assertStringIncludes } from "../support/assert.ts";
import { admin } from "../support/admin.ts";
import { ELF_START } from "../support/elf.ts";

import { type LedgerHost, ledgerHost, statesOf, UUID } from "../support/ledger_host.ts";

const KEY = `command/by hand/run/qemu/domain/${UUID}`;
const COMMAND = `virt-hooks release --resource '${KEY}'`;

function rule(more = ""): string {
  return `[[rule]]\nname = "by hand"\nwhen = { domain = "*" }\nrun = { argv = ["/opt/add"], undo = ["/opt/del"]${more} }\n`;
}

interface Stage {
  readonly host: LedgerHost;
  readonly ran: string[];
  readonly undo: { fails: boolean };
}

function stage(more = ""): Stage {
  const ran: string[] = [];
  const undo = { fails: true };
  const program = { text: ELF_START, mode: 0o755 };
  const host = ledgerHost(rule(more), {
    files: { "/opt/add": program, "/opt/del": program },
    programs: {
      "/opt/add": () => {
        ran.push("add");
        return {};
      },
      "/opt/del": () => {
        ran.push("del");
        return undo.fails ? { stderr: "Bad rule\n", end: { kind: "exited", code: 1 } } : {};
      },
    },
  });
  return { host, ran, undo };
}

/** A guest that ended while its undo could not succeed. */
async function stuck(more = ""): Promise<Stage> {
  const set = stage(more);
  for (const operation of ["prepare", "release"]) await set.host.call("qemu", operation);
  assertEquals(statesOf(set.host).length, 1);
  return set;
}

Deno.test("an undo that fails is told with the command that gives it up, at the release and at the next start", async () => {
  const { host, ran } = stage();
  await host.call("qemu", "prepare");
  const released = await host.call("qemu", "release");
  assertEquals([released.code, released.history["outcome"]], [0, "failed"]);
  assertStringIncludes(released.stderr, COMMAND);
  const prepared = await host.call("qemu", "prepare");
  assertEquals([prepared.code, ran], [4, ["add", "del", "del"]]);
  assertStringIncludes(prepared.stderr, "/opt/del exited with status 1: Bad rule");
  assertStringIncludes(prepared.stderr, COMMAND);
  const { code, lines } = await admin(host, ["reconcile"]);
  assertEquals(code, 4);
  assertStringIncludes(lines.join("\n"), COMMAND);
});

// Once the guest runs it is too late to refuse its start.
Deno.test("an undo of a run during running that fails refuses the next start, as its prepare says", async () => {
  const { host, ran, undo } = stage(', during = "running"');
  for (const operation of ["prepare", "started", "stopped", "release"]) await host.call("qemu", operation);
  const document = `<domain><name>web-1</name><uuid>${UUID}</uuid></domain>`;
  const explained = await admin(host, ["explain", "qemu", "web-1", "prepare"], { stdin: document });
  assertEquals(explained.lines.slice(-2), [
    "        first undoes what an earlier start did; the last try failed, and this fails when the next one does: " +
    "/opt/del exited with status 1: Bad rule",
    "        only checked at prepare: acquired when the guest runs",
  ]);
  const refused = await host.call("qemu", "prepare");
  assertEquals([refused.code, ran], [4, ["add", "del", "del"]]);
  assertStringIncludes(refused.stderr, "what an earlier start did cannot be undone: /opt/del exited with status 1");
  assertStringIncludes(refused.stderr, COMMAND);
  undo.fails = false;
  const { code, history } = await host.call("qemu", "prepare");
  assertEquals([code, JSON.parse(JSON.stringify(history["holds"]))], [0, [
    { resource: KEY, end: "restored", change: { from: "/opt/add has run", to: "not run" } },
  ]]);
  assertEquals([(await host.call("qemu", "started")).code, ran], [0, ["add", "del", "del", "del", "add"]]);
});

Deno.test('a run with on_error = "continue" over an undo that fails: the start goes on, and says so', async () => {
  const { host, ran } = stage(', during = "running", on_error = "continue"');
  for (const operation of ["prepare", "started", "stopped", "release"]) await host.call("qemu", operation);
  const prepared = await host.call("qemu", "prepare");
  assertEquals([prepared.code, prepared.history["outcome"], ran], [0, "failed", ["add", "del", "del"]]);
  assertStringIncludes(prepared.stderr, "what an earlier start did cannot be undone: /opt/del exited with status 1");
});

Deno.test("explain tells that the undo of an earlier start comes first, and may fail again", async () => {
  const { host, undo } = await stuck();
  const document = `<domain><name>web-1</name><uuid>${UUID}</uuid></domain>`;
  const explained = await admin(host, ["explain", "qemu", "web-1", "prepare"], { stdin: document });
  assertEquals(explained.lines.slice(-2), [
    "        first undoes what an earlier start did; the last try failed, and this fails when the next one does: " +
    "/opt/del exited with status 1: Bad rule",
    "        now command/by hand/run: not run → /opt/add was started",
  ]);
  const prepared = await host.call("qemu", "prepare");
  assertEquals(prepared.code, 4);
  assertStringIncludes(prepared.stderr, "what an earlier start did cannot be undone: /opt/del exited with status 1");
  undo.fails = false;
  const { code, history } = await host.call("qemu", "prepare");
  assertEquals([code, JSON.parse(JSON.stringify(history["holds"]))], [0, [
    { resource: KEY, end: "restored", change: { from: "/opt/add has run", to: "not run" } },
  ]]);
});

Deno.test("the history of a start that fails tells what was given back, and what could not be", async () => {
  const program = { text: ELF_START, mode: 0o755 };
  const fails = (): { readonly end: { readonly kind: "exited"; readonly code: number } } => ({
    end: { kind: "exited", code: 3 },
  });
  const host = ledgerHost(`${rule()}sysctl = { "vm.swappiness" = 1 }\n`, {
    files: { "/opt/add": program, "/opt/del": program, "/proc/sys/vm/swappiness": "60\n" },
    programs: { "/opt/add": fails, "/opt/del": fails },
  });
  const { code, history } = await host.call("qemu", "prepare");
  assertEquals([code, host.text("/proc/sys/vm/swappiness")], [4, "60"]);
  assertEquals(JSON.parse(JSON.stringify(history["holds"])), [
    { resource: KEY, end: "failed", problem: "/opt/del exited with status 3" },
    { resource: "sysctl/vm/swappiness", end: "restored", change: { from: "1", to: "60" } },
  ]);
  const told = await admin(host, ["history"]);
  assertEquals(told.lines.at(-1)?.trim(), "sysctl/vm/swappiness: 1 → 60, restored");
});

Deno.test("release --resource tries again, and forgets nothing without being told", async () => {
  const { host, ran, undo } = await stuck();
  const refused = await admin(host, ["release", "--resource", KEY, "--yes"]);
  assertEquals([refused.code, ran.length], [4, 3]);
  assertStringIncludes(refused.lines.join("\n"), "--forget forgets it");
  assertEquals(statesOf(host).length, 1);
  undo.fails = false;
  const { code } = await admin(host, ["release", "--resource", KEY, "--yes"]);
  assertEquals([code, host.ledgerFiles()], [0, []]);
  assertEquals((await host.call("qemu", "prepare")).code, 0);
});

Deno.test("release --resource --forget forgets what cannot be put back, says what is lost, and the guest starts again", async () => {
  const { host, ran } = await stuck();
  const { code, lines } = await admin(host, ["release", "--resource", KEY, "--forget"]);
  assertEquals([code, host.ledgerFiles(), ran.length], [0, [], 3]);
  for (const said of ["before: not run", "is never restored", "forgotten"]) {
    assertStringIncludes(lines.join("\n"), said);
  }
  const history = (await admin(host, ["history"])).lines.slice(-3);
  assertStringIncludes(history[0] ?? "", "virt-hooks release --resource by uid 0: ");
  assertStringIncludes(history[2] ?? "", `note: forgotten: ${KEY} (now: /opt/add has run; before: not run)`);
  assertEquals((await host.call("qemu", "prepare")).code, 0);
});

function lastEntry(host: LedgerHost): Record<string, unknown> {
  return JSON.parse((host.text(HISTORY_FILE) ?? "").trimEnd().split("\n").at(-1) ?? "");
}

Deno.test("release --resource takes what a guest holds only when that is agreed to", async () => {
  const host = ledgerHost('[[rule]]\nname = "r"\nwhen = { domain = "*" }\nsysctl = { "vm.swappiness" = 1 }\n', {
    files: { "/proc/sys/vm/swappiness": "60\n" },
  });
  await host.call("qemu", "prepare");
  const args = ["release", "--resource", "sysctl/vm/swappiness"];
  const asked = await admin(host, [...args, "--forget"]);
  assertEquals([asked.code, host.text("/proc/sys/vm/swappiness")], [2, "1"]);
  const { code, lines } = await admin(host, [...args, "--yes"]);
  assertStringIncludes(lines.join("\n"), 'guest "web-1" (qemu) holds it, and loses it');
  assertEquals([code, host.text("/proc/sys/vm/swappiness"), host.ledgerFiles()], [0, "60", []]);
  const { operation, outcome, guests, holds } = lastEntry(host);
  assertEquals({ operation, outcome, guests, holds }, {
    operation: "release --resource",
    outcome: "done",
    guests: ["web-1"],
    holds: [{ resource: "sysctl/vm/swappiness", end: "restored", change: { from: "1", to: "60" } }],
  });
});

for (
  const args of [["release"], ["release", "a", "--resource", "b"], ["release", "a", "--forget"]]
) {
  Deno.test(`${args.join(" ")} is refused before anything is looked at`, async () => {
    assertEquals((await admin(stage().host, args)).code, 2);
  });
}

Deno.test('with undo_error = "continue" an undo that fails is noted, forgotten, and does not block the next life', async () => {
  const { host, ran } = stage(', undo_error = "continue"');
  for (let life = 0; life < 2; life++) {
    const prepared = await host.call("qemu", "prepare");
    assertEquals([prepared.code, prepared.stderr], [0, ""]);
    const released = await host.call("qemu", "release");
    assertEquals([released.code, released.stderr, released.history["outcome"]], [0, "", "done"]);
    assertStringIncludes(JSON.stringify(released.history["notes"]), "/opt/del exited with status 1: Bad rule");
    assertEquals(host.ledgerFiles(), []);
  }
  assertEquals(ran, ["add", "del", "add", "del"]);
});

Deno.test('with undo_error = "continue" an undo is tried again where it was cut short, or had no time', async () => {
  const { host } = stage(', undo_error = "continue"');
  await host.call("qemu", "prepare");
  await host.call("qemu", "release", {}, (sys) => ({
    ...sys,
    run: async (command) => ({ ...await sys.run(command), end: { kind: "interrupted", signal: "SIGTERM" } }),
  }));
  assertEquals(statesOf(host).length, 1);
  await host.call("qemu", "release");
  assertEquals(host.ledgerFiles(), []);
});

Deno.test("the rule decides at the beginning of a life what becomes of an undo that fails at its end", async () => {
  const { host } = stage();
  await host.call("qemu", "prepare");
  host.write("/etc/virt-hooks/rules.toml", rule(', undo_error = "continue"'));
  await host.call("qemu", "release");
  assertEquals(statesOf(host).length, 1);
});
