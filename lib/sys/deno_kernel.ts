/**
 * The real kernel's files, opened by children: `head` reads, `dd` writes, `find` lists.
 * @module
 */
import { runCommand } from "./deno_command.ts";
import { InterruptedError, type Kernel, type KernelWrite, type Opener } from "./kernel.ts";
import { type CommandEnd, type CommandResult, wasInterrupted } from "./sys.ts";
import { TOOL_ENVIRONMENT, TOOLS } from "./tools.ts";

/** A read that takes longer hangs in the kernel. */
const READ_TIMEOUT_MS = 5_000;
const FILE_BYTES_MAX = 65_536;
/** A message names no more files than these. */
const NAMED_MAX = 8;
const OUTPUT_BYTES_MAX = 16 * 1024 * 1024;

/** The kernel this program runs on. */
export function denoKernel(readTimeoutMs = READ_TIMEOUT_MS): Kernel {
  return {
    read: (paths, timeoutMs) => read(paths, readTimeoutMs, timeoutMs),
    list: (folder, timeoutMs) => list(folder, readTimeoutMs, timeoutMs),
    ...{ write, openers },
  };
}

async function runTool(
  argv: readonly [string, ...string[]],
  options: {
    readonly stdin?: string;
    readonly timeoutMs?: number;
    readonly onStart?: (pid: number) => void;
  } = {},
): Promise<CommandResult> {
  return await runCommand({
    argv,
    environment: TOOL_ENVIRONMENT,
    stdin: options.stdin === undefined ? undefined : new TextEncoder().encode(options.stdin),
    timeoutMs: options.timeoutMs ?? READ_TIMEOUT_MS,
    ...(options.onStart === undefined ? {} : { onStart: options.onStart }),
    outputBytesMax: OUTPUT_BYTES_MAX,
    alone: true,
  });
}

/** Reads files. `leftMs` is what the caller has left. */
async function read(
  paths: readonly string[],
  timeoutMs: number = READ_TIMEOUT_MS,
  leftMs: number = Infinity,
): Promise<ReadonlyMap<string, string>> {
  const [first] = paths;
  if (first === undefined) return new Map();
  const what = `Cannot read ${paths.length <= NAMED_MAX ? paths.join(", ") : `${first} and ${paths.length - 1} more`}`;
  const argv = [TOOLS.head, "-v", "-c", String(FILE_BYTES_MAX), "--", ...paths] as const;
  // That a file is missing in the answer must not mean that the reading was cut short.
  const { stdout } = await lookBy(argv, { what, timeoutMs, leftMs });
  return splitFiles(stdout, paths);
}

/** Runs a tool that looks, to its end. */
async function lookBy(
  argv: readonly [string, ...string[]],
  { what, timeoutMs, leftMs }: { readonly what: string; readonly timeoutMs: number; readonly leftMs: number },
): Promise<{ readonly stdout: string; readonly code: number }> {
  const noTime = `${what}: no time was left for this call`;
  if (leftMs <= 0) throw new InterruptedError(noTime);
  const { stdout, end } = await runTool(argv, { timeoutMs: Math.min(timeoutMs, leftMs) });
  if (end.kind === "timed-out" && leftMs < timeoutMs) throw new InterruptedError(noTime);
  if (end.kind !== "exited") throw cutShort(what, argv[0], end);
  return { stdout, code: end.code };
}

function cutShort(what: string, program: string, end: Exclude<CommandEnd, { readonly kind: "exited" }>): Error {
  switch (end.kind) {
    case "timed-out":
      return new Error(`${what}: ${program} did not end in time`);
    case "not-started":
      return new Error(`${what}: ${program} cannot be started: ${end.reason}`);
    case "signalled":
    case "interrupted": {
      const message = `${what}: ${program} was ended by ${end.signal}`;
      return wasInterrupted(end) ? new InterruptedError(message) : new Error(message);
    }
    default:
      return end satisfies never;
  }
}

