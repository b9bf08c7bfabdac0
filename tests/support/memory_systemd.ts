/**
 * systemd on a host in memory: as much of `systemctl` as resources use. The real one is asked by tests/systemd.
 * @module
 */
import type { MemoryNode, MemoryProgram } from "../../lib/sys/memory_sys.ts";
import { TOOLS } from "../../lib/sys/tools.ts";

/** A unit in memory. */
export interface MemoryUnit {
  readonly active: string;
  readonly load?: string;
  readonly job?: number;
  /** The unit's own name, where it is asked for by another. */
  readonly id?: string;
  readonly triggeredBy?: string;
  /** How often one can look before a stop is done. */
  readonly stopLooks?: number;
}

/** systemd in memory. */
export interface MemorySystemd {
  readonly programs: Readonly<Record<string, MemoryProgram>>;
  readonly units: Map<string, MemoryUnit>;
  /** `AllowedCPUs` as they count now. */
  readonly allowed: Map<string, string>;
  /** `AllowedCPUs` as the administrator's own files have them. */
  readonly configured: Map<string, string>;
  /** What changed something, in order. */
  readonly deeds: string[];
  /** What each verb answers instead, for a test. */
  readonly answers: Map<string, { readonly code: number; readonly stdout?: string; readonly stderr?: string }>;
  /** The host's files; set once there is a host. */
  nodes: Map<string, MemoryNode>;
}

/** What a host needs to be run by it. */
export const SYSTEMD_FILES = {
  "/run/systemd/system": { kind: "directory", mode: 0o755 },
  "/sys/devices/system/cpu/online": "0-7\n",
  "/sys/devices/system/cpu/possible": "0-15\n",
  "/sys/fs/cgroup/cgroup.controllers": "cpuset cpu io memory\n",
} as const;

const SLICES = ["system.slice", "user.slice", "init.scope"];

/** Makes a systemd in memory. */
export function memorySystemd(units: Readonly<Record<string, MemoryUnit>> = {}): MemorySystemd {
  const systemd: MemorySystemd = {
    programs: {
      [TOOLS.systemctl]: ({ argv }) => systemctl(argv.slice(1), systemd),
      [TOOLS.find]: ({ argv }) => removeDropIns(argv.slice(1), systemd),
    },
    units: new Map(Object.entries(units)),
    allowed: new Map(SLICES.map((unit) => [unit, ""])),
    configured: new Map(SLICES.map((unit) => [unit, ""])),
    deeds: [],
    answers: new Map(),
    nodes: new Map(),
  };
  return systemd;
}

function systemctl(args: readonly string[], systemd: MemorySystemd): ReturnType<MemoryProgram> {
  const [verb = "", ...words] = args.filter((word) => word !== "--" && word !== "--no-block" && word !== "--runtime");
  const answer = systemd.answers.get(verb);
  if (answer !== undefined) return { ...answer, end: { kind: "exited", code: answer.code } };
  switch (verb) {
    case "show":
      return { stdout: show(words, systemd) };
    case "start":
    case "stop": {
      const [unit = ""] = words;
      systemd.deeds.push(`${verb} ${unit}`);
      const before = systemd.units.get(unit) ?? { active: "inactive" };
      const { job: _done, ...rest } = before;
      const stopped = before.stopLooks === undefined ? "inactive" : "deactivating";
      systemd.units.set(unit, { ...rest, active: verb === "start" ? "active" : stopped });
      return {};
    }
    case "set-property": {
      const [unit = "", setting = ""] = words;
      const cpus = setting.slice("AllowedCPUs=".length);
      systemd.deeds.push(`${unit} ${cpus}`);
      systemd.allowed.set(unit, cpus);
      systemd.nodes.set(dropIn(unit), fileOf(`[Slice]\nAllowedCPUs=\nAllowedCPUs=${cpus}\n`));
      return {};
    }
    case "daemon-reload":
      systemd.deeds.push("daemon-reload");
      for (const unit of SLICES) {
        const own = /AllowedCPUs=(.+)\n$/.exec(systemd.nodes.get(dropIn(unit))?.text ?? "")?.[1] ?? "";
        const all = [own, systemd.configured.get(unit) ?? ""].filter((cpus) => cpus !== "");
        systemd.allowed.set(unit, all.join(","));
      }
      return {};
    default:
      return { end: { kind: "exited", code: 1 }, stderr: `Unknown command verb ${verb}.` };
  }
}

function show(words: readonly string[], systemd: MemorySystemd): string {
  return words.filter((word) => !word.startsWith("--")).map((name) => {
    const unit = systemd.units.get(name);
    const allowed = systemd.allowed.get(name);
    if (allowed !== undefined) return `AllowedCPUs=${allowed}\n`;
    if (unit !== undefined && unit.active === "deactivating") look(name, unit, systemd);
    const { active = "inactive", load = "not-found", job, id = name, triggeredBy = "" } = unit === undefined
      ? {}
      : { load: "loaded", ...unit };
    const lines = [`Id=${id}`, `LoadState=${load}`, `ActiveState=${active}`, `TriggeredBy=${triggeredBy}`];
    return [...lines, ...(job === undefined ? [] : [`Job=${job}`]), ""].join("\n");
  }).join("\n");
}

function look(name: string, unit: MemoryUnit, { units }: MemorySystemd): void {
  const left = unit.stopLooks ?? 1;
  units.set(name, left > 1 ? { ...unit, stopLooks: left - 1 } : { ...unit, active: "inactive" });
}

function removeDropIns(args: readonly string[], { nodes, deeds }: MemorySystemd): ReturnType<MemoryProgram> {
  for (const folder of args.filter((word) => word.startsWith("/"))) {
    nodes.delete(`${folder}/50-AllowedCPUs.conf`);
    deeds.push(`remove ${folder}`);
  }
  return {};
}

/** Where systemd keeps the setting. */
export function dropIn(unit: string): string {
  return `/run/systemd/system.control/${unit}.d/50-AllowedCPUs.conf`;
}

function fileOf(text: string): MemoryNode {
  return { kind: "file", text, uid: 0, mode: 0o644 };
}
