import { hostOf } from "../support/host.ts";
import { ELF_START } from "../support/elf.ts";
import { HISTORY_FILE } from "../../lib/app/product.ts";
import { runHook } from "../../lib/app/run_hook.ts";
import type { Driver, DriverName } from "../../lib/libvirt/driver.ts";
import { drivers } from "../../lib/libvirt/drivers.ts";
import { type MemoryHost, type MemorySys, memorySys } from "../../lib/sys/memory_sys.ts";
import type { CommandEnd } from "../../lib/sys/sys.ts";
import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";

const RULES = "/etc/virt-hooks/rules.toml";
const PROGRAM = "/opt/check";

/** A host with these rules and one program that ends as given. */
function host(rules: string, end: CommandEnd = { kind: "exited", code: 0 }): MemoryHost {
  return {
    files: { [RULES]: rules, [PROGRAM]: { text: ELF_START, mode: 0o755 }, "/var/log/x": "", "/run/x": "" },
    programs: { [PROGRAM]: () => ({ end, stderr: end.kind === "exited" && end.code === 0 ? "" : "no bridge\n" }) },
  };
}

async function call(
  driver: DriverName,
  operation: string,
  given: MemoryHost,
): Promise<{ readonly code: number; readonly sys: MemorySys }> {
  const sys = memorySys({ args: ["web-1", operation, "begin", "-"], ...given });
  const facts: Driver = drivers[driver];
  return { code: await runHook(facts, hostOf(sys)), sys };
}

function historyOf(sys: MemorySys): readonly Record<string, unknown>[] {
  const text = sys.nodes.get(HISTORY_FILE)?.text ?? "";
  return text.split("\n").filter((line) => line !== "").map((line) => JSON.parse(line));
}

/** `run` at an operation, with or without a word about errors. */
function runRule(driver: string, operation: string, onError?: string): string {
  const onErrorKey = onError === undefined ? "" : `, on_error = "${onError}"`;
  return `[[rule]]\nname = "r"\nwhen = { driver = "${driver}", on = "${operation}" }\nrun = { argv = ["${PROGRAM}"]${onErrorKey} }\n`;
}

const BROKEN = "[[rule]]\nname = 1\n";

/** What each kind of trouble does to a call, by what its failure would do. */
const TROUBLES: readonly {
  readonly driver: DriverName;
  readonly operation: string;
  readonly codes: Readonly<Record<string, number>>;
}[] = [
  {
    driver: "qemu",
    operation: "prepare",
    codes: { broken: 3, failing: 4, tolerated: 0, insisting: 4, long: 2, bug: 70 },
  },
  {
    driver: "lxc",
    operation: "start",
    codes: { broken: 3, failing: 4, tolerated: 0, insisting: 4, long: 2, bug: 70 },
  },
  {
    driver: "qemu",
    operation: "migrate",
    codes: { broken: 3, failing: 4, tolerated: 0, insisting: 4, long: 2, bug: 70 },
  },
  {
    driver: "network",
    operation: "port-created",
    codes: { broken: 3, failing: 4, tolerated: 0, insisting: 4, long: 2, bug: 70 },
  },
  {
    driver: "qemu",
    operation: "started",
    codes: { broken: 0, failing: 0, tolerated: 0, insisting: 4, long: 0, bug: 0 },
  },
  {
    driver: "lxc",
    operation: "reconnect",
    codes: { broken: 0, failing: 0, tolerated: 0, insisting: 4, long: 0, bug: 0 },
  },
  {
    driver: "network",
    operation: "updated",
    codes: { broken: 0, failing: 0, tolerated: 0, insisting: 4, long: 0, bug: 0 },
  },
  { driver: "qemu", operation: "release", codes: { broken: 0, failing: 0, tolerated: 0, long: 0, bug: 0 } },
  { driver: "network", operation: "started", codes: { broken: 0, failing: 0, tolerated: 0, long: 0, bug: 0 } },
  { driver: "daemon", operation: "start", codes: { broken: 0, failing: 0, tolerated: 0, bug: 0 } },
];