/** Takes what `head -v` prints apart: a header for each file that could be read, in the order asked for. */
export function splitFiles(output: string, paths: readonly string[]): ReadonlyMap<string, string> {
  const files = new Map<string, string>();
  let rest = `\n${output}`;
  const starts = paths.flatMap((path) => {
    const header = `\n==> ${path} <==\n`;
    const start = rest.indexOf(header);
    if (start === -1) return [];
    const before = rest.slice(0, start);
    rest = rest.slice(start + header.length);
    return [{ path, before }];
  });
  for (const [index, { path }] of starts.entries()) files.set(path, starts[index + 1]?.before ?? rest);
  return files;
}

/** One `write` of all the bytes, as the kernel wants it, into a file that must be there. */
async function write(
  path: string,
  text: string,
  timeoutMs: number,
  onStart?: (pid: number) => void,
): Promise<KernelWrite> {
  const { end, stderr } = await runTool(
    [TOOLS.dd, `of=${path}`, "bs=64K", "iflag=fullblock", "conv=nocreat,notrunc", "status=none"],
    { stdin: text, timeoutMs, ...(onStart === undefined ? {} : { onStart }) },
  );
  switch (end.kind) {
    case "exited":
      return end.code === 0 ? { kind: "written" } : { kind: "refused", reason: ddReason(stderr) };
    case "timed-out":
      return end.stuck
        ? { kind: "stuck" }
        : { kind: "refused", reason: `no end after ${Math.round(timeoutMs) / 1000} s` };
    case "not-started":
      return { kind: "refused", reason: end.reason };
    case "signalled":
    case "interrupted":
      return {
        kind: "refused",
        reason: `ended by ${end.signal}`,
        ...(wasInterrupted(end) ? { interrupted: true } : {}),
      };
    default:
      return end satisfies never;
  }
}

/** `dd: error writing 'PATH': Device or resource busy` */
function ddReason(stderr: string): string {
  const [line = ""] = stderr.trim().split("\n");
  return line.replace(/^.*': /, "");
}

async function list(
  folder: string,
  timeoutMs: number,
  leftMs: number = Infinity,
): Promise<ReadonlyMap<string, string | undefined> | undefined> {
  // -H: a device's folder is a link where people look for it.
  const argv = [TOOLS.find, "-H", folder, "-maxdepth", "1", "-mindepth", "1", "-printf", "%f\\0%l\\0"] as const;
  const { stdout, code } = await lookBy(argv, { what: `Cannot list ${folder}`, timeoutMs, leftMs });
  if (stdout === "" && code !== 0) return undefined;
  const entries = new Map<string, string | undefined>();
  const fields = stdout.split("\0");
  for (let index = 0; index + 1 < fields.length; index += 2) {
    entries.set(fields[index] ?? "", fields[index + 1] === "" ? undefined : fields[index + 1]);
  }
  return entries;
}

async function openers(paths: readonly string[]): Promise<readonly Opener[]> {
  if (paths.length === 0) return [];
  const names = paths.flatMap((path, index) => [
    ...(index === 0 ? [] : ["-o"]),
    "-lname",
    path.replace(/[*?[\]\\]/g, "\\$&") + (path.endsWith("/") ? "*" : ""),
  ]);
  const { stdout } = await runTool([
    ...[TOOLS.find, "/proc", "-maxdepth", "3"] as const,
    ...["-path", "/proc/[0-9]*/fd/*", "(", ...names, ")", "-printf", "%h\\0%l\\0"],
  ]);
  const fields = stdout.split("\0");
  const found: { readonly pid: number; readonly path: string }[] = [];
  for (let index = 0; index + 1 < fields.length; index += 2) {
    found.push({
      pid: Number.parseInt((fields[index] ?? "").slice("/proc/".length), 10),
      path: fields[index + 1] ?? "",
    });
  }
  const programs = await read([...new Set(found.map(({ pid }) => `/proc/${pid}/comm`))]);
  const told = new Map(found.map((one) => [`${one.pid} ${one.path}`, one]));
  return [...told.values()].map(({ pid, path }) => ({
    pid,
    name: (programs.get(`/proc/${pid}/comm`) ?? "?").trimEnd(),
    path,
  }));
}
