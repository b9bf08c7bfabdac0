/**
 * A host of a test's own that a real systemd runs (see `machine.sh`), and hooks that are called there as libvirt calls
 * them. Its services, its `/etc` and its `/run` are its own, and end with it.
 * @module
 */
import { type Ended, ENVIRONMENT, readText, runInside } from "../e2e/node_handle.ts";
import { until } from "../e2e/until.ts";
import { HOOKS } from "../e2e/scene.ts";

const MACHINE_SH = new URL("./machine.sh", import.meta.url).pathname;
/** What an unpacked archive holds. */
const ARCHIVE = HOOKS.replace(/\/hooks$/, "");
const GUEST_XML = new URL("../fixtures/qemu-prepare.xml", import.meta.url);
const NETWORK_XML = new URL("../fixtures/network-started.xml", import.meta.url);
const COMMAND_MS = 30_000;

/** A guest in name only: what libvirt would tell of it. */
export interface Guest {
  readonly name: string;
  readonly uuid: string;
}

/** The guest that is meant unless another is said. */
export const GUEST: Guest = { name: "vm1", uuid: "8d4784db-5c4f-402c-b7c2-6aea41393623" };

/** One host that systemd runs. */
export interface Machine {
  /** What is `/shared` inside. */
  readonly shared: string;
  /** Runs a shell's script inside; any exit code is an answer. */
  run(script: string): Promise<Ended>;
  /** Runs a script that has to succeed; returns its stdout. */
  must(script: string): Promise<string>;
  /** Writes a file inside. */
  write(path: string, text: string): Promise<void>;
  /** Calls the compiled qemu hook as libvirt does. */
  hook(operation: string, guest?: Guest): Promise<Ended>;
  /** Calls the compiled network hook as libvirt does for the network `lab`, 192.168.77.1 on its bridge `virbr7`. */
  networkHook(operation: "started" | "stopped"): Promise<Ended>;
  /** The command that does so for the qemu hook, as a shell's words. */
  hookCommand(operation: string, guest?: Guest): string;
  /** The last line of the history. */
  lastHistory(): Promise<string>;
  /** Demands and states that are left in the ledger. */
  ledgerFiles(): Promise<string>;
  /** Resolves when it is switched off. */
  readonly ended: Promise<unknown>;
  end(): Promise<void>;
}

/** Starts a machine, with the folders of `more` (`A:B`) laid over its `/usr`, and waits until its systemd has booted. */
export async function startMachine(more = ""): Promise<Machine> {
  const scratch = await Deno.makeTempDir({ prefix: "virt-hooks-systemd." });
  const shared = `${scratch}/shared`;
  await Deno.mkdir(shared);
  const child = new Deno.Command("sh", {
    args: [MACHINE_SH, scratch, ARCHIVE, more],
    stdin: "piped",
    stdout: "null",
    stderr: "null",
    clearEnv: true,
    env: ENVIRONMENT,
  }).spawn();
  async function end(): Promise<void> {
    if (!child.stdin.locked) await child.stdin.close().catch(() => {});
    await child.status;
  }
  try {
    const file = await until("the machine's process 1", async () => await readText(`${scratch}/pid`) || undefined);
    const pid = file.trim();
    if (pid === "") throw new Error(`Cannot start a machine: ${await readText(`${scratch}/console`)}`);
    const machine = makeMachine({ name: "systemd", scratch, pid }, shared, { ended: child.status, end });
    await until("systemd to boot", async () => /^(running|degraded)$/m.test((await machine.run(STATE)).stdout));
    await machine.must("mkdir -p -m 0755 /etc/virt-hooks && mkdir -p -m 0700 /var/log/virt-hooks");
    return machine;
  } catch (error) {
    await end();
    throw error;
  }
}

const STATE = "systemctl is-system-running";

function makeMachine(
  place: Parameters<typeof runInside>[0],
  shared: string,
  life: Pick<Machine, "ended" | "end">,
): Machine {
  const run: Machine["run"] = (script) => runInside(place, ["sh", "-c", script], COMMAND_MS);
  const must: Machine["must"] = async (script) => {
    const { code, stdout, stderr } = await run(script);
    if (code === 0) return stdout;
    throw new Error(`Cannot go on without ${script}: exit code ${code}: ${stderr}${stdout}`);
  };
  const hookCommand: Machine["hookCommand"] = (operation, guest = GUEST) => {
    const subOperation = operation === "release" ? "end" : "begin";
    return `/archive/hooks/qemu ${guest.name} ${operation} ${subOperation} - </shared/${guest.name}.xml`;
  };
  return {
    shared,
    run,
    must,
    write: async (path, text) => {
      await Deno.writeTextFile(`${shared}/file`, text);
      await must(`mkdir -p "$(dirname ${path})" && cp /shared/file ${path}`);
    },
    hookCommand,
    hook: async (operation, guest = GUEST) => {
      const xml = await Deno.readTextFile(GUEST_XML);
      const own = xml.replaceAll(GUEST.uuid, guest.uuid).replace(`<name>${GUEST.name}<`, `<name>${guest.name}<`);
      await Deno.writeTextFile(`${shared}/${guest.name}.xml`, own);
      return await run(`${hookCommand(operation, guest)}; exit $?`);
    },
    networkHook: async (operation) => {
      const xml = await Deno.readTextFile(NETWORK_XML);
      const own = xml.replace("<name>default<", "<name>lab<").replace("'virbr0'", "'virbr7'");
      await Deno.writeTextFile(`${shared}/lab.xml`, own.replaceAll("192.168.122.", "192.168.77."));
      const subOperation = operation === "stopped" ? "end" : "begin";
      return await run(`/archive/hooks/network lab ${operation} ${subOperation} - </shared/lab.xml; exit $?`);
    },
    lastHistory: () => must("tail -n 1 /var/log/virt-hooks/history.jsonl"),
    ledgerFiles: () => must("find /run/virt-hooks/ledger/resources -name '*.json'"),
    ...life,
  };
}
