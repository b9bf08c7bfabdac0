/**
 * For each kind of resource a host, rules, and what the host looks like with and without the guest. One more kind is one
 * more row.
 * @module
 */
import type { ResourceName } from "../../lib/plan/demand.ts";
import type { MemoryHost, MemoryProgram } from "../../lib/sys/memory_sys.ts";
import { ELF_START } from "../support/elf.ts";
import { TOOLS } from "../../lib/sys/tools.ts";
import { type FakeNetwork, fakeNetwork } from "../support/fake_network.ts";
import { poolHost } from "../support/hugepage_host.ts";
import { consoleFiles, consoleState, FRAMEBUFFER_REACTIONS } from "../support/console_tree.ts";
import { type About, type LedgerHost } from "../support/ledger_host.ts";
import { deviceState, pciTree } from "../support/pci_tree.ts";
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

/** A row. */
export interface KillRow {
  readonly name: string;
  readonly kinds: readonly ResourceName[];
  readonly rules: string;
  readonly about?: About;
  /** Operations before the one that acquires. */
  readonly before?: readonly string[];
  readonly driver: "qemu" | "network";
  readonly acquire: "prepare" | "started";
  readonly release: "release" | "stopped";
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
function unitsScene(): Scene {
  const { host, units } = transientUnits();
  const program = { text: ELF_START, mode: 0o755 };
  return { host: { ...host, files: { ...host.files, "/opt/watch": program } }, look: () => [...units.values()] };
}

/** A host whose state is that of its network. */
function networkScene(look: (network: FakeNetwork) => unknown): Scene {
  const network = fakeNetwork();
  return {
    host: { files: { "/run/systemd/resolve/x": "" }, programs: network.programs },
    look: () => look(network),
  };
}

/** Two nodes with huge pages of others. A killed write has made or freed half of them. */
function hugepageScene(): Scene {
  const pools = poolHost({ nodes: [{ pages: 10 }, {}] });
  return {
    host: pools.host,
    look: (host) => pools.pages(host),
    partOf: (path, text, host) =>
      path.endsWith("/nr_hugepages") ? String(Math.floor((Number(host.text(path)) + Number(text)) / 2)) : undefined,
  };
}

const CARD = ["0000:01:00.0", "0000:01:00.1"] as const;

/** A card of two functions, which the firmware shows on. */
function cardScene(): Scene {
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
function moduleScene(name: string): Scene {
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

const GUEST = { driver: "qemu", acquire: "prepare", release: "release" } as const;
const RUNNING = { driver: "qemu", before: ["prepare"], acquire: "started", release: "release" } as const;
const NETWORK = {
  ...{ driver: "network", acquire: "started", release: "stopped" } as const,
  about: { name: "lab", network: "<bridge name='virbr7'/><ip address='192.168.7.1' netmask='255.255.255.0'/>" },
};

const SWAPPINESS = "/proc/sys/vm/swappiness";
const RANGE = "/proc/sys/net/ipv4/ip_local_port_range";

/** The rows. */
export const KILL_ROWS: readonly KillRow[] = [
  {
    name: "sysctl",
    kinds: ["sysctl"],
    rules: rule('sysctl = { "vm.swappiness" = 1 }'),
    ...GUEST,
    scene: () => filesScene({ [SWAPPINESS]: "60\n" }),
    original: ["60"],
    held: ["1"],
  },
  {
    name: "two sysctls at once",
    kinds: ["sysctl"],
    rules: rule('sysctl = { "vm.swappiness" = 1, "net.ipv4.ip_local_port_range" = "1024 65000" }'),
    ...GUEST,
    scene: () => filesScene({ [SWAPPINESS]: "60\n", [RANGE]: "32768\t60999\n" }),
    original: ["60", "32768 60999"],
    held: ["1", "1024 65000"],
  },
  {
    name: "a program and its undo",
    kinds: ["command"],
    rules: rule('run = { argv = ["/opt/mount"], undo = ["/opt/umount"] }'),
    ...GUEST,
    scene: programsScene,
    original: ["off", 0],
    held: ["on", 0],
  },
  {
    name: "a program and its undo while the guest runs",
    kinds: ["command"],
    rules: rule('run = { argv = ["/opt/mount"], undo = ["/opt/umount"], during = "running" }'),
    ...RUNNING,
    scene: programsScene,
    original: ["off", 0],
    held: ["on", 0],
  },
  {
    name: "a process",
    kinds: ["process"],
    rules: rule('process = { argv = ["/opt/watch", "${domain}"] }'),
    ...RUNNING,
    scene: programsScene,
    original: ["off", 0],
    held: ["off", 1],
  },
  {
    name: "a process as a unit",
    kinds: ["process"],
    rules: rule('process = { argv = ["/opt/watch", "${domain}"] }'),
    ...RUNNING,
    scene: unitsScene,
    original: [],
    held: ["active"],
  },
  {
    name: "hugepages",
    kinds: ["hugepages"],
    rules: rule("hugepages = { pages = 64 }"),
    ...GUEST,
    scene: hugepageScene,
    original: [10, 0],
    held: [42, 32],
  },
  {
    name: "module",
    kinds: ["module"],
    rules: rule('modules = { load = ["vfio_pci"] }'),
    ...GUEST,
    scene: () => moduleScene("vfio_pci"),
    original: false,
    held: true,
  },
  {
    name: "address",
    kinds: ["address"],
    rules: rule('addresses = { address = "192.0.2.1/24", dev = "br0" }'),
    ...RUNNING,
    scene: () => networkScene(({ addresses }) => [...addresses]),
    original: [],
    held: ["192.0.2.1/24 dev br0"],
  },
  {
    name: "route",
    kinds: ["route"],
    rules: rule('routes = { to = "203.0.113.7", dev = "br0" }'),
    ...RUNNING,
    scene: () => networkScene(({ routes }) => [...routes.keys()]),
    original: [],
    held: ["203.0.113.7/32"],
  },
  {
    name: "dns",
    kinds: ["dns"],
    rules: '[[rule]]\nname = "names"\nwhen = {}\nwhile = "network"\ndns = { domain = "lab.internal" }\n',
    ...NETWORK,
    scene: () => networkScene(({ dns }) => dns),
    original: { servers: [], domains: [] },
    held: { servers: ["192.168.7.1"], domains: ["~lab.internal"] },
  },
  {
    name: "all that a network can hold",
    kinds: ["sysctl", "address", "route", "dns"],
    rules: '[[rule]]\nname = "all"\nwhen = {}\nwhile = "network"\nsysctl = { "vm.swappiness" = 1 }\n' +
      'addresses = { address = "192.0.2.1/24" }\nroutes = { to = "203.0.113.7" }\ndns = { domain = "lab.internal" }\n',
    ...NETWORK,
    scene: () => {
      const { host, look } = networkScene(({ addresses, routes, dns }) => [...addresses, ...routes.keys(), dns]);
      return {
        host: { ...host, files: { ...host.files, [SWAPPINESS]: "60\n" } },
        look: (all) => [all.text(SWAPPINESS)?.trim(), look(all)],
      };
    },
    original: ["60", [{ servers: [], domains: [] }]],
    held: ["1", ["192.0.2.1/24 dev virbr7", "203.0.113.7/32", {
      servers: ["192.168.7.1"],
      domains: ["~lab.internal"],
    }]],
  },
  {
    name: "pci",
    kinds: ["pci", "console"],
    rules: rule(`pci = { devices = ${JSON.stringify(CARD)}, holders = "stop" }`),
    ...{ driver: "qemu", acquire: "prepare", release: "release" },
    scene: cardScene,
    original: [["nvidia (null)", "snd_hda_intel (null)"], [true, true]],
    held: [["vfio-pci vfio-pci", "vfio-pci vfio-pci"], [undefined, false]],
  },
];
