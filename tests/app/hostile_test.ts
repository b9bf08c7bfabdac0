/**
 * Hook calls on a host where others have got at what the hooks rely on, or where it does not answer.
 */
import { hostOf } from "../support/host.ts";
import { HISTORY_FILE } from "../../lib/app/product.ts";
import { runHook } from "../../lib/app/run_hook.ts";
import { drivers } from "../../lib/libvirt/drivers.ts";
import type { Driver, DriverName } from "../../lib/libvirt/driver.ts";
import { type MemoryHost, type MemorySys, memorySys } from "../../lib/sys/memory_sys.ts";
import { assertEquals, assertStringIncludes } from "../support/assert.ts";
import { ELF_START } from "../support/elf.ts";

const RULES = "/etc/virt-hooks/rules.toml";
const DENY = '[[rule]]\nname = "r"\nwhen = { on = "prepare" }\ndeny = "no"\n';

async function call(
  words: readonly [DriverName, string],
  host: MemoryHost,
): Promise<{ readonly code: number; readonly sys: MemorySys; readonly history: string }> {
  const [name, operation] = words;
  const driver: Driver = drivers[name];
  const files = { "/var/log/x": "", "/run/x": "", ...host.files };
  const sys = memorySys({ args: ["web-1", operation, "begin", "-"], ...host, files });
  const code = await runHook(driver, hostOf(sys));
  return { code, sys, history: sys.nodes.get(HISTORY_FILE)?.text ?? "" };
}

const OPEN_FOLDER = { kind: "directory", mode: 0o777 } as const;
const CAUGHT =
  "virt-hooks: the rules are broken: /etc/virt-hooks: found /etc/virt-hooks can be written by others than root (mode 0777), " +
  "expected a folder that only root can write; try: chmod go-w /etc/virt-hooks\n";

for (
  const [name, files] of Object.entries({
    "a file of root's that others renamed to `disabled`": { "/etc/virt-hooks/disabled": DENY },
    "nothing left, since others removed it": {},
    "the rules still there": { [RULES]: DENY },
  })
) {
  Deno.test(`runHook() obeys nothing in a folder that others can write: ${name}`, async () => {
    const { code, sys } = await call(["qemu", "prepare"], { files: { "/etc/virt-hooks": OPEN_FOLDER, ...files } });
    assertEquals(code, 3);
    assertStringIncludes(sys.written.stderr, CAUGHT);
  });
}

Deno.test("runHook() writes the history before stderr, which nobody may read", async () => {
  const sys = memorySys({
    args: ["web-1", "prepare", "begin", "-"],
    files: { [RULES]: DENY, "/var/log/x": "" },
  });
  let before: string | undefined;
  await runHook(drivers.qemu, hostOf({ ...sys, writeStderr: () => before = sys.nodes.get(HISTORY_FILE)?.text }));
  assertStringIncludes(before ?? "", '"outcome":"refused"');
});

const DOMAIN = "<domain type='kvm'><name>web-1</name><uuid>c7a5fdbd-cdaf-9455-926a-d65c16db1809</uuid><a/></domain>";
const EDIT =
  '[[rule]]\nname = "r"\nwhen = { on = "migrate", driver = "qemu" }\nedit = { path = "/domain/a", remove = true }\n';

for (const [stdout, code] of [["/dev/null", 4], ["pipe:[1]", 0]] as const) {
  Deno.test(`runHook() with an edited document for ${stdout} gives ${code}`, async () => {
    const done = await call(["qemu", "migrate"], {
      files: { [RULES]: EDIT, "/proc/self/fd/1": { kind: "symlink", text: stdout } },
      stdin: { kind: "whole", bytes: new TextEncoder().encode(DOMAIN) },
    });
    assertEquals([done.code, done.sys.written.stdout === ""], [code, code !== 0]);
  });
}

Deno.test("runHook() writes no character into the history that a terminal obeys or hides", async () => {
  const name = "a\u009b\x7f\u202e\u200b\u061c\u00ad\u{e0041}b";
  const { history } = await call(["qemu", "prepare"], {
    args: [name, "prepare", "begin", "-"],
    files: { [RULES]: DENY },
  });
  assertEquals(/^[\x20-\x7e]*$/.test(history.trimEnd()), true, history);
  assertEquals(JSON.parse(history).object, name);
});

