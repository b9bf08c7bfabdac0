/**
 * Hosts in memory for each kind of resource, with what of them is held.
 * @module
 */
import { consoleFiles, consoleState, FRAMEBUFFER_REACTIONS } from "../support/console_tree.ts";
import { deviceState, pciTree } from "../support/pci_tree.ts";
import type { MemoryHost, MemoryProgram } from "../../lib/sys/memory_sys.ts";
import { ELF_START } from "../support/elf.ts";
import { TOOLS } from "../../lib/sys/tools.ts";
import { fakeFilter } from "../support/fake_filter.ts";
import { type FakeNetwork, fakeNetwork } from "../support/fake_network.ts";
import { type MemorySystemd, memorySystemd, SYSTEMD_FILES } from "../support/memory_systemd.ts";
import { poolHost } from "../support/hugepage_host.ts";
import type { LedgerHost } from "../support/ledger_host.ts";
import { transientUnits } from "../support/transient_units.ts";

/** A host before anything happened on it. */
export interface Scene {
  readonly host: MemoryHost;
  /** Hands programs of the host its files. */
  wire?(nodes: LedgerHost["nodes"]): void;
  /** What of the host is held, as plain data. */
  look(host: LedgerHost): unknown;
  /** What the kernel takes of a write in whose middle the hook dies. */
  partOf?(path: string, text: string, host: LedgerHost): string | undefined;
}

/** A host whose state is the text of some files. */
export function filesScene(files: Readonly<Record<string, string>>): Scene {
  const paths = Object.keys(files);
  return { host: { files }, look: (host) => paths.map((path) => host.text(path)?.trim().replace(/\s+/g, " ")) };
}

/** What a guest's programs have done on a host, and which of them still run. */
export function programsScene(): Scene {
  const programs: Record<string, MemoryProgram> = {};
  const effects = new Map([["share", "off"]]);
  for (const [name, state] of [["mount", "on"], ["umount", "off"]] as const) {
    programs[`/opt/${name}`] = () => {
      effects.set("share", state);
      return {};
    };
  }
  const program = { text: ELF_START, mode: 0o755 };
  const files = Object.fromEntries(["mount", "umount", "watch"].map((name) => [`/opt/${name}`, program]));
  const isMarked = ([path, { text }]: readonly [string, { readonly text: string }]): boolean =>
    path.endsWith("/environ") && text.includes("VIRT_HOOKS_HOLD=");
  return {
    host: { files, programs },
    look: (host) => [effects.get("share"), [...host.nodes].filter(isMarked).length],
  };
}

/** A host whose systemd makes units, and how many there are. */
export function unitsScene(): Scene {
  const { host, units } = transientUnits();
  const program = { text: ELF_START, mode: 0o755 };
  return { host: { ...host, files: { ...host.files, "/opt/watch": program } }, look: () => [...units.values()] };
}

/** A host whose state is that of its network. */
export function networkScene(look: (network: FakeNetwork) => unknown): Scene {
  const network = fakeNetwork();
  return {
    host: { files: { "/run/systemd/resolve/x": "" }, programs: network.programs },
    look: () => look(network),
  };
}

/** A host whose state is that of its packet filter. */
export function filterScene(): Scene {
  const filter = fakeFilter();
  return {
    host: { programs: filter.programs },
    look: () => ({
      guests: filter.rules().filter((one) => one.startsWith("to_guest")).map((one) => / dport (\d+) /.exec(one)?.[1]),
      forward: filter.forward,
    }),
  };
}

/** Two nodes with huge pages of others. A killed write has made or freed half of them. */
export function hugepageScene(): Scene {
  const pools = poolHost({ nodes: [{ pages: 10 }, {}] });
  return {
    host: pools.host,
    look: (host) => pools.pages(host),
    partOf: (path, text, host) =>
      path.endsWith("/nr_hugepages") ? String(Math.floor((Number(host.text(path)) + Number(text)) / 2)) : undefined,
  };
}

/** The functions of a card. */
export const CARD = ["0000:01:00.0", "0000:01:00.1"] as const;

/** A card of two functions, which the firmware shows on. */
export function cardScene(): Scene {
  const tree = pciTree({
    [CARD[0]]: { driver: "nvidia", kind: "030000", bootVga: true },
    [CARD[1]]: { driver: "snd_hda_intel", kind: "040300" },
  }, { files: consoleFiles(true) });
  return {
    host: { ...tree, reactions: { ...tree.reactions, ...FRAMEBUFFER_REACTIONS } },
    look: (host) => [CARD.map((address) => deviceState(address, host)), consoleState(host.nodes, true)],
  };
}

/** A kernel that loads one module. */
export function moduleScene(name: string): Scene {
  const folder = `/sys/module/${name}`;
  let nodes: LedgerHost["nodes"] = new Map();
  function modprobe(args: readonly string[]): ReturnType<MemoryProgram> {
    if (args.includes("--show-depends")) return { stdout: `insmod /lib/modules/6.1.0/${name}.ko \n` };
    const node = { text: "live\n", uid: 0, mode: 0o755 };
    if (args.includes("--remove")) { for (const path of [folder, `${folder}/initstate`]) nodes.delete(path); }
    else {
      nodes.set(folder, { ...node, kind: "directory" });
      nodes.set(`${folder}/initstate`, { ...node, kind: "file" });
    }
    return {};
  }
  return {
    host: {
      files: { "/proc/modules": "", "/sys/module/kernel/parameters/panic": "0\n" },
      programs: { [TOOLS.modprobe]: ({ argv }) => modprobe(argv.slice(1)) },
    },
    wire: (all) => {
      nodes = all;
    },
    look: (host) => host.nodes.has(folder),
  };
}

/** A host that systemd runs, with one service. */
export function systemdScene(look: (systemd: MemorySystemd) => unknown): Scene {
  const systemd = memorySystemd({ "gdm.service": { active: "active" } });
  return {
    host: { programs: systemd.programs, files: SYSTEMD_FILES },
    wire: (nodes) => {
      systemd.nodes = nodes;
    },
    look: () => look(systemd),
  };
}

const POLICY = "/sys/devices/system/cpu/cpufreq/policy0";

/** A host with one CPU whose frequency is governed. */
export function governorScene(): Scene {
  const { look } = filesScene({ [`${POLICY}/scaling_governor`]: "powersave\n" });
  const files = {
    "/sys/devices/system/cpu/cpu0/cpufreq": { kind: "symlink", text: "../cpufreq/policy0" },
    [`${POLICY}/scaling_governor`]: "powersave\n",
    [`${POLICY}/scaling_available_governors`]: "performance powersave\n",
  } as const;
  return { host: { files }, look };
}

/** Scenes on one host. */
export function together(...scenes: readonly Scene[]): Scene {
  return {
    host: {
      files: Object.assign({}, ...scenes.map(({ host }) => host.files)),
      programs: Object.assign({}, ...scenes.map(({ host }) => host.programs)),
      reactions: Object.assign({}, ...scenes.map(({ host }) => host.reactions)),
    },
    wire: (nodes) => {
      for (const scene of scenes) scene.wire?.(nodes);
    },
    look: (host) => scenes.map((scene) => scene.look(host)),
    partOf: (path, text, host) =>
      scenes.map((scene) => scene.partOf?.(path, text, host)).find((part) => part !== undefined),
  };
}
