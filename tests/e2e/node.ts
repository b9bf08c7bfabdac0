/**
 * A libvirt host of a test's own: real daemons in namespaces of their own (see `node.sh`), so that nothing of the
 * machine's own libvirt, network or `/etc` is touched. Paths inside a node are the host's, but for `/etc`, `/run`,
 * `/var/log`, `/var/lib/libvirt` and `/var/cache/libvirt`, which lie below the node's scratch folder.
 * @module
 */
import { type HistoryLine, parseHistory } from "./history.ts";
import { endLibvirtd, reloadLibvirtd, startLibvirtd } from "./libvirtd.ts";
import {
  type Ended,
  ENVIRONMENT,
  linkOrCopy,
  type NodeHandle,
  pathOutside,
  readText,
  runInside,
  writeWhole,
} from "./node_handle.ts";
import { until } from "./until.ts";

const NODE_SH = new URL("./node.sh", import.meta.url).pathname;
const START_MS = 60_000;
const COMMAND_MS = 60_000;

/** The connections a node answers. */
export type Uri = "qemu:///system" | "lxc:///system";

/** The options of `virsh` for a container. */
export const LXC = { uri: "lxc:///system" } as const;

interface RunOptions {
  /** After this time the command is killed (exit code 137). */
  readonly timeoutMs?: number;
}

interface VirshOptions extends RunOptions {
  readonly uri?: Uri;
}

/** One isolated libvirt host. */
export interface Node {
  readonly name: string;
  /** The node's scratch folder, at the same path inside and outside. */
  readonly scratch: string;
  /** The node's process 1, as the machine numbers it. */
  readonly pid: string;
  /** Where a file of the node lies on the machine. */
  path(inside: string): string;
  /** Runs a command in the node; any exit code is an answer. */
  run(argv: readonly string[], options?: RunOptions): Promise<Ended>;
  /** Runs a command in the node that has to succeed; returns its stdout. */
  sh(argv: readonly string[], options?: RunOptions): Promise<string>;
  /** Runs virsh (of the QEMU driver, unless told otherwise); any exit code is an answer. */
  virsh(args: readonly string[], options?: VirshOptions): Promise<Ended>;
  /** Runs virsh where it has to succeed; returns its stdout. */
  mustVirsh(args: readonly string[], options?: VirshOptions): Promise<string>;
  /** Runs virsh of the LXC driver, which has to succeed; returns its stdout. */
  lxc(args: readonly string[]): Promise<string>;
  /** Runs virsh, which has to fail; returns how. */
  virshFails(args: readonly string[], options?: VirshOptions): Promise<Ended>;
  /**
   * Waits until the last call in the history is of this operation; with `after`, until any call behind that many lines is.
   */
  operation(operation: string, options?: { readonly after?: number }): Promise<void>;
  /** Starts libvirtd and waits until its drivers answer. */
  startLibvirtd(): Promise<void>;
  /** Ends libvirtd as a service manager does (SIGTERM). */
  stopLibvirtd(): Promise<void>;
  /** Ends libvirtd as a crash does (SIGKILL). */
  killLibvirtd(): Promise<void>;
  /** Makes libvirtd reload (SIGHUP). */
  reload(): Promise<void>;
  /** Replaces `/etc/virt-hooks/rules.toml`. */
  writeRules(text: string): Promise<void>;
  /** Writes a program that rules may run; returns its path inside the node. */
  writeProgram(name: string, text: string): Promise<string>;
  /** Writes an executable below `/etc/libvirt/hooks`: `qemu`, `qemu.d/10-other`. */
  writeHook(name: string, text: string): Promise<void>;
  /** Puts compiled binaries of a `hooks` folder where libvirt looks for them, under their names or the one given. */
  installHooks(folder: string, names: readonly string[], options?: { readonly as?: string }): Promise<void>;
  /** What the hooks wrote to their history, oldest line first. */
  history(): Promise<readonly HistoryLine[]>;
  /** What libvirtd itself logged. */
  libvirtdLog(): Promise<string>;
  /** Ends every process of the node and removes all it had. */
  end(): Promise<void>;
}

async function writeConfiguration(scratch: string): Promise<void> {
  const libvirtd = [
    `host_uuid = "${crypto.randomUUID()}"`,
    `auth_unix_rw = "none"`,
    `log_outputs = "1:file:${scratch}/libvirtd.log"`,
    `log_filters = "2:daemon.libvirtd"`,
  ];
  // As root: where /dev/kvm is root's alone, libvirt would otherwise probe QEMU again at every document.
  const qemu = [`user = "root"`, `group = "root"`, `remember_owner = 0`, `security_driver = "none"`];
  await Deno.writeTextFile(`${scratch}/libvirtd.conf`, libvirtd.join("\n") + "\n");
  await Deno.writeTextFile(`${scratch}/qemu.conf`, qemu.join("\n") + "\n");
  await Deno.writeTextFile(`${scratch}/lxc.conf`, `security_driver = "none"\n`);
}

