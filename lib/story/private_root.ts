/**
 * A private root to run the compiled programs in: any user is root there, nothing of the host can be written, and nothing
 * remains. `private_root.sh` makes it and runs the scripts of `private_root_scripts.ts` in it.
 * @module
 */
import {
  type Call,
  callScripts,
  type Placed,
  placeScripts,
  readScripts,
  type Scripts,
  shScripts,
} from "./private_root_scripts.ts";

export type { Call, Placed, Signal, Stdin } from "./private_root_scripts.ts";

/** A file or folder of the host, mounted read-only at a path inside. */
export interface Bind {
  readonly from: string;
  readonly at: string;
}

/** The result of a call; an exit code above 128 is 128 plus the signal that ended it. */
export interface CallResult {
  readonly exitCode: number;
  readonly stdout: Uint8Array<ArrayBuffer>;
  readonly stderr: Uint8Array<ArrayBuffer>;
  /** Until the process has ended and no process has its stdout or stderr open: libvirt waits as long. */
  readonly durationMs: number;
}

/** A private root that is running, one call at a time. Its host is called `hv-01`. */
export interface PrivateRoot extends AsyncDisposable {
  /** Runs a program. @throws {Error} if it takes longer than its limit, which ends the root. */
  run(call: Call): Promise<CallResult>;
  /** Runs lines of POSIX sh and returns their output. @throws {Error} if they fail. */
  sh(script: string): Promise<string>;
  /** Creates files, folders, FIFOs and links. @throws {Error} if one cannot be created. */
  place(items: readonly Placed[]): Promise<void>;
  /** Reads a file; `undefined` without a regular file. */
  read(path: string): Promise<Uint8Array<ArrayBuffer> | undefined>;
}

/** A private root, or why this machine refuses one. */
export type Opened =
  | { readonly kind: "open"; readonly root: PrivateRoot }
  | { readonly kind: "refused"; readonly reason: string };

/** A copy of this machine's shell that is the private root's own, for scripts that hooks run. */
const SHELL_LINE = "#!/opt/shell/sh\n";

/** Rewrites a script for `/bin/sh` to use the private root's own shell; returns any other file unchanged. */
export function forOwnShell<Content extends string | Uint8Array>(content: Content): string | Content {
  const text = typeof content === "string" ? content : new TextDecoder().decode(content);
  return text.startsWith("#!/bin/sh\n") ? text.replace("#!/bin/sh\n", SHELL_LINE) : content;
}

const SCRIPT_PATH = decodeURIComponent(new URL("private_root.sh", import.meta.url).pathname);
const RUN_LIMIT_MS = 120_000;
const CLOSE_LIMIT_MS = 2_000;

/** Opens a private root with the programs in `binds`. */
export async function openPrivateRoot(binds: readonly Bind[]): Promise<Opened> {
  const child = new Deno.Command("/bin/sh", {
    args: [SCRIPT_PATH, ...binds.flatMap(({ from, at }) => [from, at])],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
    detached: true,
  }).spawn();
  const stderr = new Response(child.stderr).text();
  const answers = answersOf(child.stdout);
  const folder = (await answers.readLine())?.match(/^ready (.*)$/)?.[1];
  if (folder !== undefined) return { kind: "open", root: rootOf({ child, answers, stderr, folder }) };
  await child.stdin.close();
  await child.status;
  return { kind: "refused", reason: (await stderr).trim() };
}

/** Returns why this machine refuses a private root, or `undefined` if it does not. */
export async function privateRootRefusal(): Promise<string | undefined> {
  const opened = await openPrivateRoot([]);
  if (opened.kind === "refused") return opened.reason;
  await opened.root[Symbol.asyncDispose]();
  return undefined;
}

interface Connection {
  readonly child: Deno.ChildProcess;
  readonly answers: Answers;
  readonly stderr: Promise<string>;
  /** Where the host writes the scripts that the root runs. */
  readonly folder: string;
}