Deno.test("runHook() begins a line of its own behind one that a full disk cut off", async () => {
  const { history } = await call(["qemu", "prepare"], { files: { [RULES]: DENY, [HISTORY_FILE]: '{"level":"IN' } });
  assertEquals(history.split("\n").map((line) => line.slice(0, 12)), ['{"level":"IN', '{"level":"WA', ""]);
});

Deno.test("runHook() keeps the reasons for a rule short in the history", async () => {
  const label = `<metadata><l:labels xmlns:l="urn:virt-hooks:1"><l:label name="r">${
    "x".repeat(30_000)
  }</l:label></l:labels></metadata>`;
  const { history } = await call(["qemu", "prepare"], {
    files: { [RULES]: '[[rule]]\nname = "r"\nwhen = { on = "prepare", label.r = "x*" }\ndeny = "no"\n' },
    stdin: { kind: "whole", bytes: new TextEncoder().encode(DOMAIN.replace("<a/>", label)) },
  });
  assertEquals([JSON.parse(history).rules.length, history.length < 2_000], [1, true]);
});

for (const bad of ["<domain>&S3cr3t;</domain>", "<domain><S3cr3t x=></domain>", "<domain><a></S3cr3t></domain>"]) {
  Deno.test(`runHook() does not quote what stands where a name is read: ${bad}`, async () => {
    const program = { text: "#!/bin/sh\n", mode: 0o755 };
    const { code, sys, history } = await call(["qemu", "migrate"], {
      files: {
        [RULES]:
          '[[rule]]\nname = "r"\nwhen = { on = "migrate", driver = "qemu" }\nrun = { argv = ["/opt/p"], output = "document" }\n',
        ...{ "/opt/p": program, "/bin/sh": { text: ELF_START, mode: 0o755 } },
      },
      programs: { "/opt/p": () => ({ stdout: bad }) },
      stdin: { kind: "whole", bytes: new TextEncoder().encode(DOMAIN) },
    });
    assertEquals([code, /S3cr3t/.test(sys.written.stderr + history)], [4, false], sys.written.stderr);
    assertStringIncludes(sys.written.stderr, "at line 1, column ");
  });
}

const DEAD = {
  "/proc/self/mountinfo": "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n23 22 0:50 / /mnt rw - nfs4 server:/x rw\n",
} as const;

for (
  const [name, rule, want] of [
    [
      "file",
      'when = { on = ["OP"], driver = "qemu", file = "/mnt/flag" }\ndeny_or_run',
      "Cannot determine whether it applies",
    ],
    [
      "program",
      'when = { on = ["OP"], driver = "qemu" }\nrun = { argv = ["/mnt/program"] }',
      "cannot run /mnt/program",
    ],
    [
      "argument",
      'when = { on = ["OP"], driver = "qemu" }\nrun = { argv = ["/opt/p", "/mnt/data"] }',
      "cannot run /opt/p",
    ],
  ] as const
) {
  for (const [operation, fails] of [["prepare", true], ["reconnect", false]] as const) {
    Deno.test(`runHook() with a ${name} on a dead file system at ${operation}`, async () => {
      const text = rule.replace("OP", operation).replace("deny_or_run", 'run = { argv = ["/opt/p"] }');
      const { code, sys, history } = await call(["qemu", operation], {
        files: { ...DEAD, [RULES]: `[[rule]]\nname = "r"\n${text}\n`, "/opt/p": { text: ELF_START, mode: 0o755 } },
        programs: { "/usr/bin/find": () => ({ end: { kind: "timed-out", stuck: true } }) },
      });
      assertEquals(code !== 0, fails, sys.written.stderr);
      for (const part of [`rule "r": ${want}`, "does not answer (file system nfs4 on /mnt)"]) {
        assertStringIncludes(sys.written.stderr, part);
        assertStringIncludes(JSON.parse(history).message, part);
      }
      assertEquals(sys.commands.map(({ argv }) => argv[0]), ["/usr/bin/find"], "one look, and no program is run");
    });
  }
}
