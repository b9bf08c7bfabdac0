/**
 * One program that lives on when we end.
 * @module
 */
import { commandEnd } from "./deno_command.ts";
import type { Launch, Launched } from "./sys.ts";

/** Starts a program in a session of its own, on `/dev/null`, and watches it for a moment. */
export async function launchProgram({ argv, environment, watchMs, onStart }: Launch): Promise<Launched> {
  const [program, ...args] = argv;
  let child: Deno.ChildProcess;
  try {
    child = new Deno.Command(program, {
      args,
      cwd: "/",
      env: { ...environment },
      clearEnv: true,
      detached: true,
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { kind: "ended", end: { kind: "not-started", reason } };
  }
  onStart(child.pid);
  // We may end before it does.
  child.unref();
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => resolve(undefined), watchMs);
  const status = await Promise.race([child.status, promise]);
  clearTimeout(timer);
  return status === undefined ? { kind: "running", pid: child.pid } : { kind: "ended", end: commandEnd(status) };
}
