/**
 * One program, run so that it can hold nothing of libvirt's and nothing waits for it for ever.
 * @module
 */
import type { Command, CommandEnd, CommandResult } from "./sys.ts";

/** How long after the end of a program its last output is waited for, and after SIGKILL its end. */
const GRACE_MS = 90;

/** How much of stderr is kept at most. */
const ERROR_BYTES_MAX = 65_536;

/** The signals that ask us to end; the program is ended with us. */
const INTERRUPTS = ["SIGTERM", "SIGINT", "SIGHUP"] as const satisfies readonly Deno.Signal[];

/**
 * Runs a program, in a session of its own unless it starts no other. Its output goes through pipes of ours, so a grandchild that lives on keeps
 * no descriptor of our caller's; such a grandchild is not waited for.
 */
export async function runCommand(command: Command): Promise<CommandResult> {
  const startedMs = performance.now();
  // Before the program starts: a signal that came in between would leave it behind.
  const cut = cutter(command.timeoutMs);
  using _cut = cut;
  const child = spawn(command);
  if (typeof child === "string") {
    return { end: { kind: "not-started", reason: child }, stdout: "", stdoutIsUtf8: true, stderr: "", durationMs: 0 };
  }
  command.onStart?.(child.pid);
  feed(child, command.stdin);
  const [stdout, stderr] = [collect(child.stdout, command), collect(child.stderr, errorLimits(command))];
  let end = await Promise.race([child.status.then(commandEnd), cut.happens]);
  if (end.kind === "timed-out" || end.kind === "interrupted") {
    const ended = await kill(child, command);
    if (end.kind === "timed-out") end = { kind: "timed-out", stuck: !ended };
  }
  await within(GRACE_MS, Promise.all([stdout.done, stderr.done]));
  await Promise.all([stdout.stop(), stderr.stop()]);
  const durationMs = performance.now() - startedMs;
  return { end, stdout: stdout.text(), stdoutIsUtf8: stdout.isUtf8(), stderr: stderr.text(), durationMs };
}

function spawn(command: Command): Deno.ChildProcess | string {
  const [program, ...args] = command.argv;
  try {
    return new Deno.Command(program, {
      args,
      cwd: "/",
      env: { ...command.environment },
      clearEnv: true,
      detached: command.alone !== true,
      stdin: command.stdin === undefined ? "null" : "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** How a program ended that ended by itself. */
export function commandEnd(status: Deno.CommandStatus): CommandEnd {
  return status.signal === null ? { kind: "exited", code: status.code } : { kind: "signalled", signal: status.signal };
}

/** Settles when the time is up or a signal asks us to end. */
function cutter(timeoutMs: number): Disposable & { readonly happens: Promise<CommandEnd> } {
  const { promise, resolve } = Promise.withResolvers<CommandEnd>();
  const timer = setTimeout(() => resolve({ kind: "timed-out", stuck: false }), timeoutMs);
  const listeners = INTERRUPTS.map((signal) => ({
    signal,
    listener: (): void => resolve({ kind: "interrupted", signal }),
  }));
  for (const { signal, listener } of listeners) Deno.addSignalListener(signal, listener);
  return {
    happens: promise,
    [Symbol.dispose](): void {
      clearTimeout(timer);
      for (const { signal, listener } of listeners) Deno.removeSignalListener(signal, listener);
    },
  };
}

/** Kills the program, with its whole group where it has one; tells whether the program itself ended. */
async function kill(child: Deno.ChildProcess, { alone }: Command): Promise<boolean> {
  try {
    Deno.kill(alone ? child.pid : -child.pid, "SIGKILL");
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return await within(GRACE_MS, child.status);
}

/** Whether something happens in time. */
async function within(durationMs: number, happens: Promise<unknown>): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => resolve(false), durationMs);
  const inTime = await Promise.race([happens.then(() => true), promise]);
  clearTimeout(timer);
  return inTime;
}

/** Writes the program's stdin. A program that does not read it is no error. */
async function feed(child: Deno.ChildProcess, bytes: Uint8Array | undefined): Promise<void> {
  if (bytes === undefined) return;
  const writer = child.stdin.getWriter();
  try {
    await writer.write(bytes);
    await writer.close();
  } catch {
    // The program closed its stdin or ended before it had read all: its own business, and its exit code tells.
  }
}

interface Collected {
  readonly done: Promise<void>;
  /** Ends the reading, also of a stream that another process keeps open. */
  stop(): Promise<void>;
  text(): string;
  /** Whether what was kept is UTF-8, so that the text is what was written. */
  isUtf8(): boolean;
}

/** Only stdout can be a document. */
function errorLimits({ outputBytesMax }: Command): { readonly outputBytesMax: number } {
  return { outputBytesMax: Math.min(outputBytesMax, ERROR_BYTES_MAX) };
}

/** Reads a stream to its end, keeping its beginning. */
function collect(stream: ReadableStream<Uint8Array>, limits: { readonly outputBytesMax: number }): Collected {
  const reader = stream.getReader();
  const decoder = new TextDecoder();
  const strict = new TextDecoder("utf-8", { fatal: true });
  let isUtf8 = true;
  let kept = "";
  let bytesLeft = limits.outputBytesMax;
  async function read(): Promise<void> {
    for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) {
      const wanted = chunk.value.subarray(0, Math.max(bytesLeft, 0));
      kept += decoder.decode(wanted, { stream: true });
      isUtf8 &&= decodes(strict, wanted);
      bytesLeft -= chunk.value.length;
    }
  }
  return { done: read(), stop: () => reader.cancel(), text: () => kept, isUtf8: () => isUtf8 };
}

function decodes(strict: TextDecoder, bytes: Uint8Array): boolean {
  try {
    strict.decode(bytes, { stream: true });
    return true;
  } catch {
    // All that a decoder can say is that it is not UTF-8.
    return false;
  }
}
