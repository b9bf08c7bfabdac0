import { runCommand } from "../../lib/sys/deno_command.ts";
import type { Command } from "../../lib/sys/sys.ts";
import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";

/** Runs lines of sh as a program. */
function sh(script: string, changes: Partial<Command> = {}): ReturnType<typeof runCommand> {
  return runCommand({
    argv: ["/bin/sh", "-c", script],
    environment: { PATH: "/usr/bin:/bin" },
    stdin: undefined,
    timeoutMs: 10_000,
    outputBytesMax: 1000,
    ...changes,
  });
}

Deno.test("runCommand() gives both streams and the exit code", async () => {
  const { end, stdout, stderr } = await sh("echo out; echo err >&2; exit 3");
  assertEquals([end, stdout, stderr], [{ kind: "exited", code: 3 }, "out\n", "err\n"]);
});

Deno.test("runCommand() tells whether what a program printed is text", async () => {
  assertEquals((await sh("printf 'gr\\303\\274n'")).stdoutIsUtf8, true);
  assertEquals((await sh("printf 'gr\\374n'")).stdoutIsUtf8, false);
});

Deno.test("runCommand() tells which signal ended a program", async () => {
  assertEquals((await sh("kill -SEGV $$")).end, { kind: "signalled", signal: "SIGSEGV" });
});

Deno.test("runCommand() gives a program its environment and its stdin and nothing else", async () => {
  const { stdout } = await sh(
    "cat; env | grep -v '^\\(_\\|PWD\\|SHLVL\\|OLDPWD\\)='; pwd",
    {
      environment: { PATH: "/usr/bin:/bin", A: "b c" },
      stdin: new TextEncoder().encode("document\n"),
    },
  );
  assertEquals(stdout.split("\n").toSorted(), ["", "/", "A=b c", "PATH=/usr/bin:/bin", "document"]);
});

Deno.test("runCommand() runs a program in a session of its own", async () => {
  const { stdout } = await sh("ps -o sid= -p $$; echo $$");
  const [session, pid] = stdout.split("\n");
  assertEquals(session?.trim(), pid);
});

Deno.test("runCommand() pays for no session where a program is alone, and ends that one, too", async () => {
  const own = await sh("ps -o sid= -p $$", { alone: true });
  const ours = await sh(`ps -o sid= -p ${Deno.pid}`);
  assertEquals(own.stdout, ours.stdout);
  const { end } = await sh("exec sleep 10", { alone: true, timeoutMs: 50 });
  assertEquals(end, { kind: "timed-out", stuck: false });
});

Deno.test("runCommand() does not mind a program that does not read its stdin", async () => {
  const { end } = await sh("exit 0", { stdin: new Uint8Array(4_000_000) });
  assertEquals(end, { kind: "exited", code: 0 });
});

Deno.test("runCommand() keeps the beginning of a flood and waits for its end", async () => {
  const { end, stdout } = await sh("head -c 100000000 /dev/zero | tr '\\0' x", { timeoutMs: 60_000 });
  assertEquals([end, stdout.length], [{ kind: "exited", code: 0 }, 1000]);
});

Deno.test("runCommand() kills the whole group of a program that takes too long", async () => {
  const { end, stdout, durationMs } = await sh("sleep 300 & echo $!; sleep 300", { timeoutMs: 200 });
  assertEquals(end, { kind: "timed-out", stuck: false });
  // Far from the 300 s that the program wanted.
  assert(durationMs < 30_000);
  // What is dead may still wait to be reaped.
  const state = await sh(`ps -o stat= -p ${stdout.trim()} || echo Z`);
  assertEquals(state.stdout[0], "Z");
});

Deno.test("runCommand() does not wait for a grandchild that lives on with its streams", async () => {
  const { end, stdout, durationMs } = await sh("setsid sleep 300 & echo $!");
  assertEquals(end, { kind: "exited", code: 0 });
  assert(durationMs < 30_000);
  const alive = await sh(`kill ${stdout.trim()}`);
  assertEquals(alive.end, { kind: "exited", code: 0 });
});

Deno.test("runCommand() says why a program cannot be started", async () => {
  const { end } = await sh("", { argv: ["/nowhere/program"] });
  assertEquals(end.kind, "not-started");
  assertStringIncludes(end.kind === "not-started" ? end.reason : "", "No such file or directory");
});
