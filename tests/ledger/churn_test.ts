/**
 * Guests that come and go leave nothing in the ledger, whatever a hook was killed at and whoever comes while the last one goes.
 * @module
 */
import { hostOf } from "../support/host.ts";
import { runHook } from "../../lib/app/run_hook.ts";
import { drivers } from "../../lib/libvirt/drivers.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { ELF_START } from "../support/elf.ts";
import { killable } from "../support/killing_sys.ts";
import { type LedgerHost, ledgerHost } from "../support/ledger_host.ts";

const SWAPPINESS = "/proc/sys/vm/swappiness";
const LEDGER = "/run/virt-hooks/ledger";
const PROGRAM = { text: ELF_START, mode: 0o755 };
const RULES = `[[rule]]
name = "all"
when = { domain = "*" }
sysctl = { "vm.swappiness" = 1 }
run = { argv = ["/opt/begin"], undo = ["/opt/end"] }
process = { argv = ["/opt/watch"] }
`;

function makeHost(rules = RULES): LedgerHost {
  return ledgerHost(rules, {
    files: { [SWAPPINESS]: "60\n", "/opt/begin": PROGRAM, "/opt/end": PROGRAM, "/opt/watch": PROGRAM },
    programs: { "/opt/begin": () => ({}), "/opt/end": () => ({}) },
  });
}

function guest(number: number): { readonly name: string; readonly uuid: string } {
  return { name: `ci-${number}`, uuid: `11111111-2222-4333-8444-${String(number).padStart(12, "0")}` };
}

Deno.test("two hundred transient guests, one after the other, leave an empty ledger", async () => {
  const host = makeHost();
  for (let number = 0; number < 200; number++) {
    for (const operation of ["prepare", "started", "stopped", "release"]) {
      const { code, stderr } = await host.call("qemu", operation, guest(number));
      assertEquals([code, stderr], [0, ""]);
    }
    assertEquals(host.ledgerFiles(), []);
  }
});

Deno.test("a guest whose release was killed anywhere leaves nothing once another guest has come and gone", async () => {
  for (let at = 1;; at++) {
    const host = makeHost();
    for (const operation of ["prepare", "started", "stopped"]) await host.call("qemu", operation, guest(1));
    let isKilled = (): boolean => false;
    await host.call("qemu", "release", guest(1), (sys) => {
      const process = killable(sys, { at, moment: "before" });
      ({ isKilled } = process);
      return process.sys;
    });
    if (!isKilled()) break;
    for (const operation of ["prepare", "started", "stopped", "release"]) await host.call("qemu", operation, guest(2));
    await host.call("qemu", "release", guest(1));
    assertEquals([host.text(SWAPPINESS)?.trim(), host.ledgerFiles()], ["60", []], `killed at effect ${at}`);
  }
});

/** The steps at which another process takes part in the removal of a resource's folder. */
Deno.test("a newcomer between any two steps of the removal gets a folder and a lock of its own", async () => {
  const rules = RULES.split("\n").filter((line) => !/^(run|process)/.test(line)).join("\n");
  for (let at = 1;; at++) {
    const host = makeHost(rules);
    await host.call("qemu", "prepare", guest(1));
    const folder = [...host.nodes.keys()].find((path) => /\/resources\/[0-9a-f]+$/.test(path)) ?? "";
    let step = 0;
    let newcomer: Disposable | undefined;
    await host.call("qemu", "release", guest(1), (sys) => ({
      ...sys,
      removeFile: (path) => {
        sys.removeFile(path);
        if (path.startsWith(LEDGER) && ++step === at) newcomer = comeIn(host, folder);
      },
    }));
    if (step < at) break;
    newcomer?.[Symbol.dispose]();
    await host.call("qemu", "prepare", guest(2));
    assertEquals(host.text(SWAPPINESS), "1", `at step ${at}`);
    await host.call("qemu", "release", guest(2));
    assertEquals([host.text(SWAPPINESS), host.ledgerFiles(), [...host.locks]], ["60", [], []], `at step ${at}`);
  }
});

/** What another process does first: it makes the folder, and takes the lock where nobody has it. */
function comeIn(host: LedgerHost, folder: string): Disposable | undefined {
  const sys = host.sys();
  if (sys.lstat(folder) === undefined) sys.makeDirectory(folder, 0o700);
  return sys.lock(`${folder}/lock`);
}

Deno.test("a hook whose resource's folder is removed while it waits makes it anew", async () => {
  const host = makeHost();
  let removals = 0;
  const { code, stderr } = await host.call("qemu", "prepare", guest(1), (sys) => ({
    ...sys,
    makeDirectory: (path, mode) => {
      sys.makeDirectory(path, mode);
      if (!/\/resources\/[0-9a-f]+$/.test(path) || ++removals > 3) return;
      sys.removeFile(path);
    },
  }));
  assertEquals([code, stderr, host.text(SWAPPINESS)], [0, "", "1"]);
  assert(removals > 3);
});

/** What versions left that removed neither folders nor locks. */
function addLeftovers(host: LedgerHost, count: number): void {
  const sys = host.sys();
  for (let number = 0; number < count; number++) {
    const name = String(number).padStart(32, "0");
    const folder = `${LEDGER}/resources/${name}`;
    for (const path of [folder, `${folder}/demands`]) sys.makeDirectory(path, 0o700);
    for (const path of [`${folder}/lock`, `${folder}/busy`, `${LEDGER}/holders/${name}.lock`]) {
      sys.createFile(path, "", 0o600);
    }
  }
}

Deno.test("what older versions left goes at the daemon's start, and meanwhile a little with each call", async () => {
  const host = makeHost();
  await host.call("qemu", "prepare", guest(1));
  await host.call("qemu", "release", guest(1));
  addLeftovers(host, 200);
  const before = host.ledgerFiles().length;
  await host.call("qemu", "release", guest(1));
  const after = host.ledgerFiles().length;
  assert(after < before && after > 0, `${before} → ${after}`);
  await host.call("daemon", "start");
  assertEquals(host.ledgerFiles(), []);
});

Deno.test("a daemon's start that has no time left removes the rest at the next one", async () => {
  const host = makeHost();
  await host.call("qemu", "prepare", guest(1));
  addLeftovers(host, 20);
  const sys = host.sys(["-", "start", "-", "start"]);
  sys.clock.elapsedMs = 60_000;
  await runHook(drivers.daemon, hostOf(sys));
  assertEquals(host.ledgerFiles().filter((path) => /\/resources\/0+[0-9]+$/.test(path)).length, 20);
  await host.call("qemu", "release", guest(1));
  await host.call("daemon", "start");
  assertEquals(host.ledgerFiles(), []);
});