function trouble(kind: string, driver: string, operation: string): MemoryHost {
  const failing: CommandEnd = { kind: "exited", code: 7 };
  switch (kind) {
    case "broken":
      return host(BROKEN);
    case "failing":
      return host(runRule(driver, operation), failing);
    case "tolerated":
      return host(runRule(driver, operation, "continue"), failing);
    case "insisting":
      return host(runRule(driver, operation, "fail"), failing);
    case "long":
      return {
        ...host(runRule(driver, operation).replace(" }", ', xml = "/*" }')),
        stdin: { kind: "too-long", head: new Uint8Array() },
      };
    default: {
      const bug = host(runRule(driver, operation));
      return {
        ...bug,
        programs: {
          [PROGRAM]: () => {
            throw new TypeError("Undefined is not a function");
          },
        },
      };
    }
  }
}

for (const { driver, operation, codes } of TROUBLES) {
  for (const [kind, code] of Object.entries(codes)) {
    Deno.test(`runHook() answers ${driver} ${operation} with ${code} in trouble: ${kind}`, async () => {
      const { code: got, sys } = await call(driver, operation, trouble(kind, driver, operation));
      assertEquals(got, code);
      assertEquals(sys.written.stdout, "");
      const [entry] = historyOf(sys);
      assertEquals(entry?.["exitCode"], code);
      assertEquals(
        sys.written.stderr.split("\n")[0],
        `virt-hooks: ${String(entry?.["message"]).replace(/^\S+ \S+ \S+: /, "")}`,
      );
    });
  }
}

Deno.test("runHook() refuses with the rule's name and message", async () => {
  const { code, sys } = await call(
    "qemu",
    "prepare",
    host('[[rule]]\nname = "m"\nwhen = { on = "prepare" }\ndeny = "${domain} is\\u001b[31m in maintenance"\n'),
  );
  assertEquals(code, 1);
  assertEquals(sys.written.stderr, 'virt-hooks: rule "m": web-1 is\\x1b[31m in maintenance\n');
});

Deno.test("runHook() refuses before it runs anything", async () => {
  const rules = `${runRule("qemu", "prepare")}[[rule]]\nname = "m"\nwhen = { on = "prepare" }\ndeny = "no"\n`;
  const { code, sys } = await call("qemu", "prepare", host(rules));
  assertEquals([code, sys.commands.length], [1, 0]);
});

Deno.test("runHook() gives a program its arguments, its environment and nothing else", async () => {
  const rules =
    `[[rule]]\nname = "r"\nwhen = { on = "release" }\nrun = { argv = ["${PROGRAM}", "--name=\${domain}", "\${reason}", "$\${x}"], input = "document", timeout = "3s" }\n`;
  const { sys } = await call("qemu", "release", {
    ...host(rules),
    args: ["a b", "release", "end", "from snapshot"],
    stdin: { kind: "whole", bytes: new TextEncoder().encode("<domain/>") },
  });
  assertEquals(sys.commands, [{
    argv: [PROGRAM, "--name=a b", "from snapshot", "${x}"],
    environment: {
      LC_ALL: "C",
      PATH: "/usr/sbin:/usr/bin:/sbin:/bin",
      VIRT_HOOKS_DRIVER: "qemu",
      VIRT_HOOKS_OBJECT: "a b",
      VIRT_HOOKS_OPERATION: "release",
      VIRT_HOOKS_SUBOPERATION: "end",
      VIRT_HOOKS_EXTRA: "from snapshot",
      VIRT_HOOKS_RULE: "r",
    },
    stdin: new TextEncoder().encode("<domain/>"),
    timeoutMs: 3000,
    outputBytesMax: 65_536,
  }]);
});

Deno.test("runHook() does not let a guest's name become an option", async () => {
  const rules = `[[rule]]\nname = "r"\nwhen = { on = "prepare" }\nrun = { argv = ["${PROGRAM}", "\${domain}"] }\n`;
  const { code, sys } = await call("qemu", "prepare", { ...host(rules), args: ["--help", "prepare", "begin", "-"] });
  assertEquals([code, sys.commands.length], [4, 0]);
  assertStringIncludes(sys.written.stderr, 'would be "--help"');
});

