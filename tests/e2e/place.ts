/**
 * The place a node is: how to reach its files from outside, and how to run a command inside.
 * @module
 */

/** The environment of everything in a node. */
export const ENVIRONMENT = {
  PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  HOME: "/root",
  LC_ALL: "C",
};
/** The folders that a node has instead of the host's. */
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

/** What is known of a node's namespaces once they stand. */
export interface Place {
  readonly name: string;
  readonly scratch: string;
  /** The node's process 1, as the host numbers it. */
  readonly pid: string;
}

/** Where a file of the node lies on the machine. */
export function pathOutside(place: Place, inside: string): string {
  const covered = COVERED.find((folder) => inside.startsWith(folder.inside));
  return covered === undefined ? inside : `${place.scratch}/${covered.below}/${inside.slice(covered.inside.length)}`;
}

/** Runs a command in the node, killed after `timeoutMs` (exit code 137); any exit code is an answer. */
export async function runInside(place: Place, argv: readonly string[], timeoutMs: number): Promise<Ended> {
  const namespaces = ["-t", place.pid, "-m", "-n", "-u", "-i", "-p", "-C"];
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

/** The text of a file, empty when there is none. */
export async function readText(path: string): Promise<string> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "";
    throw error;
  }
}

/** Puts a large executable somewhere, without copying where the file system allows that. */
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

/** Writes by rename, from a folder in which libvirt runs nothing: no hook ever meets half a file. */
export async function writeWhole(place: Place, inside: string, text: string, mode: number): Promise<void> {
  const half = `${place.scratch}/half-written`;
  const path = pathOutside(place, inside);
  await Deno.writeTextFile(half, text);
  await Deno.chmod(half, mode);
  await makeFolderOf(path);
  await Deno.rename(half, path);
}
