import { assertEquals } from "../support/assert.ts";
import fc from "fast-check";
import { memorySys } from "../../lib/sys/memory_sys.ts";
import { overlaySys } from "../../lib/sys/overlay_sys.ts";
import type { Sys } from "../../lib/sys/sys.ts";

const FILES = { "/run/a": "a", "/run/b/c": "c", "/run/b/d/e": "e", "/etc/f": "f" };
const PATHS = ["/run/a", "/run/b", "/run/b/c", "/run/b/d", "/run/b/d/e", "/run/g", "/run/g/h", "/run/x/y"] as const;

/** What can be done to files, each as text with its outcome. */
const ACTS = {
  lstat: (sys: Sys, path: string) => sys.lstat(path)?.kind,
  list: (sys: Sys, path: string) => sys.readDirectory(path),
  read: (sys: Sys, path: string) => sys.lstat(path)?.kind === "file" ? sys.readTextFile(path, 100) : "no file",
  start: (sys: Sys, path: string) => sys.lstat(path)?.kind === "file" ? sys.readStart(path, 1) : "no file",
  create: (sys: Sys, path: string) => sys.createFile(path, `new ${path}`, 0o600),
  make: (sys: Sys, path: string) => sys.makeDirectory(path, 0o700),
  remove: (sys: Sys, path: string) => sys.removeFile(path),
  rename: (sys: Sys, path: string, to: string) => {
    // Onto itself, into itself or onto something else is nothing that is ever done.
    if (sys.lstat(to) === undefined && !`${to}/`.startsWith(`${path}/`)) sys.rename(path, to);
  },
} as const;

function attempt(act: () => unknown): unknown {
  try {
    return act() ?? "done";
  } catch (error) {
    return error instanceof Error ? error.message.replace(/ \(os error.*/, "") : error;
  }
}

const STEP = fc.record({
  act: fc.constantFrom(...Object.keys(ACTS) as (keyof typeof ACTS)[]),
  path: fc.constantFrom(...PATHS),
  to: fc.constantFrom(...PATHS),
});

Deno.test("overlaySys() answers as the system would, and leaves it as it is", () => {
  fc.assert(fc.property(fc.array(STEP, { maxLength: 25 }), (steps) => {
    const below = memorySys({ files: FILES });
    const before = JSON.stringify([...below.nodes]);
    const overlay = overlaySys(below);
    const real = memorySys({ files: FILES });
    for (const { act, path, to } of steps) {
      // A file is made where its folder is one: both refuse other places, in other words.
      const folder = path.slice(0, path.lastIndexOf("/"));
      if ((act === "create" || act === "make") && real.lstat(folder)?.kind !== "directory") continue;
      if (act === "make" && real.lstat(path) !== undefined) continue;
      if (act === "rename" && real.lstat(to.slice(0, to.lastIndexOf("/")))?.kind !== "directory") continue;
      assertEquals(
        attempt(() => ACTS[act](overlay, path, to)),
        attempt(() => ACTS[act](real, path, to)),
        `${act} ${path}`,
      );
    }
    assertEquals(JSON.stringify([...below.nodes]), before);
  }));
});

Deno.test("overlaySys() runs, signals and writes nothing", async () => {
  const below = memorySys({ files: { "/proc/sys/vm/swappiness": "60\n" } });
  const overlay = overlaySys(below);
  const command = { argv: ["/bin/true"], environment: {}, stdin: undefined, timeoutMs: 1, outputBytesMax: 1 } as const;
  const { end } = await overlay.run(command);
  assertEquals(end, { kind: "not-started", reason: "this is a dry run" });
  const written = await overlay.kernel.write("/proc/sys/vm/swappiness", "10", 1);
  assertEquals(written, { kind: "refused", reason: "this is a dry run" });
  overlay.appendLine("/run/log", "line");
  overlay.killGroup(42);
  assertEquals([below.commands, below.killed, below.lstat("/run/log")], [[], [], undefined]);
  assertEquals((await overlay.kernel.read(["/proc/sys/vm/swappiness"])).get("/proc/sys/vm/swappiness"), "60\n");
});

Deno.test("overlaySys() has locks of its own, and time passes at once", async () => {
  const below = memorySys({ files: { "/run/lock": "" }, locked: new Set(["/run/lock"]) });
  const overlay = overlaySys(below);
  const lock = overlay.lock("/run/lock");
  assertEquals([lock === undefined, overlay.lock("/run/lock")], [false, undefined]);
  lock?.[Symbol.dispose]();
  assertEquals(overlay.lock("/run/lock") === undefined, false);
  assertEquals(attempt(() => overlay.lock("/nowhere/lock")), "No such file or directory");
  const startMs = overlay.elapsedMs();
  await overlay.sleep(5_000);
  assertEquals([overlay.elapsedMs() - startMs, below.clock.elapsedMs], [5_000, 1]);
});