function rootOf(connection: Connection): PrivateRoot {
  const { child, answers, stderr, folder } = connection;
  const requests = child.stdin.getWriter();
  let callCount = 0;

  async function ask(scriptsIn: (folder: string) => Scripts, limitMs = RUN_LIMIT_MS): Promise<CallResult> {
    const name = String(++callCount);
    const scripts = scriptsIn(`/private/calls/${name}`);
    await writeScripts(`${folder}/${name}`, scripts);
    const timer = setTimeout(() => end(child), limitMs);
    try {
      await requests.write(new TextEncoder().encode(`${name}\n`));
      const result = await readResult(answers);
      if (result !== undefined) return result;
    } finally {
      clearTimeout(timer);
    }
    throw new Error(`Cannot finish in the private root within ${limitMs} ms: ${scripts.title}\n${await stderr}`);
  }

  async function work(scriptsIn: (folder: string) => Scripts): Promise<Uint8Array<ArrayBuffer>> {
    const result = await ask(scriptsIn);
    if (result.exitCode === 0) return result.stdout;
    const { title } = scriptsIn("");
    throw new Error(`Cannot do this in the private root: ${title}\n${new TextDecoder().decode(result.stderr)}`);
  }

  return {
    run: (call) => ask((folder) => callScripts(call, folder), call.limitMs),
    sh: async (script) => new TextDecoder().decode(await work((folder) => shScripts(script, folder))),
    place: async (items) => {
      await work((folder) => placeScripts(items, folder));
    },
    read: async (path) => {
      const marked = await work((folder) => readScripts(path, folder));
      return marked.length === 0 ? undefined : marked.slice(1);
    },
    [Symbol.asyncDispose]: async () => {
      const timer = setTimeout(() => end(child), CLOSE_LIMIT_MS);
      await requests.close().catch(() => undefined);
      await Promise.all([child.status, answers.readRest(), stderr]);
      clearTimeout(timer);
    },
  };
}

/** Ends a root whose call does not end: its scripts exit on SIGTERM, and the kernel kills what they started. */
function end(child: Deno.ChildProcess): void {
  try {
    Deno.kill(-child.pid, "SIGTERM");
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

async function writeScripts(folder: string, scripts: Scripts): Promise<void> {
  await Deno.mkdir(folder);
  await Deno.writeFile(`${folder}/call.sh`, scripts.call);
  await Deno.writeFile(`${folder}/feed.sh`, scripts.feed);
  await Deno.writeFile(`${folder}/meanwhile.sh`, scripts.meanwhile);
  for (const [index, { content, ownerUid }] of scripts.attachments.entries()) {
    await Deno.writeFile(`${folder}/${index}`, content);
    if (ownerUid !== 0) await Deno.chown(`${folder}/${index}`, ownerUid, ownerUid);
  }
}

async function readResult(answers: Answers): Promise<CallResult | undefined> {
  if (await answers.readLine() !== "begin") return undefined;
  const startedMs = performance.now();
  const line = await answers.readLine();
  const durationMs = performance.now() - startedMs;
  const [exitCode, stdoutCount, stderrCount] = (line?.match(/^end (\d+) (\d+) (\d+)$/) ?? []).slice(1).map(Number);
  if (exitCode === undefined || stdoutCount === undefined || stderrCount === undefined) return undefined;
  const stdout = await answers.readBytes(stdoutCount);
  const stderr = await answers.readBytes(stderrCount);
  return { exitCode, stdout, stderr, durationMs };
}

/** The script's output, read by line and by byte count. */
interface Answers {
  readLine(): Promise<string | undefined>;
  readBytes(count: number): Promise<Uint8Array<ArrayBuffer>>;
  readRest(): Promise<void>;
}

function answersOf(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Answers {
  const reader = stream.getReader();
  let pending = new Uint8Array();

  /** Reads on; false at the end. */
  async function more(): Promise<boolean> {
    const { value, done } = await reader.read();
    if (done) return false;
    const longer = new Uint8Array(pending.length + value.length);
    longer.set(pending);
    longer.set(value, pending.length);
    pending = longer;
    return true;
  }

  function take(count: number): Uint8Array<ArrayBuffer> {
    const taken = pending.slice(0, count);
    pending = pending.slice(count);
    return taken;
  }

  return {
    readLine: async () => {
      while (!pending.includes(0x0a)) if (!await more()) return undefined;
      return new TextDecoder().decode(take(pending.indexOf(0x0a) + 1)).trimEnd();
    },
    readBytes: async (count) => {
      while (pending.length < count) {
        if (!await more()) throw new Error(`Cannot read ${count} bytes from the private root: it ended`);
      }
      return take(count);
    },
    readRest: async () => {
      while (await more()) pending = new Uint8Array();
    },
  };
}
