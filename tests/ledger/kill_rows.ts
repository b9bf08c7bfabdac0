/**
 * For each kind of resource a host, rules, and what the host looks like with and without the guest. One more kind is one
 * more row.
 * @module
 */
import type { ResourceName } from "../../lib/plan/demand.ts";
import type { MemoryHost, MemoryProgram } from "../../lib/sys/memory_sys.ts";
import { ELF_START } from "../support/elf.ts";
import type { About, LedgerHost } from "../support/ledger_host.ts";

/** A host before anything happened on it. */
export interface Scene {
  readonly host: MemoryHost;
  /** What of the host is held, as plain data. */
  look(host: LedgerHost): unknown;
}

/** A row. */
export interface KillRow {
  readonly name: string;
  readonly kinds: readonly ResourceName[];
  readonly rules: string;
  readonly about?: About;
  /** Operations before the one that acquires. */
  readonly before?: readonly string[];
  readonly acquire: "prepare" | "started";
  /** Makes a new host. */
  scene(): Scene;
  readonly original: unknown;
  readonly held: unknown;
}

function rule(actions: string): string {
  return `[[rule]]\nname = "all"\nwhen = { domain = "*" }\n${actions}\n`;
}

/** A host whose state is the text of some files. */
function filesScene(files: Readonly<Record<string, string>>): Scene {
  const paths = Object.keys(files);
  return { host: { files }, look: (host) => paths.map((path) => host.text(path)?.trim().replace(/\s+/g, " ")) };
}

/** What a guest's programs have done on a host, and which of them still run. */
function programsScene(): Scene {
  const programs: Record<string, MemoryProgram> = {};
  const nodes = new Map<string, string>([["share", "off"]]);
  for (const [name, state] of [["mount", "on"], ["umount", "off"]] as const) {
    programs[`/opt/${name}`] = () => {
      nodes.set("share", state);
      return {};
    };
  }
  const program = { text: ELF_START, mode: 0o755 };
  const files = Object.fromEntries(["mount", "umount", "watch"].map((name) => [`/opt/${name}`, program]));
  const isMarked = ([path, { text }]: readonly [string, { readonly text: string }]): boolean =>
    path.endsWith("/environ") && text.includes("VIRT_HOOKS_HOLD=");
  return {
    host: { files, programs },
    look: (host) => [nodes.get("share"), [...host.nodes].filter(isMarked).length],
  };
}

const SWAPPINESS = "/proc/sys/vm/swappiness";
const RANGE = "/proc/sys/net/ipv4/ip_local_port_range";

/** The rows. */
export const KILL_ROWS: readonly KillRow[] = [
  {
    name: "sysctl",
    kinds: ["sysctl"],
    rules: rule('sysctl = { "vm.swappiness" = 1 }'),
    acquire: "prepare",
    scene: () => filesScene({ [SWAPPINESS]: "60\n" }),
    original: ["60"],
    held: ["1"],
  },
  {
    name: "two sysctls at once",
    kinds: ["sysctl"],
    rules: rule('sysctl = { "vm.swappiness" = 1, "net.ipv4.ip_local_port_range" = "1024 65000" }'),
    acquire: "prepare",
    scene: () => filesScene({ [SWAPPINESS]: "60\n", [RANGE]: "32768\t60999\n" }),
    original: ["60", "32768 60999"],
    held: ["1", "1024 65000"],
  },
  {
    name: "a program and its undo",
    kinds: ["command"],
    rules: rule('run = { argv = ["/opt/mount"], undo = ["/opt/umount"] }'),
    acquire: "prepare",
    scene: programsScene,
    original: ["off", 0],
    held: ["on", 0],
  },
  {
    name: "a program and its undo while the guest runs",
    kinds: ["command"],
    rules: rule('run = { argv = ["/opt/mount"], undo = ["/opt/umount"], during = "running" }'),
    before: ["prepare"],
    acquire: "started",
    scene: programsScene,
    original: ["off", 0],
    held: ["on", 0],
  },
  {
    name: "a process",
    kinds: ["process"],
    rules: rule('process = { argv = ["/opt/watch", "${domain}"] }'),
    before: ["prepare"],
    acquire: "started",
    scene: programsScene,
    original: ["off", 0],
    held: ["off", 1],
  },
];
