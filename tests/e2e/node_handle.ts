/**
 * Access to a running node: its files from outside, and commands inside.
 * @module
 */

/** The environment of every process in a node. */
export const ENVIRONMENT = {
  PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  HOME: "/root",
  LC_ALL: "C",
};
/** The folders that a node replaces, and where they are below its scratch folder. */
const COVERED = [
  { inside: "/etc/", below: "etc" },
  { inside: "/run/", below: "run" },
  { inside: "/var/log/", below: "var-log" },
  { inside: "/var/lib/libvirt/", below: "var-lib-libvirt" },
] as const;

/** How a command in a node ended. */
export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly durationMs: number;
}

/** Identifies a running node. */
export interface NodeHandle {
  readonly name: string;
  readonly scratch: string;
  /** The process id of the node's init, in the host's namespace. */
  readonly pid: string;
}

/** The path on the host of a file of the node. */
export function pathOutside(handle: NodeHandle, inside: string): string {
  const covered = COVERED.find((folder) => inside.startsWith(folder.inside));
  return covered === undefined ? inside : `${handle.scratch}/${covered.below}/${inside.slice(covered.inside.length)}`;
}

/** Runs a command in the node, killed after `timeoutMs` (exit code 137). A non-zero exit code is no error. */
export async function runInside(handle: NodeHandle, argv: readonly string[], timeoutMs: number): Promise<Ended> {
  const namespaces = ["-t", handle.pid, "-m", "-n", "-u", "-i", "-p", "-C"];
  const start = performance.now();
  const output = await new Deno.Command("nsenter", {
    args: [...namespaces, "--", "timeout", "-s", "KILL", String(timeoutMs / 1000), ...argv],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    clearEnv: true,
    env: ENVIRONMENT,
  }).output();
  return {
    code: output.code,
    stdout: new TextDecoder().decode(output.stdout),
    stderr: new TextDecoder().decode(output.stderr),
    durationMs: performance.now() - start,
  };
}

/** Reads a file; returns an empty text if it does not exist. */
export async function readText(path: string): Promise<string> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "";
    throw error;
  }
}

/** Links an executable, or copies it where the file system does not allow a link. */
export async function linkOrCopy(from: string, to: string): Promise<void> {
  await Deno.stat(from).catch((cause) => {
    throw new Error(`Cannot install ${from}: it is not built; run "deno task build" first`, { cause });
  });
  await makeFolderOf(to);
  try {
    await Deno.link(from, to);
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) throw error;
    await Deno.copyFile(from, to);
  }
  await Deno.chmod(to, 0o755);
}

async function makeFolderOf(path: string): Promise<void> {
  await Deno.mkdir(path.slice(0, path.lastIndexOf("/")), { recursive: true, mode: 0o755 });
}

/** Writes a file atomically: libvirt and the hooks never see a part of it. */
export async function writeWhole(handle: NodeHandle, inside: string, text: string, mode: number): Promise<void> {
  const partial = `${handle.scratch}/partial`;
  const path = pathOutside(handle, inside);
  await Deno.writeTextFile(partial, text);
  await Deno.chmod(partial, mode);
  await makeFolderOf(path);
  await Deno.rename(partial, path);
}
