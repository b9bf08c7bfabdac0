import { launchProgram } from "../../lib/sys/deno_launch.ts";
import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";

const LAUNCH = { environment: { A: "b c" }, watchMs: 100, onStart: (): void => {} } as const;

Deno.test("launchProgram() tells how a program ended that ended at once", async () => {
  const launched = await launchProgram({ ...LAUNCH, argv: ["/bin/sh", "-c", "exit 7"] });
  assertEquals(launched, { kind: "ended", end: { kind: "exited", code: 7 } });
});

Deno.test("launchProgram() tells that a program cannot be started", async () => {
  const launched = await launchProgram({ ...LAUNCH, argv: ["/nowhere/program"] });
  assert(launched.kind === "ended" && launched.end.kind === "not-started");
});

Deno.test("launchProgram() starts a program that nobody waits for, in a session of its own, with nothing of ours", async () => {
  const script = `import { launchProgram } from ${
    JSON.stringify(new URL("../../lib/sys/deno_launch.ts", import.meta.url).href)
  };
    const launched = await launchProgram({ argv: ["/bin/sleep", "300"], environment: { A: "b c" }, watchMs: 50, onStart: () => {} });
    console.log(launched.pid);`;
  const { code, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", script],
    stdin: "null",
    stderr: "null",
  }).output();
  const pid = Number(new TextDecoder().decode(stdout));
  try {
    assertEquals(code, 0);
    const stat = Deno.readTextFileSync(`/proc/${pid}/stat`).replace(/^.*\) /, "").split(" ");
    assertEquals([stat[0], Number(stat[2]), Number(stat[3])], ["S", pid, pid]);
    assertStringIncludes(Deno.readTextFileSync(`/proc/${pid}/environ`), "A=b c\0");
    assertEquals(Deno.readLinkSync(`/proc/${pid}/cwd`), "/");
    // What this very test inherited that is not closed on exec, all its children inherit.
    const inherited = new Set(openFiles("self"));
    assertEquals(
      openFiles(pid).filter((file) => file === "/dev/null" || !inherited.has(file)),
      Array(3).fill("/dev/null"),
    );
  } finally {
    Deno.kill(pid, "SIGKILL");
  }
});

function openFiles(process: number | "self"): readonly string[] {
  const folder = `/proc/${process}/fd`;
  return Array.from(Deno.readDirSync(folder), ({ name }) => name).flatMap((name) => {
    try {
      return [Deno.readLinkSync(`${folder}/${name}`)];
    } catch {
      // The descriptor with which the folder itself was read.
      return [];
    }
  });
}
