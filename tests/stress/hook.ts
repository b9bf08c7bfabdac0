/**
 * Calls the compiled hook as libvirt does.
 * @module
 */
import { GROUPS, type Wants } from "./host.ts";

/** A guest of the stress test. */
export interface Guest {
  readonly name: string;
  readonly uuid: string;
  readonly wants: Wants;
}

/** How a call ended; `code` is undefined if it was killed. */
export interface Called {
  readonly code: number | undefined;
  readonly stderr: string;
  readonly startedMs: number;
  readonly endedMs: number;
}

/** Returns the guest with this number. */
export function guestOf(index: number): Guest {
  const group = index % GROUPS.length;
  const uuid = `${String(index).padStart(8, "0")}-2222-4333-8444-555555555555`;
  return { name: `g${group}-${index}`, uuid, wants: GROUPS[group] ?? {} };
}

/** Calls the hook for a guest; kills it after `killAfterMs`, if given. */
export async function callHook(
  operation: string,
  guest: Guest,
  { hook, killAfterMs }: { readonly hook: string; readonly killAfterMs?: number | undefined },
): Promise<Called> {
  const startedMs = performance.now();
  const subOperation = operation === "release" ? "end" : "begin";
  const child = new Deno.Command(hook, {
    args: [guest.name, operation, subOperation, "-"],
    ...{ cwd: "/", clearEnv: true, env: { LC_ALL: "C", PATH: "/usr/sbin:/usr/bin:/sbin:/bin" } },
    ...{ stdin: "piped", stdout: "null", stderr: "piped" },
  }).spawn();
  const timer = killAfterMs === undefined ? undefined : setTimeout(() => kill(child), killAfterMs);
  const writer = child.stdin.getWriter();
  const document = `<domain type='kvm'>\n  <name>${guest.name}</name>\n  <uuid>${guest.uuid}</uuid>\n</domain>\n`;
  // A hook that was killed closes the pipe.
  const fed = writer.write(new TextEncoder().encode(document)).then(() => writer.close()).catch(() => undefined);
  const { code, signal, stderr } = await child.output();
  clearTimeout(timer);
  await fed;
  return {
    code: signal === null ? code : undefined,
    stderr: new TextDecoder().decode(stderr),
    startedMs,
    endedMs: performance.now(),
  };
}

function kill(child: Deno.ChildProcess): void {
  try {
    child.kill("SIGKILL");
  } catch {
    // It has just ended.
  }
}
