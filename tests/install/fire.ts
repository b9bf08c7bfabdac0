/**
 * What a busy hypervisor does to an installer: hooks are called without a pause, and every executable file in the hooks
 * folder would be run.
 * @module
 */
import { listExecutables } from "./tree.ts";

/** The calls made until `stop`, and the words of those that failed. */
export interface Fired {
  readonly count: number;
  readonly failures: readonly string[];
}

/** One call, and the exit code that is right for it. */
export interface Call {
  readonly args: readonly string[];
  readonly code: number;
}

/** Calls every one of `programs` again and again, each in a chain of its own, from `start` to `stop`. */
export function fireAt(programs: readonly string[], call: Call): { start(): Promise<Fired>; stop(): void } {
  let stopped = false;
  return {
    async start(): Promise<Fired> {
      const chains = await Promise.all(programs.map((program) => fireChain(program, call, () => stopped)));
      return {
        count: chains.reduce((sum, { count }) => sum + count, 0),
        failures: chains.flatMap((chain) => chain.failures),
      };
    },
    stop: () => {
      stopped = true;
    },
  };
}

async function fireChain(program: string, call: Call, isStopped: () => boolean): Promise<Fired> {
  const failures: string[] = [];
  let count = 0;
  while (!isStopped()) {
    count++;
    try {
      const { code, stderr } = await new Deno.Command(program, { args: [...call.args], stdin: "null" }).output();
      if (code !== call.code) failures.push(`${program} ended with ${code}: ${new TextDecoder().decode(stderr)}`);
    } catch (error) {
      failures.push(`${program} could not be started: ${error}`);
    }
  }
  return { count, failures };
}

/** A watch over a folder of hooks. */
export interface Watch {
  /** Resolves after one more complete look. */
  nextLook(): Promise<void>;
  /** Ends the watch and tells what was seen. */
  stop(): Promise<{ readonly looks: number; readonly strays: readonly string[] }>;
}

/** Looks again and again for executables below `folder` that are not among `allowed`. */
export function watchExecutables(folder: string, allowed: readonly string[]): Watch {
  const strays = new Set<string>();
  let looks = 0;
  let stopped = false;
  const watching = (async () => {
    while (!stopped) {
      for (const path of listExecutables(folder)) if (!allowed.includes(path)) strays.add(path);
      looks++;
      await yieldOnce();
    }
  })();
  return {
    async nextLook(): Promise<void> {
      const before = looks;
      while (looks === before) await yieldOnce();
    },
    async stop(): Promise<{ looks: number; strays: string[] }> {
      stopped = true;
      await watching;
      return { looks, strays: [...strays] };
    },
  };
}

/** Lets other work of this process go on. */
function yieldOnce(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}
