/**
 * A host in memory that lives on between hook calls, as a real one does between processes.
 * @module
 */
import { hostOf } from "./host.ts";
import { runHook } from "../../lib/app/run_hook.ts";
import type { Driver, DriverName } from "../../lib/libvirt/driver.ts";
import { drivers } from "../../lib/libvirt/drivers.ts";
import { type MemoryHost, type MemoryNode, type MemorySys, memorySys } from "../../lib/sys/memory_sys.ts";
import type { Sys } from "../../lib/sys/sys.ts";
import { TOOLS } from "../../lib/sys/tools.ts";
import { ELF_START } from "./elf.ts";

/** What a call came to. */
export interface Answer {
  readonly code: number;
  readonly stderr: string;
  /** The call's line of the history. */
  readonly history: Readonly<Record<string, unknown>>;
  readonly sys: MemorySys;
}

/** Who is called about: a guest, or a network. */
export interface About {
  readonly name?: string;
  readonly uuid?: string;
  /** What stands in the guest's XML behind its UUID. */
  readonly xml?: string;
  /** What stands in the network's XML behind its UUID. */
  readonly network?: string;
}

/** A host and its hooks. */
export interface LedgerHost {
  /** Runs a hook as libvirt does. `wrap` stands between the hook and the world. */
  call(driver: DriverName, operation: string, about?: About, wrap?: (sys: MemorySys) => Sys): Promise<Answer>;
  /** What a file holds now. */
  text(path: string): string | undefined;
  write(path: string, text: string): void;
  /** Everything below a folder: path and text. */
  tree(folder: string): Readonly<Record<string, string>>;
  /** All that is in the ledger beside what an empty one has. */
  ledgerFiles(): readonly string[];
  readonly nodes: Map<string, MemoryNode>;
  /** The lock files that are held. */
  readonly locks: Set<string>;
  /** A view of the host without a call: for the admin command. */
  sys(args?: readonly string[]): MemorySys;
}

/** The UUID of the guest that is meant unless another is said. */
export const UUID = "11111111-2222-4333-8444-555555555555";
const BOOT_ID = "/proc/sys/kernel/random/boot_id";
const DAEMON_PID = 1000;
/** What an empty ledger has, and what was set aside in it. */
const ALWAYS_THERE = /^\/run\/virt-hooks\/ledger\/(boot|waiter\.lock|resources|holders|damaged(\/.*)?)$/;

/** `/proc/PID/stat` of a program. */
export function procStat(pid: number, name: string, startTime: number): string {
  return `${pid} (${name}) S 1 ${pid} ${pid} 0 -1 4194560 0 0 0 0 0 0 0 0 20 0 18 0 ${startTime} 1 1`;
}

/** Makes a host with libvirtd running on it, and these rules. */
export function ledgerHost(rules: string, host: MemoryHost = {}): LedgerHost {
  const files: NonNullable<MemoryHost["files"]> = {
    "/etc/virt-hooks/rules.toml": rules,
    "/var/log/x": "",
    "/run/x": "",
    [BOOT_ID]: "0b0b0b0b-0000-4000-8000-000000000000\n",
    [`/proc/${DAEMON_PID}/stat`]: procStat(DAEMON_PID, "libvirtd", 777),
    [`/proc/${DAEMON_PID}/status`]: "Name:\tlibvirtd\nUid:\t0\t0\t0\t0\n",
    [`/proc/${DAEMON_PID}/environ`]: "LC_ALL=C\0PATH=/usr/sbin:/usr/bin\0",
    "/usr/lib64/libvirt.so.0": { kind: "symlink", text: "libvirt.so.0.11003.0" },
    "/var/lib/virt-hooks/install/record": "# virt-hooks install record, format 1: what install.sh made. Do not edit.\n",
    ...Object.fromEntries(Object.values(TOOLS).map((path) => [path, { text: ELF_START, mode: 0o755 }])),
    ...host.files,
  };
  const first = memorySys({ ...host, files });
  const { nodes } = first;
  const locks = new Set(host.locked ?? []);
  let calls = 0;
  function sysOf(args: readonly string[], stdin: string): MemorySys {
    calls++;
    return memorySys({ ...host, nodes, locks, pid: 20_000 + calls, args, stdin: whole(stdin) });
  }
  return {
    nodes,
    locks,
    call: async (driver, operation, about = {}, wrap = (sys) => sys) => {
      const facts: Driver = drivers[driver];
      const object = driver === "daemon" ? "-" : about.name ?? "web-1";
      const subOperation = facts.operations[operation]?.subOperation ?? "begin";
      const sys = sysOf([object, operation, subOperation, "-"], documentOf(facts, object, about));
      const code = await runHook(facts, hostOf(wrap(sys)));
      const lines = (nodes.get("/var/log/virt-hooks/history.jsonl")?.text ?? "").trimEnd().split("\n");
      return { code, stderr: sys.written.stderr, history: JSON.parse(lines.at(-1) || "{}"), sys };
    },
    text: (path) => nodes.get(path)?.text,
    write: (path, text) => {
      const before = nodes.get(path);
      nodes.set(path, { kind: "file", uid: 0, mode: 0o644, ...before, text });
    },
    tree: (folder) =>
      Object.fromEntries(
        [...nodes].filter(([path, node]) => path.startsWith(`${folder}/`) && node.kind === "file")
          .map(([path, node]) => [path, node.text] as const).sort(),
      ),
    ledgerFiles: () =>
      [...nodes.keys()].filter((path) => path.startsWith("/run/virt-hooks/ledger/") && !ALWAYS_THERE.test(path)).sort(),
    sys: (args = []) => sysOf(args, ""),
  };
}

/** The states of resources that are in the ledger. */
export function statesOf(host: LedgerHost): readonly string[] {
  return host.ledgerFiles().filter((path) => path.endsWith("/state.json"));
}

function whole(text: string): { readonly kind: "whole"; readonly bytes: Uint8Array } {
  return { kind: "whole", bytes: new TextEncoder().encode(text) };
}

function documentOf(driver: Driver, name: string, { uuid = UUID, xml = "", network = "" }: About): string {
  switch (driver.stdin) {
    case "nothing":
      return "";
    case "domain":
      return `<domain type='kvm'>\n  <name>${name}</name>\n  <uuid>${uuid}</uuid>\n${xml}</domain>\n`;
    case "hookData":
      return `<hookData>\n<network>\n  <name>${name}</name>\n  <uuid>${uuid}</uuid>\n${network}</network>${xml}\n</hookData>`;
  }
}