Deno.test("runHook() stops at the first failure that counts, and goes on after one that does not", async () => {
  const rules = (onError: string): string =>
    `[[rule]]\nname = "r"\nwhen = { on = "prepare" }\nrun = [{ argv = ["${PROGRAM}"], on_error = "${onError}" }, { argv = ["${PROGRAM}"] }]\n`;
  const failing: CommandEnd = { kind: "signalled", signal: "SIGSEGV" };
  const stopped = await call("qemu", "prepare", host(rules("fail"), failing));
  assertEquals([stopped.code, stopped.sys.commands.length], [4, 1]);
  assertEquals(stopped.sys.written.stderr, 'virt-hooks: rule "r": /opt/check was ended by SIGSEGV: no bridge\n');
  const went = await call("qemu", "prepare", host(rules("continue"), { kind: "exited", code: 0 }));
  assertEquals([went.code, went.sys.commands.length], [0, 2]);
});

Deno.test("runHook() gives a program what is left of the call's time", async () => {
  const rules = `${
    runRule("qemu", "prepare")
  }[[rule]]\nname = "s"\nwhen = { on = "prepare" }\nrun = { argv = ["${PROGRAM}"] }\n[settings.budgets.qemu]\nprepare = "10s"\n`;
  const sys = memorySys({
    ...host(rules),
    args: ["web-1", "prepare", "begin", "-"],
    programs: {
      [PROGRAM]: () => {
        sys.clock.elapsedMs += 10_000;
        return {};
      },
    },
  });
  assertEquals(await runHook(drivers.qemu, hostOf(sys)), 5);
  assertEquals(sys.commands.map((command) => command.timeoutMs), [9999]);
  assertStringIncludes(sys.written.stderr, 'rule "s": cannot run /opt/check: no time is left for this call');
});

Deno.test("runHook() runs nothing more once it is told to end", async () => {
  const rules =
    `[[rule]]\nname = "r"\nwhen = { on = "release" }\nrun = [{ argv = ["${PROGRAM}"] }, { argv = ["${PROGRAM}"] }]\n`;
  const { code, sys } = await call("qemu", "release", host(rules, { kind: "interrupted", signal: "SIGTERM" }));
  assertEquals([code, sys.commands.length], [0, 1]);
});

Deno.test("runHook() does nothing for another user, and says nothing", async () => {
  const { code, sys } = await call("qemu", "prepare", { ...host(BROKEN), uid: 1000 });
  assertEquals([code, sys.written.stderr, historyOf(sys).length], [0, "", 0]);
});

Deno.test("runHook() tells whoever calls it by hand what it is", async () => {
  const sys = memorySys({ args: [], uid: 1000 });
  assertEquals(await runHook(drivers.lxc, hostOf(sys)), 2);
  assertStringIncludes(
    sys.written.stderr,
    "virt-hooks: Cannot read the hook call as it must have 4 arguments: got 0\nhint: this is the lxc hook",
  );
});

Deno.test("runHook() notes an operation that a newer libvirt may have", async () => {
  const { code, sys } = await call("qemu", "hibernate", host(BROKEN));
  assertEquals([code, sys.written.stderr], [0, ""]);
  assertEquals([historyOf(sys)[0]?.["outcome"], historyOf(sys)[0]?.["level"]], ["unknown-operation", "WARN"]);
});

Deno.test("runHook() does nothing while it is disabled, and notes it", async () => {
  const given = host(BROKEN);
  const { code, sys } = await call("qemu", "prepare", {
    ...given,
    files: { ...given.files, "/etc/virt-hooks/disabled": "" },
  });
  assertEquals([code, sys.written.stderr, historyOf(sys)[0]?.["outcome"]], [0, "", "disabled"]);
});

Deno.test("runHook() is not disabled by another's file", async () => {
  const given = host('[[rule]]\nname = "m"\nwhen = { on = "prepare" }\ndeny = "no"\n');
  const files = { ...given.files, "/etc/virt-hooks/disabled": { uid: 1000 } };
  assertEquals((await call("qemu", "prepare", { ...given, files })).code, 1);
});

