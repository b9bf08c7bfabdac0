/**
 * Documents on stdin that cannot be parsed, or not for long: what is held is restored and ensured by the UUID in the head; where
 * there is none, the call says so.
 * @module
 */
import { hostOf } from "../support/host.ts";
import { runHook } from "../../lib/app/run_hook.ts";
import { drivers } from "../../lib/libvirt/drivers.ts";
import { type MemorySys, memorySys } from "../../lib/sys/memory_sys.ts";
import type { Input } from "../../lib/sys/sys.ts";
import { assertEquals, assertStringIncludes } from "../support/assert.ts";
import { type LedgerHost, ledgerHost, UUID } from "../support/ledger_host.ts";

const SWAPPINESS = "/proc/sys/vm/swappiness";
const RULES = '[[rule]]\nname = "r"\nwhen = { domain = "*" }\nsysctl = { "vm.swappiness" = 1 }\n';
const HEAD = `<domain type='kvm'>\n  <name>web-1</name>\n  <uuid>${UUID}</uuid>\n`;

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

interface Answer {
  readonly code: number;
  readonly stderr: string;
  readonly history: Readonly<Record<string, unknown>>;
}

/** Calls the qemu hook with this on stdin. */
async function call(host: LedgerHost, operation: "prepare" | "reconnect" | "release", stdin: Input): Promise<Answer> {
  const { subOperation } = drivers.qemu.operations[operation];
  const before: MemorySys = host.sys(["web-1", operation, subOperation, "-"]);
  const sys = { ...before, readStdin: () => stdin };
  const code = await runHook(drivers.qemu, hostOf(sys));
  const lines = (host.text("/var/log/virt-hooks/history.jsonl") ?? "").trimEnd().split("\n");
  return { code, stderr: before.written.stderr, history: JSON.parse(lines.at(-1) ?? "{}") };
}

async function holding(rules = RULES): Promise<LedgerHost> {
  const host = ledgerHost(RULES, { files: { [SWAPPINESS]: "60\n" } });
  await host.call("qemu", "prepare");
  assertEquals(host.text(SWAPPINESS)?.trim(), "1");
  host.write("/etc/virt-hooks/rules.toml", rules);
  return host;
}

const READABLE_HEADS: Readonly<Record<string, Input>> = {
  "too long": { kind: "too-long", head: bytesOf(HEAD) },
  "cut off": { kind: "whole", bytes: bytesOf(HEAD) },
  "with a name of 8 KB": { kind: "whole", bytes: bytesOf(HEAD.replace("web-1", "w".repeat(8192))) },
};

for (const [what, stdin] of Object.entries(READABLE_HEADS)) {
  Deno.test(`a document ${what} is released and ensured by the UUID in its head`, async () => {
    const host = await holding();
    host.write(SWAPPINESS, "42\n");
    const ensured = await call(host, "reconnect", stdin);
    assertEquals([ensured.code, ensured.stderr, host.text(SWAPPINESS)?.trim()], [0, "", "1"]);
    const released = await call(host, "release", stdin);
    assertEquals([released.code, released.stderr, released.history["outcome"]], [0, "", "done"]);
    assertEquals([host.text(SWAPPINESS), host.ledgerFiles()], ["60", []]);
  });
}

const ON_XML =
  '[[rule]]\nname = "x"\nwhen = { driver = "qemu", on = ["prepare", "reconnect", "release"], xml = "/domain/os" }\n' +
  'run = { argv = ["/usr/bin/kill"] }\n';

Deno.test("what looks at a document that is too long is refused before a guest runs, and noted later; the release is done", async () => {
  const host = await holding(ON_XML);
  const stdin: Input = { kind: "too-long", head: bytesOf(HEAD) };
  const released = await call(host, "release", stdin);
  const line = "virt-hooks: the document on stdin cannot be read: it is longer than 16777216 bytes\n";
  assertEquals([released.code, released.stderr, host.text(SWAPPINESS)], [0, line, "60"]);
  const prepared = await call(host, "prepare", stdin);
  assertEquals([prepared.code, prepared.stderr, prepared.history["outcome"]], [2, line, "bad-call"]);
  const reconnected = await call(host, "reconnect", stdin);
  assertEquals([reconnected.code, reconnected.stderr], [0, line]);
});

Deno.test("a program whose input is a document that is too long is not run, as on_error says", async () => {
  for (const [onError, code] of [["fail", 4], ["continue", 0]] as const) {
    const run = `run = { argv = ["/usr/bin/kill"], input = "document", on_error = "${onError}" }`;
    const host = await holding(`[[rule]]\nname = "p"\nwhen = { driver = "qemu", on = "prepare" }\n${run}\n`);
    const prepared = await call(host, "prepare", { kind: "too-long", head: bytesOf(HEAD) });
    assertEquals(prepared.code, code);
    assertStringIncludes(prepared.stderr, "the document on stdin is too long to be its input");
  }
});

const WITHOUT_UUID: Readonly<Record<string, { readonly stdin: Input; readonly says: string }>> = {
  "that is empty": { stdin: { kind: "whole", bytes: bytesOf("") }, says: "cannot be parsed" },
  "that is no XML": { stdin: { kind: "whole", bytes: bytesOf("hello") }, says: "cannot be parsed" },
  "cut off before its UUID": {
    stdin: { kind: "whole", bytes: bytesOf("<domain>\n<name>web") },
    says: "cannot be parsed",
  },
  "without a UUID": {
    stdin: { kind: "whole", bytes: bytesOf("<domain><name>w</name></domain>") },
    says: "has no UUID",
  },
  "too long, without a UUID": {
    stdin: { kind: "too-long", head: bytesOf("<domain>") },
    says: "it is longer than 16777216 bytes",
  },
};

for (const [what, { stdin, says }] of Object.entries(WITHOUT_UUID)) {
  Deno.test(`a document ${what} fails the release, and says that nothing is restored`, async () => {
    const host = await holding("");
    for (const operation of ["release", "reconnect"] as const) {
      const { code, stderr, history } = await call(host, operation, stdin);
      assertEquals([code, history["outcome"], history["level"]], [0, "failed", "ERROR"]);
      assertStringIncludes(stderr, "virt-hooks: the document on stdin: it ");
      assertStringIncludes(stderr, says);
      assertStringIncludes(stderr, operation === "release" ? "nothing is restored" : "nothing is ensured");
    }
    assertEquals(host.text(SWAPPINESS)?.trim(), "1");
    const prepared = await call(host, "prepare", stdin);
    assertStringIncludes(JSON.stringify(prepared.history["notes"]), says === "has no UUID" ? "no UUID" : "");
  });
}

Deno.test("without a ledger there is nothing to give back, whatever the document is", async () => {
  const sys = memorySys({ args: ["web-1", "release", "end", "-"], files: { "/etc/virt-hooks/rules.toml": RULES } });
  assertEquals([await runHook(drivers.qemu, hostOf(sys)), sys.written.stderr], [0, ""]);
});