function succeeded(argv: readonly string[], ended: Ended): string {
  if (ended.code === 0) return ended.stdout;
  throw new Error(`Cannot go on without ${argv.join(" ")}: exit code ${ended.code}: ${ended.stderr}${ended.stdout}`);
}

function failed(argv: readonly string[], ended: Ended): Ended {
  if (ended.code !== 0) return ended;
  throw new Error(`${argv.join(" ")} succeeded, and must fail: ${ended.stdout}${ended.stderr}`);
}

async function waitForOperation(history: Node["history"], operation: string, after?: number): Promise<void> {
  await until(`the operation ${operation}`, async () => {
    const lines = await history();
    return after === undefined
      ? lines.at(-1)?.operation === operation
      : lines.slice(after).some((line) => line.operation === operation);
  });
}

function makeFiles(
  handle: NodeHandle,
): Pick<Node, "path" | "writeRules" | "writeProgram" | "writeHook" | "installHooks" | "history" | "libvirtdLog"> {
  const path = (inside: string): string => pathOutside(handle, inside);
  return {
    path,
    writeRules: (text) => writeWhole(handle, "/etc/virt-hooks/rules.toml", text, 0o644),
    writeProgram: async (name, text) => {
      const program = `/etc/virt-hooks/programs/${name}`;
      await writeWhole(handle, program, text, 0o755);
      return program;
    },
    writeHook: (name, text) => writeWhole(handle, `/etc/libvirt/hooks/${name}`, text, 0o755),
    installHooks: async (folder, names, options = {}) => {
      for (const name of names) await linkOrCopy(`${folder}/${name}`, path(`/etc/libvirt/hooks/${options.as ?? name}`));
    },
    history: async () => parseHistory(await readText(path("/var/log/virt-hooks/history.jsonl"))),
    libvirtdLog: () => readText(`${handle.scratch}/libvirtd.log`),
  };
}

function makeNode(handle: NodeHandle, end: () => Promise<void>): Node {
  const files = makeFiles(handle);
  const run: Node["run"] = (argv, options = {}) => runInside(handle, argv, options.timeoutMs ?? COMMAND_MS);
  const sh: Node["sh"] = async (argv, options) => succeeded(argv, await run(argv, options));
  const virshArgv = (args: readonly string[], options: VirshOptions = {}): string[] => {
    return ["virsh", "-q", "-c", options.uri ?? "qemu:///system", ...args];
  };
  const daemon = { run, sh, libvirtdLog: files.libvirtdLog };
  return {
    name: handle.name,
    scratch: handle.scratch,
    pid: handle.pid,
    ...files,
    run,
    sh,
    virsh: (args, options) => run(virshArgv(args, options), options),
    mustVirsh: (args, options) => sh(virshArgv(args, options), options),
    lxc: (args) => sh(virshArgv(args, LXC)),
    virshFails: async (args, options) => failed(["virsh", ...args], await run(virshArgv(args, options), options)),
    operation: (operation, { after } = {}) => waitForOperation(files.history, operation, after),
    startLibvirtd: () => startLibvirtd(daemon),
    stopLibvirtd: () => endLibvirtd(daemon, "TERM"),
    killLibvirtd: () => endLibvirtd(daemon, "KILL"),
    reload: () => reloadLibvirtd(daemon),
    end,
  };
}

/**
 * Starts a node, without any libvirt daemon yet; with the programs of the system below `root`, if one is given. Should this process die, the node ends with it.
 *
 * @throws {Error} when the namespaces cannot be made; it carries what the shell said.
 */
export async function startNode(options: { readonly name: string; readonly root?: string }): Promise<Node> {
  const scratch = await Deno.makeTempDir({ prefix: "virt-hooks-e2e." });
  await Deno.chmod(scratch, 0o755);
  await writeConfiguration(scratch);
  const child = new Deno.Command("sh", {
    args: [NODE_SH, scratch, options.name, options.root ?? ""],
    stdin: "piped",
    stdout: "null",
    stderr: "piped",
    clearEnv: true,
    env: ENVIRONMENT,
  }).spawn();
  const said = new Response(child.stderr).text();
  let ended = false;
  const status = child.status.then(() => ended = true);
  const end = async (): Promise<void> => {
    if (!child.stdin.locked) await child.stdin.close().catch(() => {});
    await status;
    await said;
  };
  try {
    const pid = await until(
      "the node's process 1",
      async () => ended ? "none" : (await readText(`${scratch}/pid`)).trim() || undefined,
      START_MS,
    );
    if (pid === "none") throw new Error("Cannot go on: the node's shell ended");
    return makeNode({ name: options.name, scratch, pid }, end);
  } catch (error) {
    await end();
    throw new Error(`Cannot start node "${options.name}": ${await said}`, { cause: error });
  }
}
