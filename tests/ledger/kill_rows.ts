/**
 * For each kind of resource a host, rules, and what the host looks like with and without the guest. One more kind is one
 * more row.
 * @module
 */
import type { ResourceName } from "../../lib/plan/demand.ts";
import type { About } from "../support/ledger_host.ts";
import {
  CARD,
  cardScene,
  filesScene,
  filterScene,
  governorScene,
  hugepageScene,
  moduleScene,
  networkScene,
  programsScene,
  type Scene,
  systemdScene,
  together,
  unitsScene,
} from "./kill_scenes.ts";

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

const PINNED = { xml: "<vcpu>1</vcpu>\n<cputune><vcpupin vcpu='0' cpuset='0'/></cputune>\n" };

const GUEST = { driver: "qemu", acquire: "prepare", release: "release" } as const;
const RUNNING = { driver: "qemu", before: ["prepare"], acquire: "started", release: "release" } as const;
const NETWORK = {
  ...{ driver: "network", acquire: "started", release: "stopped" } as const,
  about: { name: "lab", network: "<bridge name='virbr7'/><ip address='192.168.7.1' netmask='255.255.255.0'/>" },
};

const OUR_ACCEPT = "-m mark --mark 0x10000000/0x10000000 -m comment --comment virt-hooks -j ACCEPT";
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
    name: "service",
    kinds: ["service"],
    rules: rule('services = { stop = ["gdm"] }'),
    ...GUEST,
    scene: () => systemdScene(({ units }) => units.get("gdm.service")?.active),
    original: "active",
    held: "inactive",
  },
  {
    name: "cpus",
    kinds: ["cpus"],
    rules: rule('cpus = { isolate = "2-5" }'),
    ...GUEST,
    scene: () => systemdScene(({ allowed }) => [...allowed.values()]),
    original: ["", "", ""],
    held: ["0-1,6-7", "0-1,6-7", "0-1,6-7"],
  },
  {
    name: "governor",
    kinds: ["governor"],
    rules: rule('cpus = { governor = "performance" }'),
    ...GUEST,
    about: PINNED,
    scene: governorScene,
    original: ["powersave"],
    held: ["performance"],
  },
  {
    name: "a guest that holds four things",
    kinds: ["module", "service", "sysctl", "hugepages"],
    rules: rule(
      'modules = { load = ["vfio_pci"] }\nservices = { stop = ["gdm"] }\nsysctl = { "vm.swappiness" = 1 }\n' +
        "hugepages = { pages = 64 }",
    ),
    ...GUEST,
    scene: () =>
      together(
        moduleScene("vfio_pci"),
        systemdScene(({ units }) => units.get("gdm.service")?.active),
        filesScene({ [SWAPPINESS]: "60\n" }),
        hugepageScene(),
      ),
    original: [false, "active", ["60"], [10, 0]],
    held: [true, "inactive", ["1"], [42, 32]],
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
    name: "forwards",
    kinds: ["nft"],
    rules: rule('forward = [{ host_port = 80, to = "10.0.0.2" }, { host_port = 81, to = "10.0.0.2" }]'),
    ...RUNNING,
    scene: filterScene,
    original: { guests: [], forward: { iptables: ["-j LIBVIRT_FWI"], ip6tables: ["-j LIBVIRT_FWI"] } },
    held: {
      guests: ["80", "81"],
      forward: { iptables: [OUR_ACCEPT, "-j LIBVIRT_FWI"], ip6tables: [OUR_ACCEPT, "-j LIBVIRT_FWI"] },
    },
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
