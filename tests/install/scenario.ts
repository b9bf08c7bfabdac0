/**
 * One scenario is one test for each shell that a host may have as /bin/sh, in a fresh folder whose name has a space.
 * busybox runs with a PATH that holds nothing but its own programs: so nothing but a base system is needed.
 * @module
 */
import { makeArchive } from "./archive.ts";
import { missing } from "./prerequisite.ts";

interface Shell {
  readonly name: string;
  readonly program: string;
  readonly argv: readonly string[];
  readonly onlyBusybox: boolean;
}

const SHELLS: readonly Shell[] = [
  { name: "dash", program: "/usr/bin/dash", argv: ["/usr/bin/dash"], onlyBusybox: false },
  { name: "bash as sh", program: "/usr/bin/bash", argv: ["/usr/bin/bash", "--posix"], onlyBusybox: false },
  { name: "busybox sh", program: "/usr/bin/busybox", argv: ["/usr/bin/busybox", "sh"], onlyBusybox: true },
];

/** What a run of install.sh gave back. */
export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A fresh stage for one scenario: an archive of version 1.0.0, an empty DESTDIR, and the means to run install.sh. */
export interface Scenario {
  readonly folder: string;
  readonly archive: string;
  readonly destdir: string;
  readonly hooks: string;
  /** Runs the archive's install.sh (or that of `from`) with DESTDIR set. */
  install(args: readonly string[], from?: string): Promise<Ran>;
  /** Makes another archive of this version and tells its folder. */
  makeArchive(version: string, replace?: Readonly<Record<string, string>>): Promise<string>;
}

/** Registers a scenario for every shell. */
export function scenario(name: string, play: (scenario: Scenario) => Promise<void>): void {
  for (const shell of SHELLS) {
    Deno.test({
      name: `install.sh ${name} (${shell.name})`,
      ignore: missing(shell.program),
      fn: () => inFreshFolder((folder) => playIn(folder, shell, play)),
    });
  }
}

/** Gives `use` a folder of its own and removes it afterwards. */
export async function inFreshFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "virt hooks " });
  try {
    await use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function playIn(folder: string, shell: Shell, play: (scenario: Scenario) => Promise<void>): Promise<void> {
  const destdir = `${folder}/dest dir`;
  await Deno.mkdir(destdir);
  let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  if (shell.onlyBusybox) {
    path = `${folder}/only busybox`;
    await installBusybox(path);
  }
  const archive = `${folder}/archive`;
  await makeArchive(archive, { version: "1.0.0" });
  let archives = 1;
  await play({
    folder,
    archive,
    destdir,
    hooks: `${destdir}/etc/libvirt/hooks`,
    install: (args, from = archive) =>
      run([...shell.argv, `${from}/install.sh`, ...args], { PATH: path, DESTDIR: destdir }),
    makeArchive: async (version, replace = {}) => {
      const another = `${folder}/archive ${++archives}`;
      await makeArchive(another, { version, replace });
      return another;
    },
  });
}

/** Fills `folder` with busybox and a link for each of its programs. */
export async function installBusybox(folder: string): Promise<void> {
  await Deno.mkdir(folder, { recursive: true });
  // By a program of its own: a child that another test starts meanwhile could hold our copy open, and keep it from running.
  await run(["/bin/cp", "/usr/bin/busybox", `${folder}/busybox`], {});
  await run([`${folder}/busybox`, "--install", "-s", folder], {});
}

/** Runs a program with exactly this environment. */
export async function run(argv: readonly string[], env: Readonly<Record<string, string>>): Promise<Ran> {
  const [program = "", ...args] = argv;
  const { code, stdout, stderr } = await new Deno.Command(program, { args, env, clearEnv: true, stdin: "null" })
    .output();
  const text = new TextDecoder();
  return { code, stdout: text.decode(stdout), stderr: text.decode(stderr) };
}

/** Writes an executable script, with the folders it needs. */
export async function writeScript(path: string, body: string): Promise<void> {
  await Deno.mkdir(path.slice(0, path.lastIndexOf("/")), { recursive: true });
  await Deno.writeTextFile(path, `#!/bin/sh\n${body}\n`);
  await Deno.chmod(path, 0o755);
}