const UNTRUSTED: readonly {
  readonly name: string;
  readonly files: NonNullable<MemoryHost["files"]>;
  readonly told: string;
}[] = [
  {
    name: "rules that others can write",
    files: { [RULES]: { text: "#\n[settings]\n", mode: 0o666 } },
    told: `${RULES} can be written by others than root (mode 0666)`,
  },
  {
    name: "a folder of rules that is another's",
    files: { "/etc/virt-hooks/rules.d": { kind: "directory", uid: 5 }, "/etc/virt-hooks/rules.d/a.toml": "" },
    told: "/etc/virt-hooks/rules.d belongs to user 5",
  },
  {
    name: "a link out of the folder",
    files: { "/etc/virt-hooks/rules.d/a.toml": { kind: "symlink", text: "/srv/a.toml" }, "/srv/a.toml": "" },
    told: "a link out of /etc/virt-hooks, to /srv/a.toml",
  },
  {
    name: "a FIFO in the place of rules",
    files: { [RULES]: { kind: "other" } },
    told: "found a FIFO, socket or device, expected a file",
  },
  {
    name: "a dangling link",
    files: { [RULES]: { kind: "symlink", text: "gone.toml" } },
    told: "a link to /etc/virt-hooks/gone.toml, which is not there",
  },
];

for (const { name, files, told } of UNTRUSTED) {
  Deno.test(`runHook() does not obey ${name}`, async () => {
    const { code, sys } = await call("qemu", "prepare", { files: { "/var/log/x": "", ...files } });
    assertEquals(code, 3);
    assertStringIncludes(sys.written.stderr, told);
  });
}

Deno.test("runHook() leaves out of rules.d what is not meant to be rules", async () => {
  const files = {
    "/etc/virt-hooks/rules.d/.a.toml": BROKEN,
    "/etc/virt-hooks/rules.d/a.toml~": BROKEN,
    "/etc/virt-hooks/rules.d/README": BROKEN,
  };
  assertEquals((await call("qemu", "prepare", { files })).code, 0);
});

Deno.test("runHook() does not let an unwritable history change anything", async () => {
  for (
    const files of [
      { "/var/log/virt-hooks": { kind: "directory", uid: 9 } },
      { "/var/log/virt-hooks": "" },
      {},
    ] as const
  ) {
    const { code, sys } = await call("qemu", "prepare", {
      files,
      failing: { [HISTORY_FILE]: "Read-only file system (os error 30)" },
    });
    assertEquals([code, sys.written.stderr, historyOf(sys).length], [0, "", 0]);
  }
});

Deno.test("runHook() tells a mistake of its own by the operation's policy when nobody catches it", async () => {
  for (const [operation, code] of [["prepare", 70], ["reconnect", 0]] as const) {
    const { sys } = await call("qemu", operation, host(""));
    assertEquals(sys.crash(new Error("Late\nrejection")), code);
    assertStringIncludes(sys.written.stderr, "virt-hooks: internal error: Error: Late\\x0arejection\nhint: ");
  }
});

Deno.test("runHook() keeps documents and long output out of the history, and its lines short", async () => {
  const flood = "é".repeat(60_000);
  const many = Array.from(
    { length: 20 },
    () => `{ argv = ["${PROGRAM}", "${"x".repeat(3500)}"], on_error = "continue" }`,
  );
  const rules = `[[rule]]\nname = "r"\nwhen = { on = "prepare" }\nrun = [${many.join(", ")}]\n`;
  const { sys } = await call("qemu", "prepare", {
    ...host(rules),
    stdin: { kind: "whole", bytes: new TextEncoder().encode("<domain>s3cret</domain>") },
    programs: { [PROGRAM]: () => ({ stdout: flood, stderr: flood }) },
  });
  const text = sys.nodes.get(HISTORY_FILE)?.text ?? "";
  assert(new TextEncoder().encode(text).length <= 65_536);
  assert(!text.includes("s3cret"));
  assertEquals(historyOf(sys)[0]?.["shortened"], true);
});

Deno.test("runHook() starts a new history file when the old one is long", async () => {
  const files = {
    "/var/log/virt-hooks": { kind: "directory", mode: 0o700 },
    [HISTORY_FILE]: "x".repeat(10_000_001),
  } as const;
  const { sys } = await call("qemu", "prepare", { files });
  assertEquals(sys.nodes.get(`${HISTORY_FILE}.1`)?.text.length, 10_000_001);
  assertEquals(historyOf(sys).length, 1);
});
